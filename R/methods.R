#' @export
print.bert_model <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_model", "x")
  info <- x$info
  config <- info$config
  cat("<bert_model> ", info$name, "\n",
    "  ", counted(config$num_layers, "layer"), ", hidden size ", config$hidden_size, ", ",
    counted(config$num_heads, "head"), ", ",
    count(info$parameters), " parameters, vocabulary of ", config$vocab_size, "\n",
    "  ", if (info$lower_case) "lower-cased" else "cased", " ", tokenizer_label(info$tokens), ", texts up to ",
    info$max_len, " tokens (", config$max_positions, " positions), pooling: ", info$pooling, "\n",
    "  ", if (info$format == "keras") "trained in Keras, from" else paste(info$format, "format in"), " ", info$folder,
    "\n", sep = "")
  left <- c(`not read` = length(info$unread), missing = length(info$missing))
  if (any(left > 0)) {
    cat("  variables ", paste(names(left), left, sep = ": ", collapse = ", "), "; see summary()\n", sep = "")
  }
  invisible(x)
}

tokenizer_label <- function(tokens) {
  if (tokens == "byte_bpe") "byte-level BPE" else tokens
}

#' The layers of a model
#'
#' @param object A model from [bert_load()].
#' @param ... Must be empty.
#' @return A list of class `summary.bert_model`, which prints everything that is known about the model. Its `layers` is
#'   a tibble with one row per layer: `layer` (layers that share their weights, as in ALBERT, are one row), `shape` (of
#'   its output), `parameters` (their number) and `trained` (does [bert_fit()] with `train = "all"` train it?). The
#'   pooler is trained if it is the model's pooling, `mlm` and `nsp` (the heads of pre-training) only with `~ text`.
#' @examplesIf bertr::bert_info()$ready
#' summary(bert_load())$layers
#' @export
summary.bert_model <- function(object, ...) {
  check_dots(...)
  check_class(object, "bert_model", "object")
  structure(list(model = object, layers = as_columns(object$info$layers)), class = "summary.bert_model")
}

#' @export
print.summary.bert_model <- function(x, ...) {
  check_dots(...)
  info <- x$model$info
  print(x$model)
  print_origin(info, "downloaded from")
  print_sentence(info)
  if (info$unused_rows > 0) {
    cat("  ", counted(info$unused_rows, "unused row"), " in the word embedding, beyond the vocabulary\n", sep = "")
  }
  print_variables("not read", info$unread, info$unread_why)
  print_variables("missing", info$missing, info$missing_why)
  cat(paste0("  ", format(names(info$config)), "  ", vapply(info$config, format, ""), "\n"), sep = "")
  print_layers(x$layers)
  invisible(x)
}

# As the summary of a Keras model
print_layers <- function(layers) {
  columns <- list(
    format(c("layer", layers$layer)),
    format(c("shape", layers$shape)),
    format(c("parameters", format(layers$parameters, big.mark = " ")), justify = "right"),
    c("trained", ifelse(layers$trained, "yes", "no"))
  )
  cat("\n", paste0("  ", do.call(paste, c(columns, sep = "  ")), "\n"), sep = "")
}

# The repository and commit of a model from the hub
print_origin <- function(info, what) {
  if (nzchar(info$repo)) {
    cat("  ", what, " ", info$repo, ", commit ", info$commit, "\n", sep = "")
  }
}

# Steps after pooling and prompts of a sentence model
print_sentence <- function(info) {
  steps <- as_chr(info$steps)
  if (length(steps) > 0) {
    cat("  after pooling: ", paste(steps, collapse = ", "), "\n", sep = "")
  }
  for (i in seq_along(as_chr(info$prompts))) {
    cat("  prompt ", dQuote(info$prompts[[i]], FALSE), ": ", dQuote(info$prompt_texts[[i]], FALSE), "\n", sep = "")
  }
}

# Skipped variables of a checkpoint, grouped by reason
print_variables <- function(what, names, why) {
  names <- as_chr(names)
  for (reason in unique(as_chr(why))) {
    cat("  ", what, ": ", some(names[as_chr(why) == reason], 3), " (", reason, ")\n", sep = "")
  }
}

#' @export
print.bert_fit <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_fit", "x")
  info <- x$info
  if (is_from_elsewhere(info)) {
    print_hub_fit(x)
    return(invisible(x))
  }
  cat("<bert_fit> ", task_label(x$spec), "\n",
    "  ", counted(info$rows, "row"), if (info$valid_rows > 0) paste0(", ", info$valid_rows, " for validation"),
    if (info$held_rows > 0) paste0(", ", info$held_rows, " of them held out"), "; ",
    x$base$name, ", train = \"", info$train, "\"", if (info$pool != "none") paste0(", ", info$pool, " pooling"),
    "\n",
    "  epochs ", info$epochs_done, if (info$interrupted) paste0(" of ", info$epochs, " (interrupted)"),
    ", learning rate ", format(info$learning_rate), ", batch size ", info$batch_size, ", up to ", info$max_len,
    " tokens, seed ", info$seed, "\n", sep = "")
  if (info$stopped_early) {
    cat("  stopped early at epoch ", info$epochs_done, ", best epoch ", info$best_epoch, "\n", sep = "")
  }
  print_calibration(x)
  last <- last_epoch(x)
  if (length(last) > 0) {
    which <- if (is.null(info$best_epoch)) "last" else "best"
    cat("  ", which, " epoch: ", paste(names(last), format_each(last), collapse = ", "), "\n", sep = "")
  }
  invisible(x)
}

