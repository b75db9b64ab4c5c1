#' Cross-validation
#'
#' Divides the data into folds and fits a model for each fold on all other rows. Every row is thus predicted by a fit
#' that has not seen it: use these predictions to evaluate a model on few data, or to find wrong labels
#' ([bert_label_errors()]).
#'
#' With `train = "head"` each text is encoded once, not once per fold. The exceptions are tasks of tokens (entities,
#' answers, relations).
#'
#' @inheritParams bert_fit
#' @param v The number of folds, or an rset of the package rsample, such as `rsample::vfold_cv(data)`, that holds out
#'   each row at most once.
#' @param strata A column of `data`, as a name or string: each fold gets its share of every value. `NULL` (default): the
#'   outcome for classification; none for other tasks.
#' @param groups A column of `data`, as a name or string: rows with the same value, such as texts of one author, stay in
#'   one fold. `NULL` (default): none.
#' @param ... Further arguments of [bert_fit()]: `validation`, `train`, `head`, `epochs`, `learning_rate`, `batch_size`,
#'   `max_len`, `task` or `control`.
#' @param checkpoint A folder in which finished folds are kept, and the state of the current one. If you call
#'   `bert_cv()` again with the same arguments, it continues there. `NULL` (default): none.
#' @param seed A whole number, used for the folds and for the fit of each fold. The default is random and depends on
#'   `set.seed()`; with a `checkpoint` it is the seed of the run that is continued.
#' @param verbose Print a line per fold, and messages? `TRUE` by default.
#' @return A list of class `bert_cv`:
#'   * `predictions`: `data` as a tibble with `.fold`, the fold in which a row was held out, and the columns of
#'     [bert_predict()]. They are NA for incomplete rows. A class that the training rows of a fold lack has probability
#'     0.
#'   * `metrics`: the rows of [bert_evaluate()] for each fold, with the fold in `.fold`.
#'   * `seed` and the settings in `info`.
#'
#'   Printing shows the mean and standard deviation of every metric over the folds, and `tidy()` returns them as a
#'   tibble with `mean`, `sd` and `n`, the number of folds in which the metric is defined. `plot()` draws the values of
#'   the folds, with a solid line at their mean and dotted ones one standard deviation away.
#' @seealso [bert_label_errors()]
#' @source Stone (1974), Cross-Validatory Choice and Assessment of Statistical Predictions,
#'   \doi{10.1111/j.2517-6161.1974.tb00994.x}; stratified folds: Kohavi (1995), A Study of Cross-Validation and
#'   Bootstrap for Accuracy Estimation and Model Selection, <https://www.ijcai.org/Proceedings/95-2/Papers/016.pdf>.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' cv <- bert_cv(bert_load(), label ~ text, faq, v = 3, train = "head", epochs = 5)
#' cv
#' cv$predictions
#' plot(cv)
#' @export
bert_cv <- function(model, formula, data, v = 5, strata = NULL, groups = NULL, ..., checkpoint = NULL,
                    seed = sample.int(.Machine$integer.max, 1), verbose = TRUE) {
  call <- rlang::current_env()
  given <- !missing(seed)
  check_flag(verbose, "verbose")
  model <- given_model(model, verbose)
  check_data(data)
  settings <- check_passed(list(...), call)
  if (!is.null(checkpoint)) {
    check_path(checkpoint, "checkpoint")
    seed <- if (given) seed else cv_seed(checkpoint, seed, call)
  }
  check_whole(seed, "seed", from = 0)
  strata <- one_column(rlang::enquo(strata), data, "strata", call)
  groups <- one_column(rlang::enquo(groups), data, "groups", call)
  if (is.data.frame(v) && (!is.null(strata) || !is.null(groups))) {
    abort("argument", "{.arg strata} and {.arg groups} cannot be combined with an rset: it determines the folds.",
      "Pass them to rsample instead.", call = call)
  }

  validation <- if (is.data.frame(settings$validation)) settings$validation
  read <- training_rows(formula, data, settings$task, settings$head$link, validation, seed, speaker(verbose), call)
  check_cv_columns(read$spec, data, call)
  rows <- read$train
  groups <- complete_groups(groups, rows$row, call)
  strata <- if (is.null(strata)) cv_strata(read$spec, rows$outcome) else as.integer(addNA(strata[rows$row]))
  if (!is.data.frame(v)) {
    check_v(v, length(rows$row), groups, call)
  }
  folds <- make_folds(v, rows$row, nrow(data), strata, groups, seed, call)
  check_folds(read$spec, rows, folds, call)
  run <- list(model = model, formula = read$computed$formula, data = add_computed(read$computed, data, "data", call),
    settings = settings, seed = seed, folder = checkpoint, n = length(folds))
  if (!is.null(checkpoint)) {
    open_cv_folder(checkpoint, cv_identity(run, read, folds, call), seed, call)
  }
  results <- fit_folds(run, folds, verbose, call)
  new_cv(read$spec, data, rows, folds, results, run)
}

