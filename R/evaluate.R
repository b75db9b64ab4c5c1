#' Judge a fit on labelled data
#'
#' @inheritParams bert_predict
#' @param new_data A data frame with the text columns and the outcome column of the fit. Rows with missing
#'   values are left out, and said so.
#' @return A tibble with one row a measure, in the shape of the package yardstick: `.metric`, `.estimator` and
#'   `.estimate`. For classification: `accuracy`; `kap`, Cohen's kappa; `f_meas`, the mean over the
#'   classes of F1 (0 for a class never predicted right); `mn_log_loss`, the mean negative
#'   log-probability of the true class. For relations: `f_meas` (F1), `precision` and `recall` of triples that are
#'   right in relation and in all four positions, over all of them (`relation` is NA) and for each `relation`.
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
  truth <- task$match(object$spec, rows$outcome, "new_data", call)
  parts <- list()
  texts <- list(a = rows$a, b = rows$b, complete = rep(TRUE, length(rows$a)))
  score(object, texts, verbose, call, function(result, ...) parts[[length(parts) + 1]] <<- result)
  task$evaluate(object$spec, truth, parts)
}
