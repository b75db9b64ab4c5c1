#' Evaluate a fit on other data
#'
#' @inheritParams bert_predict
#' @param new_data A data frame with the text columns and the outcome column of the fit. Rows with missing values are
#'   dropped with a message. Labels that were not seen in training count as wrong, also with a message ([bert_fit()]
#'   refuses them in `validation`, which must be like the training rows). An outcome that the formula computes, such as
#'   `log(price)`, is computed here too. A fit from [bert_load()] cannot compute it, because folders contain no code:
#'   add it as a column of that name.
#' @param event For a classification with two classes, the level for which `precision`, `recall` and F1 are computed;
#'   `NULL` (default): the second one.
#' @param by For classification and multi-label classification: `"class"` returns metrics of each class or label.
#'   `NULL` (default): metrics of all together.
#' @return A tibble with one row per metric, in the format of the yardstick package: `.metric`, `.estimator` and
#'   `.estimate`. [bert_tasks] lists the metrics of each task. For classification: `accuracy`, `kap`, `f_meas`
#'   (`.estimator` `"macro"`: the mean over the classes), `mn_log_loss` and `ece`; with two classes also `precision`,
#'   `recall` and `f_meas` (`.estimator` `"binary"`) of the event.
#'
#'   With `by = "class"` one row per class and metric: `precision`, `recall`, `f_meas` and `support`, the number of rows
#'   with this class, which is named in the column `.level`. Classes that were not seen in training come last.
#' @source Cohen (1960), A Coefficient of Agreement for Nominal Scales, \doi{10.1177/001316446002000104}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' bert_evaluate(fit, faq)
#' bert_evaluate(fit, faq, by = "class")
#' @export
bert_evaluate <- function(object, new_data, event = NULL, by = NULL, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  spec <- object$spec
  if (!is.null(by)) {
    check_choice(by, "class", "by", call)
    check_task(spec, c("classification", "multilabel"), "{.code by = \"class\"}", call)
    if (!is.null(event)) {
      abort("argument", "Give {.arg event} or {.arg by}, not both: {.code by = \"class\"} is about every class.",
        call = call)
    }
    predicted <- predict_outcomes(object, new_data, "wrong", verbose, call)
    metrics <- py_value("evaluate_classes", live(object, call), predicted$kept, predicted$truth, call = call)
    return(metric_tibble(metrics, predicted$truth$levels))
  }
  event <- check_event(event, spec, call)
  predicted <- predict_outcomes(object, new_data, "unscored", verbose, call)
  event <- level_id(event, spec)
  metrics <- py_value("evaluate", live(object, call), predicted$kept, predicted$truth, event, call = call)
  metric_tibble(metrics, predicted$truth$levels)
}

# Predicts the complete rows of new data: list(kept, truth), the predictions in Python and the outcomes. `unknown`: see
# say_unknown().
predict_outcomes <- function(fit, new_data, unknown, verbose, call) {
  say <- speaker(verbose)
  new_data <- outcome_columns(fit, new_data, "new_data", call)
  rows <- complete_rows(fit$spec, new_data, "new_data", say, call)
  say_unknown(fit$spec, rows, say, unknown)
  list(kept = kept_predictions(fit, rows, verbose, call), truth = evaluation_truth(fit$spec, rows))
}

# A level as a number from 0 for the bridge, or NULL
level_id <- function(level, spec) {
  if (!is.null(level)) match(level, spec$levels) - 1L
}

# Aborts if the task is not one of `tasks`; `what` needs it
check_task <- function(spec, tasks, what, call) {
  if (!spec$task %in% tasks) {
    what <- cli::format_inline(what)
    abort("task", "{what} needs a fit for {.or {tasks}}, but this is a fit for {task_label(spec)}.", call = call)
  }
}

# The predictions for complete rows, which stay in Python
kept_predictions <- function(fit, rows, verbose, call) {
  texts <- list(a = rows$a, b = rows$b, complete = rep(TRUE, length(rows$a)))
  kept <- py_call("new_predictions", call = call)
  score(fit, texts, verbose, call, function(result, rows, chunk) NULL, "keep_predictions", list(kept = kept))
  kept
}

# The outcomes of complete rows for the bridge
evaluation_truth <- function(spec, rows) {
  task <- task_of(spec)
  if (is.null(task$truth)) task$target(spec, task$match(spec, rows$outcome)) else task$truth(spec, rows)
}

# The columns of the bridge as a tibble; `levels` are the labels that its `level` counts
metric_tibble <- function(metrics, levels) {
  metrics$estimate[is.nan(metrics$estimate)] <- NA
  if (!is.null(metrics$level)) {
    metrics$level <- unlist(levels)[zero_as_na(metrics$level)]
  }
  as_columns(stats::setNames(metrics, paste0(".", names(metrics))))
}

# The class for precision and recall; NULL unless there are two classes
check_event <- function(event, spec, call) {
  two <- spec$task == "classification" && length(spec$levels) == 2
  if (is.null(event)) {
    return(if (two) spec$levels[[2]])
  }
  if (!two) {
    abort("argument", "{.arg event} needs a fit with two classes, but this is a fit for {task_label(spec)}.",
      call = call)
  }
  if (rlang::is_bool(event)) {
    event <- as.character(event)
  }
  check_choice(event, spec$levels, "event", call)
  event
}
