# Regression: one numeric column, or several in cbind().
task_regression <- function() {
  new_task(
    expects = "one or several numeric columns",
    accepts = function(lhs, data) all_numeric(lhs, data),
    spec = function(lhs, data) list(outcome = outcome_names(lhs)),
    outcome = numeric_outcome,
    settle = settle_numeric,
    match = function(spec, outcome) outcome,
    says = function(spec) counted(length(spec$outcome), "outcome"),
    strata = function(outcome) rep(1L, nrow(outcome)),
    target = function(spec, outcome) list(values = as.matrix(outcome), outputs = as.list(spec$outcome)),
    types = "numeric",
    predict = numeric_predictions
  )
}

# `link` of bert_head(): numbers from 0 to 1 may be learned as probabilities.
with_link <- function(spec, link, call) {
  if (identical(link, "logit")) {
    if (spec$task != "regression") {
      abort("argument", "{.code link = \"logit\"} is only for regression, but the formula asks for {spec$task}.",
        "Classes and labels already have probabilities; {.code task = \"regression\"} treats 0 and 1 as numbers.",
        call = call)
    }
    spec$link <- link
  }
  spec
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
    x <- if (is.object(x) && !inherits(x, "integer64")) as.double(unclass(x)) else as.double(x)
    abort_rows("outcome", which(is.infinite(x)), "{column_label(name, arg)} is infinite",
      "Use a finite number, or NA if it is unknown.", call = call)
    outside <- if (identical(spec$link, "logit")) which(x < 0 | x > 1)
    abort_rows("outcome", outside,
      "{column_label(name, arg)} must be between 0 and 1 with {.code link = \"logit\"}, but is not",
      "Divide it by its largest possible value, or use the default link.", call = call)
    x
  })
  as_tibble(columns)
}

settle_numeric <- function(spec, outcome, say, call) {
  constant <- spec$outcome[vapply(outcome, function(x) all(x == x[[1]]), NA)]
  if (length(constant) > 0) {
    abort("one_value", "All complete rows have the same number in {.val {constant}}: there is nothing to learn.",
      call = call)
  }
  if (is.null(spec$link)) {
    say_kind(spec, outcome, say)
  }
  list(spec = spec, outcome = outcome)
}

# Reports that numbers are treated as numbers if they may be meant as something else.
say_kind <- function(spec, outcome, say) {
  name <- spec$outcome
  if (all(vapply(outcome, function(x) all(x >= 0 & x <= 1) && any(x != round(x)), NA))) {
    say("{.field {name}} {cli::qty(length(name))}{?contains/contain} fractions from 0 to 1, treated as unbounded
      numbers; {.code bert_head(link = \"logit\")} learns and predicts them as probabilities.")
  }
  values <- unique(outcome[[1]])
  few <- length(values) <= min(30, max(2, nrow(outcome) %/% 2)) # codes repeat, other numbers may not
  if (length(outcome) == 1 && few && all(values == round(values))) {
    found <- if (all(values %in% 0:1)) "only 0 and 1" else
      cli::format_inline("{length(values)} different whole numbers from {min(values)} to {max(values)}")
    code <- paste0("factor(", spec$lhs, ")")
    say("{.field {name}} contains {found}, treated as numbers; for classes, write {.code {code}} in the formula.")
  }
}

numeric_predictions <- function(spec, result, rows, n, type) {
  values <- matrix(NA_real_, n, length(spec$outcome))
  values[rows, ] <- result$values
  names <- if (length(spec$outcome) == 1) ".pred" else paste0(".pred_", spec$outcome)
  tibble::new_tibble(stats::setNames(lapply(seq_along(names), function(k) values[, k]), names), nrow = n)
}