# Arguments for bert_fit(), checked as far as bert_fit() does not
check_passed <- function(settings, call) {
  allowed <- c("validation", "train", "head", "epochs", "learning_rate", "batch_size", "max_len", "task", "control")
  names <- rlang::names2(settings)
  wrong <- setdiff(names, allowed)
  if (length(wrong) > 0) {
    what <- if (nzchar(wrong[[1]])) cli::format_inline("Unknown argument {.arg {wrong[[1]]}}") else
      "Arguments for bert_fit() must be named"
    hint <- did_you_mean(wrong[[1]], allowed, "{.arg {close}}")
    abort("argument", "{what}.", if (is.null(hint)) "Those for {.fn bert_fit} are {.arg {allowed}}." else hint,
      call = call)
  }
  if (is.null(settings$control)) {
    settings$control <- bert_control()
  }
  check_class(settings$control, "bert_control", "control", call)
  if (!is.null(settings$control$checkpoint)) {
    abort("argument", "A {.arg checkpoint} in {.arg control} is for a single fit.",
      "Use {.code bert_cv(checkpoint = )} instead.", call = call)
  }
  settings$control$serialize <- FALSE # the fits are not kept
  if (is.null(settings$head)) {
    settings$head <- bert_head() # a new one: that of a fit has perhaps seen the rows that a fold holds out
  }
  settings
}

