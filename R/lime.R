# lime explains a model with simpler models of texts from which words were removed. These methods tell it what a fit
# predicts; they are registered when lime is loaded.

#' @exportS3Method lime::model_type
model_type.bert_fit <- function(x, ...) { # nolint: object_name_linter. A method of lime's generic
  if (x$spec$task == "regression") "regression" else "classification"
}

#' @exportS3Method lime::predict_model
predict_model.bert_fit <- function(x, newdata, type, ...) { # nolint: object_name_linter.
  check_class(x, "bert_fit", "x")
  if (!x$spec$task %in% c("classification", "multilabel", "regression") || length(x$spec$text) > 1) {
    abort("task", "lime explains classification, labels and numbers from one text column, not {task_label(x$spec)}.",
      call = rlang::current_env())
  }
  if (x$spec$task == "regression") {
    return(data.frame(Response = bert_predict(x, newdata, verbose = FALSE)[[1]]))
  }
  prob <- bert_predict(x, newdata, type = "prob", verbose = FALSE)
  if (type == "raw") {
    return(data.frame(Response = x$spec$levels[max.col(as.matrix(prob), "first")]))
  }
  stats::setNames(as.data.frame(prob), x$spec$levels)
}
