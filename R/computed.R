# Outcomes computed by a formula, as in factor(label) ~ text or cbind(bad = score < 2, long) ~ text. Each becomes a
# column of the data, named by its expression, so that the rest of the code only sees columns. The expressions are
# stored in the fit object but not written to its folder, so that loading a folder never loads code.

# Returns list(formula, expressions, columns, env): `formula` with names in place of `expressions`, a list with these
# names; `columns` are the columns of `data` that they use, `env` contains everything else they need.
find_computed <- function(formula, data, call) {
  if (!rlang::is_formula(formula)) {
    return(list(formula = formula))
  }
  lhs <- rlang::f_lhs(formula)
  several <- rlang::is_call(lhs, "cbind") || (rlang::is_call(lhs, "span") && is.null(names(lhs)))
  parts <- if (several) as.list(lhs)[-1] else list(lhs)
  given <- rlang::names2(parts)
  computed <- vapply(parts, is.call, NA) | nzchar(given)
  if (!any(computed) || rlang::is_call(lhs, "span") && !several) {
    return(list(formula = formula))
  }
  names <- ifelse(nzchar(given), given, vapply(parts, formula_label, ""))
  expressions <- stats::setNames(parts, names)[computed]
  columns <- lapply(expressions, function(expr) intersect(names_used(expr), names(data)))
  check_uses(expressions[lengths(columns) == 0], data, environment(formula), call)
  columns <- unique(unlist(columns))
  parts[computed] <- lapply(names[computed], as.symbol)
  rlang::f_lhs(formula) <- if (several) as.call(c(lhs[[1]], unname(parts))) else parts[[1]]
  list(formula = formula, expressions = expressions, columns = columns,
    env = needed(expressions, columns, environment(formula)))
}

# The variables of an expression; for data$label only `data`
names_used <- function(expr) {
  if (is.symbol(expr)) {
    return(as.character(expr))
  }
  if (!is.call(expr) || rlang::is_call(expr, c("::", ":::"))) {
    return(character())
  }
  parts <- as.list(expr)[-1]
  unique(unlist(lapply(if (rlang::is_call(expr, c("$", "@"))) parts[1] else parts, names_used)))
}

# Without a column, new data would get the outcome of the training data
check_uses <- function(expressions, data, env, call) {
  if (length(expressions) > 0) {
    shown <- names(expressions)[[1]]
    nowhere <- function(name) is.null(get0(name, env)) || is.function(get0(name, env))
    check_columns(Filter(nowhere, names_used(expressions[[1]])), data, call = call)
    abort("formula", "The left-hand side {.code {shown}} uses no column of {.arg data}.",
      "Use bare column names, as in {.code label ~ text}, not {.code data$label ~ text}.", call = call)
  }
}

# An environment with only the objects that the expressions need, apart from columns and packages. saveRDS() would write
# the user's whole environment.
needed <- function(expressions, columns, env) {
  out <- new.env(parent = globalenv())
  attached <- parent.env(globalenv())
  for (name in setdiff(unlist(lapply(expressions, all.names)), columns)) {
    value <- get0(name, env)
    if (!is.null(value) && !identical(value, get0(name, attached))) {
      assign(name, value, out)
    }
  }
  out
}

# `data` with the computed outcomes as columns
add_computed <- function(computed, data, arg, call) {
  if (length(computed$expressions) == 0) {
    return(data)
  }
  check_data(data, arg, call)
  check_columns(computed$columns, data, arg, call)
  columns <- as.list(data)
  values <- lapply(computed$expressions, function(expr) compute(expr, columns, computed$env, nrow(data), arg, call))
  columns[names(values)] <- values
  tibble::new_tibble(columns, nrow = nrow(data))
}

compute <- function(expr, columns, env, n, arg, call) {
  shown <- formula_label(expr)
  value <- tryCatch(eval(expr, columns, env), error = identity)
  if (inherits(value, "error")) {
    why <- first_line(conditionMessage(value))
    abort("outcome", "{.code {shown}} could not be evaluated in {.arg {arg}}: {why}.",
      "Compute it as a column first and check the result.", call = call)
  }
  if (NCOL(value) != 1 || is.data.frame(value)) {
    abort("outcome", "{.code {shown}} has {NCOL(value)} columns, but an outcome must be a single column.",
      "Add them to the data first and name them in {.code cbind()}.", call = call)
  }
  if (NROW(value) != n) {
    abort("outcome", "{.code {shown}} returns {NROW(value)} value{?s}, but {.arg {arg}} has {n} row{?s}.", call = call)
  }
  if (is.matrix(value)) value[, 1] else value
}

# Adds the outcomes of a fit to new data as columns
outcome_columns <- function(fit, data, arg, call) {
  if (!is.null(fit$computed)) {
    return(add_computed(fit$computed, data, arg, call))
  }
  missing <- setdiff(fit$spec$computed, names(data))
  if (is.data.frame(data) && length(missing) > 0) {
    name <- missing[[1]]
    abort("column", "{.arg {arg}} has no column {.val {name}}, and a fit from a folder has no code to compute it.",
      "Add the column first, as in {.code {arg}[[\"{name}\"]] <- ...}.", call = call)
  }
  data
}