# Columns that are added to the data must not be there yet
check_cv_columns <- function(spec, data, call) {
  task <- task_of(spec)
  type <- prediction_type(task, spec, NULL, call) # aborts if there are no predictions
  added <- c(".fold", names(task$predict(spec, NULL, integer(), 0, type)))
  taken <- intersect(added, names(data))
  if (length(taken) > 0) {
    abort("column", "{.arg data} already has {cli::qty(taken)}{?a column/columns} {.val {shorten(taken)}}, which
      {.fn bert_cv} would overwrite.", "Rename or remove {cli::qty(taken)}{?it/them} first.", call = call)
  }
}

complete_groups <- function(groups, rows, call) {
  if (!is.null(groups)) {
    abort_rows("group", rows[is.na(groups[rows])], "{.arg groups} is missing", "Every row needs a group.", call = call)
    groups[rows]
  }
}

cv_strata <- function(spec, outcome) {
  if (spec$task == "classification") as.integer(outcome) else rep(1L, NROW(outcome))
}

# Every fold needs rows to hold out, and at least two classes to learn
check_folds <- function(spec, rows, folds, call) {
  for (k in seq_along(folds)) {
    if (length(folds[[k]]$held) == 0 || length(folds[[k]]$train) == 0) {
      abort("folds", "Fold {k} has no complete rows to {if (length(folds[[k]]$held) == 0) 'hold out' else 'train on'}.",
        call = call)
    }
  }
  if (spec$task != "classification") {
    return(invisible())
  }
  lacking <- lapply(folds, function(fold) {
    setdiff(spec$levels, as.character(rows$outcome[match(fold$train, rows$row)]))
  })
  alone <- which(lengths(lacking) > length(spec$levels) - 2)
  if (length(alone) > 0) {
    left <- setdiff(spec$levels, lacking[[alone[[1]]]])
    abort("one_class", "All training rows of fold {alone[[1]]} have the same label, {.val {left}}.",
      "Use other folds, or stratify them by the outcome.", call = call)
  }
  without <- which(lengths(lacking) > 0)
  if (length(without) > 0) {
    labels <- unique(unlist(lacking))
    cli::cli_warn(c("{length(without)} fold{?s} {?has/have} no training row of {.val {shorten(labels)}}: the rows of
      {cli::qty(labels)}{?this class/these classes} that {cli::qty(without)}{?it holds/they hold} out count as wrong."),
      class = "bertr_warning_folds")
  }
}

# The results of all folds, those in the checkpoint folder included
fit_folds <- function(run, folds, verbose, call) {
  if (identical(run$settings$train, "head")) {
    py_call("remember", live(run$model, call), TRUE, call = call)
    on.exit(py_call("remember", live(run$model, call), FALSE, call = call))
  }
  lapply(seq_along(folds), function(k) {
    kept <- kept_fold(run$folder, k, call)
    result <- if (is.null(kept)) fit_fold(run, folds[[k]], k, call) else kept
    if (is.null(kept)) {
      keep_fold(run$folder, k, result, call)
    }
    say_fold(result, k, run$n, !is.null(kept), verbose)
    result
  })
}

# Fits one fold and predicts the rows it holds out: list(levels, predictions, metrics, seconds, rows)
fit_fold <- function(run, fold, k, call) {
  settings <- run$settings
  if (!is.null(run$folder)) {
    settings$control$checkpoint <- run_of_fold(run$folder, k)
  }
  train <- run$data[fold$train, , drop = FALSE]
  held <- run$data[fold$held, , drop = FALSE]
  fit <- withCallingHandlers(
    said_of_all_rows(rlang::inject(bert_fit(run$model, run$formula, train, !!!settings, seed = run$seed,
      verbose = FALSE))),
    bertr_warning_interrupted = function(w) rlang::cnd_muffle(w)
  )
  if (fit$info$interrupted) {
    abort("interrupted", "Interrupted in fold {k} of {run$n}.", if (is.null(run$folder))
      "With {.arg checkpoint} the next call would continue from here." else
      "Call {.fn bert_cv} with the same arguments to continue.", call = call)
  }
  list(levels = fit$spec$levels, predictions = bert_predict(fit, held, verbose = FALSE),
    metrics = said_of_all_rows(bert_evaluate(fit, held, verbose = FALSE)), seconds = fit$info$seconds,
    rows = fit$info$rows, train = fit$info$train)
}

# Without the warnings that reading all rows has already given
said_of_all_rows <- function(expr) {
  withCallingHandlers(expr,
    bertr_warning_single = function(w) rlang::cnd_muffle(w),
    bertr_warning_ambiguous = function(w) rlang::cnd_muffle(w))
}

say_fold <- function(result, k, n, kept, verbose) {
  if (progress_mode(verbose) != "none") {
    main <- paste(result$metrics$.metric[[1]], format(result$metrics$.estimate[[1]], digits = 3))
    done <- if (kept) "from the checkpoint" else paste0(format(round(result$seconds, 1)), " s")
    cli::cli_inform("Fold {k} of {n}: {result$rows} row{?s}, {main} ({done})")
  }
}

new_cv <- function(spec, data, rows, folds, results, run) {
  fold <- rep(NA_integer_, nrow(data))
  for (k in seq_along(folds)) {
    fold[folds[[k]]$held] <- k
  }
  metrics <- do.call(rbind, lapply(seq_along(results), function(k) {
    tibble::new_tibble(c(list(.fold = rep(k, nrow(results[[k]]$metrics))), as.list(results[[k]]$metrics)),
      nrow = nrow(results[[k]]$metrics))
  }))
  predictions <- joined_predictions(spec, folds, results, nrow(data))
  predictions <- tibble::new_tibble(c(as.list(data), list(.fold = fold), as.list(predictions)), nrow = nrow(data))
  info <- list(rows = length(rows$row), folds = lengths(lapply(folds, `[[`, "held")), train = results[[1]]$train)
  cv <- list(predictions = predictions, metrics = metrics, spec = spec, seed = run$seed, info = info)
  if (spec$task == "classification") { # for bert_label_errors(); an outcome may be computed
    cv$truth <- rows$outcome[match(seq_len(nrow(data)), rows$row)]
  }
  structure(cv, class = "bert_cv")
}

# The predictions of the held-out rows of all folds, in the order of the data
joined_predictions <- function(spec, folds, results, n) {
  task <- task_of(spec)
  columns <- as.list(task$predict(spec, NULL, integer(), n, task$types[[1]]))
  for (k in seq_along(folds)) {
    held <- folds[[k]]$held
    part <- results[[k]]$predictions
    to <- seq_along(columns)
    if (spec$task == "classification") { # the fold may lack classes
      to <- c(1, 1 + match(results[[k]]$levels, spec$levels))
      part[[1]] <- factor(as.character(part[[1]]), spec$levels, ordered = is.ordered(columns[[1]]))
      columns[-1] <- lapply(columns[-1], replace, held, 0)
    }
    columns[to] <- lapply(seq_along(to), function(j) replace(columns[[to[[j]]]], held, part[[j]]))
  }
  tibble::new_tibble(columns, nrow = n)
}

#' @export
print.bert_cv <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_cv", "x")
  sizes <- unique(range(x$info$folds))
  metrics <- overall(tidy.bert_cv(x))
  cat("<bert_cv> ", task_label(x$spec), "\n",
    "  ", counted(x$info$rows, "row"), " in ", counted(length(x$info$folds), "fold"), " of ",
    paste(sizes, collapse = " to "), "; train = \"", x$info$train, "\", seed ", x$seed, "\n",
    "  mean (sd) over the folds:\n",
    paste0("  ", format(metric_names(metrics)), "  ", format(metrics$mean, digits = 3), " (",
      trimws(format(metrics$sd, digits = 2)), ")\n"), sep = "")
  invisible(x)
}

# Without the metrics of single labels
overall <- function(metrics) {
  if (".level" %in% names(metrics)) metrics[is.na(metrics$.level), ] else metrics
}

# The names of metrics, with the outcome or the estimator where one name occurs several times
metric_names <- function(metrics) {
  if (".outcome" %in% names(metrics)) {
    return(paste(metrics$.outcome, metrics$.metric))
  }
  twice <- metrics$.metric %in% metrics$.metric[duplicated(metrics$.metric)]
  ifelse(twice, paste0(metrics$.metric, " (", metrics$.estimator, ")"), metrics$.metric)
}

#' @rdname bert_cv
#' @param x A result of `bert_cv()`.
#' @export
tidy.bert_cv <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_cv", "x")
  key <- metric_key(x$metrics)
  keys <- x$metrics[setdiff(names(x$metrics), c(".fold", ".estimate"))]
  values <- split(x$metrics$.estimate, factor(key, unique(key)))
  values <- lapply(unname(values), function(value) value[!is.na(value)])
  summary <- list(
    mean = vapply(values, function(value) if (length(value) > 0) mean(value) else NA_real_, 0),
    sd = vapply(values, stats::sd, 0), n = lengths(values)
  )
  tibble::new_tibble(c(as.list(keys[!duplicated(key), ]), summary), nrow = length(values))
}

