#' Predict with a fit
#'
#' With a fit, what it has learned. With a pre-trained model, whether the second text of a pair follows the first: the
#' next-sentence prediction that BERT was pre-trained on, as is a fit by `~ a + b`. This needs the checkpoint's head for
#' it; sentence models such as the default have none.
#'
#' @param object A fit from [bert_fit()] or [bert_load()], or a model from [bert_load()].
#' @param new_data A data frame with the text columns of the fit, or a character vector if it has one text column.
#' @param type What to return; the default is the first of these. Classification: `"all"`, `"class"` or `"prob"`;
#'   multi-label classification: `"class"` or `"prob"`; question answering: `"all"` or `"nbest"`. Other tasks have only
#'   one type.
#' @param verbose Show a progress bar and messages? `TRUE` by default; the bar appears only in the console.
#' @param ... Must be empty; other arguments are refused.
#' @param newdata Alternative name for `new_data`, as in base R.
#' @return A tibble with one row for each row of `new_data`, in order; NA where a text is NA. [bert_tasks] describes its
#'   columns. For classification: `.pred_class`, a factor with the training levels (the most probable one, or the one
#'   that a threshold of [bert_calibrate()] selects), and one double column `.pred_<level>` per level with the
#'   probabilities.
#'
#'   For a model: a tibble with one row per pair and the column `.pred_next`, the probability that the second text
#'   follows the first (in ALBERT, which learned the order of sentences: that they are in the right order); NA where one
#'   of them is NA.
#'
#'   `augment()`: `new_data` as a tibble with these columns added. It fails if a column with such a name already exists.
#' @section Precision:
#' On CPUs all is float32. On TPUs and on NVIDIA GPUs of compute capability 8.0 or more the encoder's layers compute in
#' bfloat16: for a head on the default model with 30 classes, and 60 texts that it was not trained on, the predicted
#' classes were those of float32, and probabilities differed by at most 0.01, measured on a CPU.
#' `options(bertr.precision = "float32")` computes in float32 everywhere (see [bertr][bertr-package]).
#' @seealso [bert_evaluate()]
#' @source Next sentences: Devlin et al. (2019), \doi{10.18653/v1/N19-1423}; their order: Lan et al. (2020),
#'   <https://arxiv.org/abs/1909.11942>.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' bert_predict(fit, c("My card does not work", NA))
#' predict(fit, faq[1:3, ], type = "class")
#' augment(fit, faq[1:3, ])
#'
#' # does the second text follow the first?
#' pairs <- data.frame(first = faq$text[1:10], second = faq$text[2:11])
#' fit <- bert_fit(bert_load(), ~ first + second, pairs, train = "top:1", epochs = 1)
#' bert_predict(fit, pairs[1:2, ])
#' @export
bert_predict <- function(object, ...) {
  UseMethod("bert_predict")
}

#' @export
bert_predict.default <- function(object, ...) {
  check_class(object, c("bert_fit", "bert_model"), "object")
}

#' @rdname bert_predict
#' @export
bert_predict.bert_fit <- function(object, new_data, type = NULL, verbose = TRUE, ...) {
  call <- rlang::current_env()
  check_dots(...)
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  task <- task_of(object$spec)
  if (learned_pairs(object$spec)) {
    check_choice(if (is.null(type)) "all" else type, "all", "type")
    return(next_sentences(object, new_texts(object$spec, new_data, call), NULL, verbose, call))
  }
  texts <- new_texts(object$spec, new_data, call)
  type <- prediction_type(task, object$spec, type)
  n <- length(texts$complete)
  warn_no_texts(texts)
  columns <- NULL
  kinds <- NULL
  score(object, texts, verbose, call, function(result, rows, chunk) {
    part <- task$predict(object$spec, result, rows, length(chunk), type)
    if (is.null(columns)) {
      columns <<- lapply(part, function(x) rep(unclass(x)[NA_integer_], n))
      kinds <<- lapply(part, attributes)
    }
    for (k in seq_along(part)) { # in place: `[<-` on a factor would copy the result every time
      columns[[k]][chunk] <<- unclass(part[[k]])
    }
  })
  for (k in which(lengths(kinds) > 0)) { # a factor again
    attributes(columns[[k]]) <- kinds[[k]]
  }
  tibble::new_tibble(columns, nrow = n)
}

#' @rdname bert_predict
#' @inheritParams bert_texts
#' @param max_len Maximum length of a pair in tokens. Longer ones are truncated with a message. `NULL` (default) uses
#'   the model's.
#' @export
bert_predict.bert_model <- function(object, x, pair = NULL, text = NULL, max_len = NULL, verbose = TRUE, ...) {
  call <- rlang::current_env()
  check_dots(...)
  check_class(object, "bert_model", "object")
  check_max_len(max_len, object)
  check_flag(verbose, "verbose")
  texts <- read_texts(x, rlang::enquo(pair), rlang::enquo(text))
  if (is.null(texts$b)) {
    abort("pair", "A pre-trained model predicts whether one text follows another, but {.arg x} has single texts.",
      "Give the second texts as well, as in {.code bert_predict(model, first, second)} or
      {.code bert_predict(model, data, c(first, second))}; for other predictions train a fit with {.fn bert_fit}.",
      call = call)
  }
  next_sentences(object, texts, max_len, verbose, call)
}

