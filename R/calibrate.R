#' Calibrate a fit on other data
#'
#' Fits the temperature of a classification, or chooses the thresholds of a multi-label classification, on rows that
#' were not used for training. [bert_fit()] does this by itself if it has 1,000 rows or more; this function does it for
#' any fit, with any rows. The weights of the fit do not change.
#'
#' Classification: the network's outputs are divided by a temperature, which corrects overconfident probabilities but
#' changes no predicted class (Guo et al. 2017). With few rows it stays close to 1. With two classes, a `threshold` can
#' be chosen too: with rare classes, the one of which F1 is highest is often far from 0.5. The temperature, not a
#' threshold, decides whether probabilities are right.
#'
#' Multi-label classification: each label's threshold is the one with the highest F1 on these rows; labels with few rows
#' share the best threshold for all labels together. They also replace a threshold fixed by [bert_control()].
#'
#' @inheritParams bert_evaluate
#' @param object A fit for classification or multi-label classification.
#' @param new_data A data frame with the text columns and the outcome column of the fit, with other rows than the
#'   training data: the fit is overconfident about the rows that it was trained on. Rows with missing values are dropped
#'   with a message.
#' @param threshold For a classification with two classes: the measure for which to choose a threshold, `"f_meas"` (F1
#'   of the event), `"accuracy"` or `"j_index"` (recall + specificity - 1, Youden 1950). `NULL` (default): the more
#'   probable class is predicted.
#' @param event With `threshold`: the level that is predicted if its probability is above the threshold. `NULL`
#'   (default): the second one.
#' @return The fit with the new temperature and thresholds, which [bert_predict()], [bert_evaluate()] and [bert_save()]
#'   use. Printing it shows them. `object` itself does not change.
#' @seealso [bert_reliability()], [bert_curve()]
#' @source Guo et al. (2017), On Calibration of Modern Neural Networks, <https://arxiv.org/abs/1706.04599>; Youden
#'   (1950), Index for Rating Diagnostic Tests, Cancer 3, 32-35;
#'   Lipton et al. (2014), Thresholding Classifiers to Maximize F1 Score, <https://arxiv.org/abs/1402.1892>.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' other <- read.csv(system.file("extdata/faq30/valid.csv", package = "bertr"))
#' faq$card <- grepl("card", faq$label)
#' other$card <- grepl("card", other$label)
#' fit <- bert_fit(bert_load(), card ~ text, faq, train = "head", epochs = 5)
#' bert_calibrate(fit, other, threshold = "f_meas")
#' @export
bert_calibrate <- function(object, new_data, threshold = NULL, event = NULL, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  spec <- object$spec
  check_task(spec, c("classification", "multilabel"), "{.fn bert_calibrate}", call)
  chosen <- check_threshold(threshold, event, spec, call)
  say <- speaker(verbose)
  new_data <- outcome_columns(object, new_data, "new_data", call)
  rows <- complete_rows(spec, new_data, "new_data", say, call)
  refuse_unknown(spec, rows, "new_data", call)
  rows$outcome <- task_of(spec)$match(spec, rows$outcome)
  if (!is.null(chosen)) {
    check_both(rows$outcome, call)
  }
  reporter <- progress(verbose)
  on.exit(reporter$close())
  given <- bridge_rows(spec, rows)
  result <- py_value("calibrate", live(object, call), given$a, given$b, given$target, chosen,
    on_event = reporter$event, call = call)
  reporter$close()
  say_truncated(say, result$n_truncated, length(rows$a), result$max_len)
  # a fit from a folder must not be read again from there, where it is not calibrated like this
  fit <- new_fit(result$fit, spec, serialize = !is.null(object$weights) || !is.null(object$saved))
  fit$computed <- object$computed
  fit
}

# The threshold to choose, for the bridge: NULL or list(event, measure)
check_threshold <- function(threshold, event, spec, call) {
  if (is.null(threshold)) {
    if (!is.null(event)) {
      abort("argument", "{.arg event} is only used with {.arg threshold}.",
        "For example {.code threshold = \"f_meas\"}.", call = call)
    }
    return(NULL)
  }
  check_choice(threshold, c("f_meas", "accuracy", "j_index"), "threshold", call)
  if (spec$task != "classification" || length(spec$levels) != 2) {
    abort("argument", "{.arg threshold} needs a fit with two classes, but this is a fit for {task_label(spec)}.",
      if (spec$task == "multilabel") "Leave it out: labels always have thresholds.", call = call)
  }
  list(event = level_id(check_event(event, spec, call), spec), measure = threshold)
}

# A threshold needs rows of both classes
check_both <- function(outcome, call) {
  if (length(unique(outcome)) < 2) {
    abort("one_class", "All complete rows of {.arg new_data} have the same label, {.val {as.character(outcome[[1]])}}; a
      threshold needs rows of both classes.", call = call)
  }
}
