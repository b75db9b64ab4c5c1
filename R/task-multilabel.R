# Multi-label: any number of labels a row, from cbind() of logical or 0-1 columns, or from a list-column of labels.
task_multilabel <- function() {
  list(
    expects = "several logical or 0-1 columns in cbind()",
    accepts = function(lhs, data) is_label_columns(lhs, data) || is_label_list(lhs, data),
    spec = multilabel_spec,
    outcome = multilabel_outcome,
    settle = settle_multilabel,
    match = match_multilabel,
    says = function(spec) paste(length(spec$levels), "labels"),
    strata = function(outcome) rep(1L, nrow(outcome)),
    target = function(spec, outcome) list(values = 1L * as.matrix(outcome), levels = as.list(spec$levels)),
    types = c("class", "prob"),
    predict = multilabel_predictions,
    evaluate = multilabel_metrics
  )
}

# cbind(a, b) -> c("a", "b"); NULL for anything else
cbind_names <- function(lhs) {
  if (!rlang::is_call(lhs, "cbind")) {
    return(NULL)
  }
  args <- as.list(lhs)[-1]
  if (length(args) > 0 && all(vapply(args, is.symbol, NA))) vapply(args, as.character, "")
}

is_label_columns <- function(lhs, data) {
  names <- cbind_names(lhs)
  length(names) > 0 && all(vapply(data[names], is_yes_no, NA))
}

is_yes_no <- function(x) {
  is.logical(x) || (is.numeric(x) && all(x %in% c(0, 1, NA)) && !all(is.na(x)))
}

is_label_list <- function(lhs, data) {
  if (!is.symbol(lhs) || !is.list(data[[as.character(lhs)]])) {
    return(FALSE)
  }
  given <- Filter(Negate(is.null), data[[as.character(lhs)]])
  length(given) > 0 && all(vapply(given, function(x) is.character(x) || is.factor(x) || identical(x, NA), NA))
}

multilabel_spec <- function(lhs, data) {
  names <- cbind_names(lhs)
  if (is.null(names)) list(outcome = as.character(lhs), type = "list") else list(outcome = names, type = "columns")
}

multilabel_outcome <- function(spec, data, arg, call) {
  check_columns(spec$outcome, data, arg, call)
  if (spec$type == "list") {
    return(lapply(data[[spec$outcome]], function(x) if (is.factor(x)) as.character(x) else x))
  }
  bad <- spec$outcome[!vapply(data[spec$outcome], is_yes_no, NA)]
  if (length(bad) > 0) {
    abort("outcome", "{.arg {arg}} must have only 0 and 1, or TRUE and FALSE, in {.val {bad}}.", call = call)
  }
  as_tibble(lapply(data[spec$outcome], function(x) x == 1))
}

settle_multilabel <- function(spec, outcome, say, call) {
  spec$levels <- spec$outcome
  if (spec$type == "list") {
    spec$levels <- sort(unique(unlist(outcome)), method = "radix")
    if (length(spec$levels) == 0) {
      abort("one_class", "No complete row has a label, so there is nothing to learn.", call = call)
    }
  }
  outcome <- label_matrix(spec, outcome)
  rows <- colSums(outcome)
  constant <- spec$levels[rows == 0 | rows == nrow(outcome)]
  if (length(constant) > 0) {
    hint <- "Nothing tells when such a label is right and when it is wrong."
    cli::cli_warn(c("{length(constant)} label{?s} {?is/are} the same in all rows: {.val {shorten(constant)}}.",
      i = hint), class = "bertr_warning_single")
  }
  list(spec = spec, outcome = outcome)
}

match_multilabel <- function(spec, outcome, arg, call) {
  unknown <- if (spec$type == "list") setdiff(unlist(outcome), c(spec$levels, NA))
  if (length(unknown) > 0) {
    n <- length(unknown)
    abort("unknown_label", "{.arg {arg}} has {n} label{?s} not seen in training: {.val {shorten(unknown)}}.",
      "Remove them; the training labels are {.val {shorten(spec$levels)}}.", call = call)
  }
  label_matrix(spec, outcome)
}

# TRUE where a row has a label: tibble [rows, labels]
label_matrix <- function(spec, outcome) {
  if (spec$type == "columns") {
    return(outcome)
  }
  row <- rep(seq_along(outcome), lengths(outcome))
  has <- matrix(FALSE, length(outcome), length(spec$levels), dimnames = list(NULL, spec$levels))
  has[cbind(row, match(unlist(outcome), spec$levels))] <- TRUE
  as_tibble(has)
}

multilabel_predictions <- function(spec, result, rows, n, type) {
  if (type == "class" && spec$type == "list") {
    labels <- vector("list", n)
    labels[rows] <- lapply(seq_along(rows), function(k) spec$levels[result$chosen[k, ]])
    return(tibble(.pred_labels = labels))
  }
  values <- matrix(if (type == "prob") NA_real_ else NA, n, length(spec$levels))
  values[rows, ] <- if (type == "prob") result$prob else result$chosen
  columns <- stats::setNames(lapply(seq_along(spec$levels), function(k) values[, k]), paste0(".pred_", spec$levels))
  tibble::new_tibble(columns, nrow = n)
}
