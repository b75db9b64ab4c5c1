#' Judge a fit on other data
#'
#' @inheritParams bert_predict
#' @param new_data A data frame with the text columns and the outcome column of the fit. Rows with missing
#'   values are left out, and said so.
#' @return A tibble with one row a measure, in the shape of the package yardstick: `.metric`, `.estimator` and
#'   `.estimate`; of which measures, [bert_tasks] says for every task. For classification: `accuracy`, `kap`, `f_meas`,
#'   `mn_log_loss` and `ece`.
#' @source Cohen (1960), A Coefficient of Agreement for Nominal Scales, \doi{10.1177/001316446002000104}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' bert_evaluate(fit, faq)
#' @export
bert_evaluate <- function(object, new_data, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  rows <- complete_rows(object$spec, new_data, "new_data", speaker(verbose), call)
  task <- task_of(object$spec)
  truth <- task$match(object$spec, rows$outcome, rows$row, "new_data", call)
  parts <- list()
  texts <- list(a = rows$a, b = rows$b, complete = rep(TRUE, length(rows$a)))
  keep <- function(result, ...) parts[[length(parts) + 1]] <<- result
  score(object, texts, verbose, call, keep, if (is.null(task$judge)) "predict" else task$judge)
  task$evaluate(object$spec, truth, parts)
}
