# Regression: one numeric column, or several in cbind().
task_regression <- function() {
  list(
    expects = "one or several numeric columns",
    accepts = function(lhs, data) all_numeric(lhs, data),
    spec = function(lhs, data) list(outcome = outcome_names(lhs)),
    outcome = numeric_outcome,
    settle = settle_numeric,
    match = function(spec, outcome) outcome,
    says = function(spec) paste(length(spec$outcome), if (length(spec$outcome) == 1) "number" else "numbers"),
    strata = function(outcome) rep(1L, nrow(outcome)),
    target = function(spec, outcome) list(values = as.matrix(outcome), outputs = as.list(spec$outcome)),
    types = "numeric",
    predict = numeric_predictions,
    evaluate = numeric_metrics
  )
}

outcome_names <- function(lhs) {
  if (is.symbol(lhs)) as.character(lhs) else cbind_names(lhs)
}

all_numeric <- function(lhs, data) {
  names <- outcome_names(lhs)
  length(names) > 0 && all(vapply(data[names], is.numeric, NA))
}

numeric_outcome <- function(spec, data, arg, call) {
  check_columns(spec$outcome, data, arg, call)
  columns <- lapply(stats::setNames(nm = spec$outcome), function(name) {
    x <- data[[name]]
    if (!is.numeric(x)) {
      abort("outcome", "{column_label(name, arg)} must be numbers, not {.obj_type_friendly {x}}.", call = call)
    }
    bad <- which(is.infinite(x))
    if (length(bad) > 0) {
      abort("outcome", "{column_label(name, arg)} is infinite in {cli::qty(length(bad))}row{?s} {some(bad)}.",
        "Make it a finite number, or NA where it is not known.", call = call)
    }
    as.double(x)
  })
  as_tibble(columns)
}

settle_numeric <- function(spec, outcome, say, call) {
  constant <- spec$outcome[vapply(outcome, function(x) all(x == x[[1]]), NA)]
  if (length(constant) > 0) {
    abort("one_value", "All complete rows have the same number in {.val {constant}}: there is nothing to learn.",
      call = call)
  }
  if (length(spec$outcome) == 1 && all(outcome[[1]] %in% c(0, 1))) {
    say("{.field {spec$outcome}} holds 0 and 1 only, taken as numbers; for two classes make it a factor.")
  }
  list(spec = spec, outcome = outcome)
}

numeric_predictions <- function(spec, result, rows, n, type) {
  values <- matrix(NA_real_, n, length(spec$outcome))
  values[rows, ] <- result$values
  names <- if (length(spec$outcome) == 1) ".pred" else paste0(".pred_", spec$outcome)
  tibble::new_tibble(stats::setNames(lapply(seq_along(names), function(k) values[, k]), names), nrow = n)
}