# What distinguishes metrics: all columns but their values
metric_key <- function(metrics) {
  keys <- metrics[setdiff(names(metrics), c(".fold", ".estimate", "mean", "sd", "n"))]
  do.call(paste, c(unname(as.list(keys)), sep = "\r"))
}

#' @rdname bert_cv
#' @export
plot.bert_cv <- function(x, ...) {
  check_class(x, "bert_cv", "x")
  drawn <- cv_drawn(x)
  n <- nrow(drawn$metrics)
  old <- graphics::par(mfrow = panel_grid(n), mar = c(4.8, 5, 2.5, 1), oma = c(0, 0, 2, 0), mgp = c(3.6, 0.9, 0))
  on.exit(graphics::par(old))
  for (k in seq_len(n)) {
    about <- drawn$metrics[k, ]
    one <- drawn$folds[drawn$folds$name == about$name, ]
    draw(graphics::plot, list(one$fold, one$value, pch = 19, xlab = "fold", ylab = about$name, xaxt = "n", las = 1,
      xlim = range(one$fold) + c(-0.3, 0.3), ylim = c(about$from, about$to)), ...)
    graphics::axis(1, one$fold)
    graphics::abline(h = about$mean, col = "#0072B2")
    graphics::abline(h = about$mean + c(-1, 1) * about$sd, col = "#0072B2", lty = 3)
    graphics::mtext(about$says, 3, line = 0.5, cex = 0.8)
  }
  outer_title(task_label(x$spec))
  invisible(x)
}

# What is drawn of a cross-validation: `folds` with name, fold and value; `metrics` with name, mean, sd, the limits of
# the axis, and what stands above the panel
cv_drawn <- function(x) {
  metrics <- overall(tidy.bert_cv(x))
  metrics <- metrics[metrics$n > 0, ]
  name <- factor(metric_names(metrics), metric_names(metrics))
  folds <- overall(x$metrics)
  folds <- tibble(name = name[match(metric_key(folds), metric_key(metrics))], fold = folds$.fold,
    value = folds$.estimate)
  folds <- folds[!is.na(folds$name), ]
  limits <- vapply(seq_along(name), function(k) {
    band <- metrics$mean[[k]] + c(-1, 1) * metrics$sd[[k]]
    metric_range(metrics$.metric[[k]], c(folds$value[folds$name == name[[k]]], band))
  }, c(0, 0))
  says <- paste0("mean ", format_each(metrics$mean), ", sd ", vapply(metrics$sd, format, "", digits = 2))
  list(folds = folds, metrics = tibble(name = name, mean = metrics$mean, sd = metrics$sd, from = limits[1, ],
    to = limits[2, ], says = says))
}
