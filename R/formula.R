# Converts `label ~ text` or `~ text` and a data frame to a spec: the task, the outcome and the text columns.
read_formula <- function(formula, data, task = NULL, call = caller_env()) {
  if (!rlang::is_formula(formula)) {
    abort("formula", "{.arg formula} must be a formula, not {.obj_type_friendly {formula}}.",
      "For example {.code label ~ text}.", call = call)
  }
  lhs <- rlang::f_lhs(formula)
  text <- formula_text(formula, data, call = call)
  check_columns(all.vars(lhs), data, call = call)
  both <- intersect(all.vars(lhs), text)
  if (length(both) > 0) {
    abort("formula", "{.val {both[[1]]}} is on both sides of the formula, so the outcome would be among the texts.",
      "The right-hand side names only the texts to predict from.", call = call)
  }
  twice <- anyDuplicated(cbind_names(lhs))
  if (twice > 0) {
    abort("formula", "The left-hand side names {.val {cbind_names(lhs)[[twice]]}} more than once.", call = call)
  }
  task <- find_task(lhs, data, task, call)
  c(list(task = task, text = text, lhs = formula_label(lhs)), tasks()[[task]]$spec(lhs, data))
}

# `label ~ .` with the only column of texts that the left-hand side does not use in place of the dot
without_dot <- function(formula, data, call) {
  if (!rlang::is_formula(formula) || !identical(rlang::f_rhs(formula), quote(.))) {
    return(formula)
  }
  others <- setdiff(names(data), c(all.vars(rlang::f_lhs(formula)), ""))
  texts <- Filter(function(name) is.character(data[[name]]) || is.factor(data[[name]]), others)
  if (length(texts) != 1) {
    found <- if (length(texts) == 0) "no other column of texts" else
      cli::format_inline("{length(texts)} others: {.val {shorten(texts, 10)}}")
    example <- paste(formula_label(rlang::f_lhs(formula)), "~", formula_label(as.symbol(c(texts, "text")[[1]])))
    abort("formula", "{.code .} on the right-hand side means the only other column of texts, but {.arg data} has
      {found}.", "Name the column, as in {.code {example}}.", call = call)
  }
  rlang::f_rhs(formula) <- as.symbol(texts)
  formula
}

# The left-hand side as R code; "" if there is none
formula_label <- function(lhs) {
  if (is.null(lhs)) "" else paste(trimws(deparse(lhs, 500L, backtick = TRUE)), collapse = " ")
}

# The text columns on the right-hand side: one, or two for pairs.
formula_text <- function(formula, data, arg = "data", call = caller_env()) {
  rhs <- rlang::f_rhs(formula)
  text <- plus_names(rhs)
  if (is.null(text)) {
    shown <- rlang::as_label(rhs)
    hint <- if (is.call(rhs) && !rlang::is_call(rhs, c("+", "-", "*", ":", "/", "^", "|", "("))) {
      "Add it to the data first, as in {.code data$text <- {shown}}. New data then needs only that column."
    } else {
      "Use column names, as in {.code label ~ text} or {.code label ~ question + answer}."
    }
    abort("formula", "The right-hand side must be one text column, or two joined by {.code +}, not {.code {shown}}.",
      hint, call = call)
  }
  if (length(text) > 2) {
    abort("formula", "The right-hand side names {length(text)} text columns, but BERT reads one or two.",
      "Paste them into one column first, as in {.code data$text <- paste(data$title, data$body)}.", call = call)
  }
  check_columns(text, data, arg, call)
  if (anyDuplicated(text)) {
    abort("formula", "The right-hand side names {.val {text[[1]]}} twice.", "A pair needs two different columns.",
      call = call)
  }
  text
}

# a + b -> c("a", "b"); NULL for anything but column names and plus signs (`.` is not a column name)
plus_names <- function(expr) {
  if (is.symbol(expr)) {
    name <- as.character(expr)
    return(if (name != ".") name)
  }
  if (!rlang::is_call(expr, "+", n = 2)) {
    return(NULL)
  }
  left <- plus_names(expr[[2]])
  right <- plus_names(expr[[3]])
  if (!is.null(left) && !is.null(right)) c(left, right)
}

# The texts of `data` named by `text`: list(a, b, complete); b is NULL for single texts.
text_columns <- function(text, data, arg = "data", call = caller_env()) {
  check_columns(text, data, arg, call)
  columns <- lapply(text, function(name) check_text(data[[name]], column_label(name, arg), call))
  complete <- Reduce(`&`, lapply(columns, Negate(is.na)))
  list(a = columns[[1]], b = if (length(text) == 2) columns[[2]], complete = complete)
}

column_label <- function(name, arg) {
  cli::format_inline("Column {.val {name}} of {.arg {arg}}")
}

# The same label inside a sentence
within_sentence <- function(label) {
  sub("^C", "c", label)
}

# Subset of a text_columns() result
take <- function(texts, rows) {
  list(a = texts$a[rows], b = if (!is.null(texts$b)) texts$b[rows])
}
