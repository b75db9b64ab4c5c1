# Methods for vetiver, which puts a model on a pin board and serves it with plumber; they are registered when vetiver is
# loaded. The input is one row per text, in the text columns of the fit.
# nolint start: object_name_linter, object_length_linter. Methods of vetiver's generics

#' @exportS3Method vetiver::vetiver_create_description
vetiver_create_description.bert_fit <- function(model) {
  paste("A fit of BERT for", model$spec$task)
}

#' @exportS3Method vetiver::vetiver_create_meta
vetiver_create_meta.bert_fit <- function(model, metadata) {
  vetiver::vetiver_meta(metadata, required_pkgs = "bertr")
}

#' @exportS3Method vetiver::vetiver_ptype
vetiver_ptype.bert_fit <- function(model, ...) {
  columns <- lapply(stats::setNames(nm = model$spec$text), function(name) character())
  tibble::new_tibble(columns, nrow = 0)
}

# A board may be read on another machine, so the weights go along.
#' @exportS3Method vetiver::vetiver_prepare_model
vetiver_prepare_model.bert_fit <- function(model) {
  check_class(model, "bert_fit", "model")
  if (is.null(model$weights)) {
    model$weights <- weight_bytes(live(model), model$spec)
    model$saved <- NULL
  }
  model
}

# The first request should not wait for the weights.
#' @exportS3Method vetiver::handler_startup
handler_startup.bert_fit <- function(vetiver_model) {
  invisible(live(vetiver_model$model))
}

#' @exportS3Method vetiver::handler_predict
handler_predict.bert_fit <- function(vetiver_model, ...) {
  function(req) {
    bert_predict(vetiver_model$model, request_rows(req$body, vetiver_model$model), ..., verbose = FALSE)
  }
}

# nolint end

# The rows of a request: JSON that plumber has read, an array of objects or one object
request_rows <- function(body, fit) {
  rows <- if (is.data.frame(body)) body else tryCatch(as.data.frame(body), error = function(e) NULL)
  missing <- setdiff(fit$spec$text, names(rows))
  if (length(missing) > 0) {
    abort("data", "The request has no field {.field {missing[[1]]}}.",
      "Send rows with {.field {fit$spec$text}}, as JSON.", call = NULL)
  }
  as_tibble(rows[fit$spec$text])
}