#' @rdname bert_predict
#' @importFrom stats predict
#' @export
predict.bert_fit <- function(object, new_data, type = NULL, verbose = TRUE, ..., newdata) {
  check_dots(...)
  bert_predict(object, either(new_data, newdata), type, verbose)
}

#' @rdname bert_predict
#' @param x For a model the texts, see [bert_texts]. In `augment()` the same as `object`.
#' @export
augment.bert_fit <- function(x, new_data, type = NULL, verbose = TRUE, ..., newdata) {
  check_dots(...)
  check_class(x, "bert_fit", "x")
  new_data <- either(new_data, newdata)
  check_data(new_data, "new_data")
  added <- names(empty_predictions(x$spec, type)) # known before scoring
  taken <- intersect(added, names(new_data))
  if (length(taken) > 0) {
    abort("column", "{.arg new_data} already has {cli::qty(taken)}{?a column/columns} {.val {shorten(taken)}}, which
      {.fn augment} would overwrite.", "Rename or remove {cli::qty(taken)}{?it/them} first.",
      call = rlang::current_env())
  }
  predictions <- bert_predict(x, new_data, type, verbose)
  tibble::new_tibble(c(as.list(new_data), as.list(predictions)), nrow = nrow(new_data))
}

# `new_data`, or its alias `newdata`
either <- function(new_data, newdata, call = caller_env()) {
  if (missing(newdata)) {
    if (missing(new_data)) {
      abort("data", "{.arg new_data} is missing: a fit does not keep its training data.",
        call = call)
    }
    return(new_data)
  }
  if (!missing(new_data)) {
    abort("argument", "{.arg newdata} is another name for {.arg new_data}: give only one of them.", call = call)
  }
  newdata
}

# The predictions of no rows
empty_predictions <- function(spec, type, call = caller_env()) {
  if (learned_pairs(spec)) {
    return(tibble(.pred_next = double()))
  }
  task <- task_of(spec)
  type <- prediction_type(task, spec, type, call) # first: some tasks have no predictions
  task$predict(spec, NULL, integer(), 0, type)
}

# The type to return, by default the first of the task
prediction_type <- function(task, spec, type, call = caller_env()) {
  if (is.null(task$predict)) {
    abort("no_predictions", "A fit for task {.val {spec$task}} cannot be used to predict.",
      "Use {.fn {task$instead}} instead.", call = call)
  }
  type <- if (is.null(type)) task$types[[1]] else type
  check_choice(type, task$types, "type", call)
  type
}

# A factor whose strings are all new becomes NA without a word where a recipe prepares the data.
warn_no_texts <- function(texts) {
  if (length(texts$complete) > 0 && !any(texts$complete)) {
    cli::cli_warn(c("All texts of {.arg new_data} are NA, and so are the predictions.",
      i = "A recipe turns texts that it has not seen into NA: in a workflow use {.fn add_formula} instead, or
        {.fn step_bert_embed}."),
      class = "bertr_warning_no_texts")
  }
}

# The texts to predict from: columns of a data frame, or one character vector
new_texts <- function(spec, new_data, call, arg = "new_data") {
  if (is.data.frame(new_data)) {
    return(text_columns(spec$text, new_data, arg, call))
  }
  if (length(spec$text) > 1) {
    hint <- rows_hint(new_data)
    abort("data", "{.arg {arg}} must be a data frame, not {.obj_type_friendly {new_data}}.",
      if (is.null(hint)) "The fit needs the columns {.val {spec$text}}." else hint, call = call)
  }
  text_vector(new_data, NULL, arg, call)
}

text_vector <- function(a, b, arg, call) {
  a <- check_text(a, cli::format_inline("{.arg {arg}}"), call)
  if (is.null(b)) {
    return(list(a = a, b = NULL, complete = !is.na(a)))
  }
  b <- check_text(b, cli::format_inline("{.arg pair}"), call)
  if (length(a) != length(b)) {
    abort("pair", "{.arg pair} has {length(b)} text{?s}, but {.arg {arg}} has {length(a)}.", call = call)
  }
  list(a = a, b = b, complete = !is.na(a) & !is.na(b))
}

# Scores texts in chunks: see py_chunks()
score <- function(fit, texts, verbose, call, use, name = "predict", options = list(max_len = NULL)) {
  py_chunks(name, fit, texts, options, verbose, call, use, batch_rows(fit$spec))
}
