# Task models of the Hugging Face hub as fits: the encoder came with a trained head. `info$train` is then "elsewhere".

is_from_elsewhere <- function(info) {
  identical(info$train, "elsewhere")
}

# The formula of each task if none is given
hub_formulas <- list(
  classification = label ~ text, multilabel = labels ~ text, regression = score ~ text, entities = entities ~ text,
  span = span(answer, start) ~ question + context
)

hub_fit <- function(py, formula, options, call) {
  info <- py_value("describe_fit", py)
  spec <- hub_spec(info$task, as_chr(info$levels), as_chr(info$outputs), formula, call)
  saved_fit(py, spec, py_value("describe", py)$folder, options, call)
}

# The spec of a fit whose training data is unknown: its formula is read with made-up data. `levels` are its labels,
# `outputs` the names of its numbers.
hub_spec <- function(task, levels, outputs, formula, call) {
  if (is.null(formula)) {
    formula <- hub_formulas[[task]]
    if (length(outputs) > 1) {
      rlang::f_lhs(formula) <- as.call(c(quote(cbind), lapply(outputs, as.symbol)))
    }
  }
  spec <- read_formula(formula, made_up(formula, task), task, call)
  if (task == "entities") {
    check_one_column(spec, call)
  }
  if (length(levels) > 0) {
    spec$levels <- levels
  }
  columns <- if (task == "regression") outputs else if (identical(spec$type, "columns")) levels
  if (!is.null(columns)) {
    spec$outcome <- named_outputs(spec$outcome, columns, call)
  }
  spec
}

# The columns of several outputs have their names; that of a single number may have any
named_outputs <- function(outcome, outputs, call) {
  if (length(outcome) == 1 && length(outputs) == 1) {
    return(outcome)
  }
  if (!setequal(outcome, outputs)) {
    abort("formula", "The left-hand side of {.arg formula} names {.val {shorten(outcome)}}, but the head predicts
      {.val {shorten(outputs)}}.", "The argument {.arg labels} gives its outputs other names.", call = call)
  }
  outputs
}

# A row of data with the columns of a formula, each as the task needs it
made_up <- function(formula, task) {
  lhs <- rlang::f_lhs(formula)
  outcome <- switch(task,
    classification = "", regression = 0, entities = list(data.frame(start = 1, end = 1, label = "")), span = "",
    multilabel = if (rlang::is_call(lhs, "cbind")) TRUE else list("")
  )
  columns <- c(stats::setNames(rep(list(outcome), length(all.vars(lhs))), all.vars(lhs)),
    stats::setNames(nm = as.list(setdiff(all.vars(rlang::f_rhs(formula)), all.vars(lhs)))))
  tibble::new_tibble(columns, nrow = 1L)
}

check_head <- function(head, labels, formula, no_answer, call = caller_env()) {
  check_flag(head, "head", call)
  check_flag(no_answer, "no_answer", call)
  if (!is.null(labels)) {
    check_labels(labels, call)
  }
  if (!is.null(formula) && !rlang::is_formula(formula, lhs = TRUE)) {
    got <- if (rlang::is_formula(formula)) "one without an outcome" else
      cli::format_inline("{.obj_type_friendly {formula}}")
    abort("formula", "{.arg formula} must be a formula of an outcome and texts, not {got}.",
      "For example {.code sentiment ~ review}.", call = call)
  }
}

check_labels <- function(labels, call) {
  if (!is.character(labels) || length(labels) == 0 || anyNA(labels) || !all(nzchar(labels))) {
    abort("argument",
      "{.arg labels} must be names, one for each output of the head, not {.obj_type_friendly {labels}}.",
      "For example {.code c(\"negative\", \"positive\")}.", call = call)
  }
  twice <- labels[duplicated(labels)]
  if (length(twice) > 0) {
    abort("argument", "{.arg labels} has {.val {twice[[1]]}} more than once.", call = call)
  }
  check_text(labels, cli::format_inline("{.arg labels}"), call)
}

# A model has no outcome
check_unused_formula <- function(formula, call) {
  if (!is.null(formula)) {
    abort("argument", "{.arg formula} is for heads from the Hugging Face hub, but this model has none.",
      "Leave it out.", call = call)
  }
}

print_hub_fit <- function(fit) {
  info <- fit$info
  cat("<bert_fit> ", task_label(fit$spec), "\n",
    "  fine-tuned elsewhere: ", fit$base$name, ", ", info$architecture, ", up to ", info$max_len, " tokens\n", sep = "")
  print_classes(fit$spec)
  print_calibration(fit)
}