# The temperature and thresholds of a fit, and where they come from
print_calibration <- function(fit) {
  info <- fit$info
  again <- if (!is.null(info$calibration_rows)) paste(counted(info$calibration_rows, "row"), "by bert_calibrate()")
  if (!is.null(info$temperature)) {
    from <- if (!is.null(again)) again else if (info$held_rows > 0) "the held-out rows" else "the validation rows"
    cat("  probability temperature ", format(info$temperature, digits = 3), ", fitted on ", from, "\n", sep = "")
  }
  threshold <- info$event_threshold
  if (!is.null(threshold)) {
    level <- fit$spec$levels[[threshold$event + 1]]
    cat("  predicts ", dQuote(level, FALSE), " if its probability is above ", format(threshold$value, digits = 3),
      ", the threshold with the best ", threshold$measure, "\n", sep = "")
  }
  if (!is.null(info$thresholds) && !is.null(again)) {
    range <- unique(format(range(info$thresholds), digits = 3))
    cat("  label thresholds ", paste(range, collapse = " to "), ", chosen on ", again, "\n", sep = "")
  }
}

#' @export
summary.bert_fit <- function(object, ...) {
  check_dots(...)
  check_class(object, "bert_fit", "object")
  structure(list(fit = object), class = "summary.bert_fit")
}

#' @export
print.summary.bert_fit <- function(x, ...) {
  check_dots(...)
  fit <- x$fit
  info <- fit$info
  print(fit)
  if (is_from_elsewhere(info)) {
    print_origin(fit$base, "downloaded from")
    cat("  ", fit$base$format, " format in ", fit$base$folder, "\n", sep = "")
    return(invisible(x))
  }
  print_origin(fit$base, "based on")
  cat("  trained ", count(info$parameters_trained), " parameters",
    if (!knitting()) paste0(" in ", format(round(info$seconds, 1)), " s"),
    if (info$n_truncated > 0) paste0("; ", counted(info$n_truncated, "text"), " truncated"),
    if (is.null(fit$weights) && is.null(fit$saved)) "; weights not stored in the object", "\n", sep = "")
  print_classes(fit$spec)
  cat("\n")
  print(fit$history[if (knitting()) setdiff(names(fit$history), "seconds") else names(fit$history)])
  invisible(x)
}

print_classes <- function(spec) {
  if (length(spec$levels) > 0) {
    cat("  classes: ", some(spec$levels, 10), "\n", sep = "")
  }
}

#' @export
tidy.bert_fit <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_fit", "x")
  x$history
}

#' @export
glance.bert_fit <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_fit", "x")
  fields <- c("rows", "valid_rows", "epochs_done", "batch_size", "learning_rate", "max_len", "seed", "train", "pool",
    "parameters_trained", "n_truncated", "seconds")
  values <- stats::setNames(x$info[fields], fields)
  values[lengths(values) == 0] <- NA # of a fit from elsewhere nothing is known
  as_tibble(c(list(task = x$spec$task), values, last_epoch(x)))
}

# Metrics of the last epoch, or of the best one if its weights are kept, as a named list; empty before the end of the
# first epoch
last_epoch <- function(fit) {
  figures <- fit$history[setdiff(names(fit$history), c("epoch", "learning_rate", "seconds"))]
  last <- as.list(figures[c(fit$info$best_epoch, nrow(figures))[[1]], ])
  last[!vapply(last, anyNA, NA)]
}

#' The formula of a fit
#'
#' @param x A fit from [bert_fit()] or [bert_load()].
#' @param ... Must be empty.
#' @return A formula. Its environment is the global one.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' formula(bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5))
#' @importFrom stats formula
#' @export
formula.bert_fit <- function(x, ...) {
  check_dots(...)
  text <- Reduce(function(a, b) call("+", a, b), lapply(x$spec$text, as.symbol))
  rlang::new_formula(spec_lhs(x$spec), text, globalenv())
}

# The left-hand side, parsed but never evaluated
spec_lhs <- function(spec) {
  tryCatch(if (nzchar(spec$lhs)) str2lang(spec$lhs), error = function(e) as.symbol(spec$outcome[[1]]))
}

# As "classification (3 classes): label ~ text"
task_label <- function(spec) {
  text <- paste(vapply(spec$text, function(name) formula_label(as.symbol(name)), ""), collapse = " + ")
  lhs <- if (nchar(spec$lhs) > 60) paste0(substr(spec$lhs, 1, 57), "...") else spec$lhs
  paste0(spec$task, " (", task_of(spec)$says(spec), "): ", trimws(paste(lhs, "~", text)))
}

format_each <- function(x) {
  vapply(x, function(value) format(value, digits = 3), "")
}

# As "1 text", "2 texts"
counted <- function(n, one, several = paste0(one, "s")) {
  paste(n, if (n == 1) one else several)
}

# As "22.7 million"
count <- function(n) {
  if (n >= 1e6) paste(format(round(n / 1e6, 1)), "million") else format(n, big.mark = " ")
}
