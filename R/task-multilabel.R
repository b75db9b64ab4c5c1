# Multi-label: any number of labels per row, from cbind() of logical or 0-1 columns, or from a list-column of labels.
task_multilabel <- function() {
  new_task(
    expects = "several logical or 0-1 columns in cbind()",
    accepts = function(lhs, data) is_label_columns(lhs, data) || is_label_list(lhs, data),
    spec = multilabel_spec,
    outcome = multilabel_outcome,
    settle = settle_multilabel,
    labels = multilabel_labels,
    match = match_multilabel,
    says = function(spec) counted(length(spec$levels), "label"),
    strata = function(outcome) rep(1L, nrow(outcome)),
    target = function(spec, outcome) list(values = 1L * as.matrix(outcome), levels = as.list(names(outcome))),
    types = c("class", "prob"),
    predict = multilabel_predictions
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

# Contains labels and no data frames; the rest is checked later
is_label_list <- function(lhs, data) {
  x <- if (is.symbol(lhs)) data[[as.character(lhs)]]
  is.list(x) && any(vapply(x, is_labels, NA)) && !any(vapply(x, is.data.frame, NA))
}

is_labels <- function(x) {
  is.character(x) || is.factor(x)
}

multilabel_spec <- function(lhs, data) {
  names <- cbind_names(lhs)
  if (is.null(names)) list(outcome = as.character(lhs), type = "list") else list(outcome = names, type = "columns")
}

multilabel_outcome <- function(spec, data, arg, call) {
  check_columns(spec$outcome, data, arg, call)
  if (spec$type == "list") {
    return(label_sets(data[[spec$outcome]], column_label(spec$outcome, arg), call))
  }
  as_tibble(lapply(stats::setNames(nm = spec$outcome), function(name) {
    x <- data[[name]]
    bad <- if (is.logical(x)) integer() else which(!x %in% c(0, 1, NA))
    abort_rows("outcome", bad, "{column_label(name, arg)} must be 0, 1, TRUE or FALSE, but is not",
      "It says whether a row has this label.", call = call)
    x == 1
  }))
}

# A list-column of labels as one of character vectors, NULL where missing
label_sets <- function(x, what, call) {
  if (!is.list(x)) {
    abort("outcome", "{what} must be a list of character vectors, not {.obj_type_friendly {x}}.", call = call)
  }
  bad <- which(!is_missing(x) & !vapply(x, is_labels, NA))
  abort_rows("outcome", bad, "{what} contains something other than labels",
    "Every row must be a character vector; use {.code character()} for a row without labels.", call = call)
  out <- lapply(x, function(row) if (is_labels(row)) mark_utf8(as.character(row)) else row)
  invalid <- which(!vapply(out, function(row) all(validUTF8(as.character(row))), NA))
  abort_rows("encoding", invalid, "{what} has a label that is not valid UTF-8", call = call)
  labels <- unique(unlist(out))
  tags <- grep("^[BI]-.", labels, value = TRUE)
  if (length(tags) > 0 && "O" %in% labels) {
    abort("tags", "{what} has tags of words such as {.val {tags[[1]]}} and {.val O}, not labels of whole texts.",
      "Turn words and tags into entities with {.fn bert_entities}, or read the file with {.fn read_conll}.",
      call = call)
  }
  out
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
    hint <- "A label that never varies cannot be learned."
    cli::cli_warn(c("{length(constant)} label{?s} {?has/have} the same value in all rows: {.val {shorten(constant)}}.",
      i = hint), class = "bertr_warning_single")
  }
  list(spec = spec, outcome = outcome)
}

# Columns have only training labels; a list may contain others
multilabel_labels <- function(spec, outcome) {
  if (spec$type == "list") list(label = unlist(outcome), row = rep(seq_along(outcome), lengths(outcome)))
}

match_multilabel <- function(spec, outcome) {
  spec$levels <- all_levels(spec$levels, multilabel_labels(spec, outcome)$label)
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
