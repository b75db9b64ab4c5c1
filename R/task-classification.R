# Classification: one label per row, from a factor, character or logical column.
task_classification <- function() {
  new_task(
    expects = "a factor, character or logical column",
    accepts = function(lhs, data) is.symbol(lhs) && is_label(data[[as.character(lhs)]]),
    spec = label_spec,
    outcome = label_outcome,
    settle = settle_labels,
    labels = function(spec, outcome) list(label = as.character(outcome), row = seq_along(outcome)),
    match = match_labels,
    says = function(spec) counted(length(spec$levels), "class", "classes"),
    strata = as.integer,
    target = function(spec, outcome) {
      list(label_ids = to_ints(as.integer(outcome) - 1L), levels = as.list(levels(outcome)))
    },
    types = c("all", "class", "prob"),
    predict = label_predictions
  )
}

is_label <- function(x) {
  is.factor(x) || is.character(x) || is.logical(x)
}

label_spec <- function(lhs, data) {
  outcome <- as.character(lhs)
  list(outcome = outcome, type = class(data[[outcome]])[[1]])
}

# The labels as a factor: a factor keeps its level order; characters are sorted the same way in every locale.
label_outcome <- function(spec, data, arg, call) {
  check_columns(spec$outcome, data, arg, call)
  x <- data[[spec$outcome]]
  if (is.logical(x)) {
    return(factor(x, c(FALSE, TRUE)))
  }
  what <- function() column_label(spec$outcome, arg)
  if (spec$type == "logical" && is.numeric(x)) {
    abort("outcome", "{what()} must be logical, as in training, not {.obj_type_friendly {x}}.",
      "If 1 means TRUE, convert it with {.code as.logical({spec$outcome})}.", call = call)
  }
  levels <- if (is.factor(x)) levels(x)
  x <- check_text(x, what(), call)
  if (is.null(levels)) {
    levels <- sort(unique(x), method = "radix")
  }
  factor(x, check_text(levels[!is.na(levels)], what(), call), ordered = spec$type == "ordered")
}

settle_labels <- function(spec, outcome, say, call) {
  rows <- table(outcome)
  empty <- names(rows)[rows == 0]
  outcome <- droplevels(outcome)
  if (nlevels(outcome) < 2) {
    abort("one_class", "All complete rows have the same label, {.val {levels(outcome)}}; at least two classes are
      needed.",
      "Check the left-hand side of the formula, or add rows of another class.", call = call)
  }
  if (length(empty) > 0 && spec$type != "character") {
    say("Dropped {length(empty)} level{?s} without rows: {.val {shorten(empty)}}.")
  }
  single <- names(rows)[rows == 1]
  if (length(single) > 0) {
    hint <- "One example is usually too few to learn from, and it cannot be held out for validation."
    cli::cli_warn(c("{length(single)} class{?es} {?has/have} only one row: {.val {shorten(single)}}.", i = hint),
      class = "bertr_warning_single")
  }
  spec$levels <- levels(outcome)
  list(spec = spec, outcome = outcome)
}

match_labels <- function(spec, outcome) {
  labels <- as.character(outcome)
  factor(labels, all_levels(spec$levels, labels))
}

label_predictions <- function(spec, result, rows, n, type) {
  levels <- spec$levels
  prob <- matrix(NA_real_, n, length(levels))
  best <- rep(NA_integer_, n)
  if (length(rows) > 0) {
    prob[rows, ] <- result$prob
    best[rows] <- result$chosen + 1L
  }
  class <- factor(levels[best], levels, ordered = spec$type == "ordered")
  # a level called "class" would otherwise take the name of the class column
  names <- make.unique(c(".pred_class", paste0(".pred_", levels)), sep = "_")
  columns <- stats::setNames(c(list(class), lapply(seq_along(levels), function(k) prob[, k])), names)
  columns <- switch(type, all = columns, class = columns[1], prob = columns[-1])
  tibble::new_tibble(columns, nrow = n)
}
