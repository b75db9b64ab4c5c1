# The tasks that a formula can specify, tried in order; each has one file. A task is a list of
#   expects   what its left-hand side is, in words
#   accepts   function(lhs, data): does the task accept this left-hand side?
#   spec      function(lhs, data): what to store about the outcome
#   outcome   function(spec, data, arg, call): the outcome of every row: a vector, a list-column (NULL or NA where
#             missing) or a data frame of columns
#   settle    function(spec, outcome, say, call): checks training outcomes and completes the spec with them
#   labels    function(spec, outcome): list(label, row), every label of new data and its position in the outcome;
#             omitted if labels are not learned
#   match     function(spec, outcome): the outcomes of other data in the form of the training ones; unseen
#             labels come last
#   says      function(spec): the outcome in words, such as "3 classes"
#   strata    function(outcome): strata of a validation split
#   target    function(spec, outcome): the target for the bridge, with unseen labels as the last ones
#   truth     function(spec, rows): the same of all rows that are evaluated (see rows.R), where more or less is needed
#             for metrics; optional
#   chunk     number of texts per chunk when scoring, if outputs are large; optional
#   types     values of bert_predict(type = ); the first one is the default
#   predict   function(spec, result, rows, n, type): tibble of n rows from the bridge's result for `rows`
#   instead   without `predict`: the function to use for what the task has learned
# The metrics of a task are computed in Python (`metric_table()` of the task).
new_task <- function(...) {
  task <- list(...)
  for (field in names(task_fields)) {
    check_task_field(task[[field]], field, task_fields[[field]])
  }
  unknown <- setdiff(names(task), c(names(task_fields), "chunk", "types", "instead"))
  if (length(unknown) > 0) {
    abort("task", "A task has no field {.field {unknown}}.")
  }
  if (is.null(task$predict) == is.null(task$instead)) {
    abort("task", "A task must have either {.field predict} or {.field instead}.")
  }
  task
}

# The fields that are functions, or text, with the number of their arguments
task_fields <- list(expects = NA, accepts = 2, spec = 2, outcome = 4, settle = 4, labels = 2, match = 2, says = 1,
  strata = 1, target = 2, truth = 2, predict = 5)

check_task_field <- function(value, field, arguments) {
  optional <- field %in% c("labels", "truth", "predict")
  right <- if (is.na(arguments)) rlang::is_string(value) else takes(value, arguments)
  if (!right && !(optional && is.null(value))) {
    what <- if (is.na(arguments)) "one string" else cli::format_inline("a function of {arguments} argument{?s}")
    abort("task", "{.field {field}} of a task must be {what}.")
  }
}

# Can this function be called with n arguments?
takes <- function(f, n) {
  if (!is.function(f)) {
    return(FALSE)
  }
  arguments <- formals(args(f))
  "..." %in% names(arguments) || length(arguments) == n
}

tasks <- function() {
  list(
    classification = task_classification(), multilabel = task_multilabel(), regression = task_regression(),
    entities = task_entities(), span = task_span(), relations = task_relations(), mlm = task_mlm()
  )
}

find_task <- function(lhs, data, task, call) {
  candidates <- tasks()
  if (!is.null(task)) {
    check_choice(task, names(candidates), "task", call)
    candidates <- candidates[task]
  }
  for (name in names(candidates)) {
    if (candidates[[name]]$accepts(lhs, data)) {
      return(name)
    }
  }
  expects <- vapply(candidates, function(x) x$expects, "")
  if (is.null(lhs)) {
    abort("outcome", "The formula has no left-hand side, but it must be {.or {expects}}.", call = call)
  }
  got <- if (is.symbol(lhs)) data[[as.character(lhs)]] else lhs
  label <- rlang::as_label(lhs)
  abort("outcome", "The left-hand side {.code {label}} is {.obj_type_friendly {got}}, but must be {.or {expects}}.",
    call = call)
}

task_of <- function(spec) {
  tasks()[[spec$task]]
}

# Labels of new data that were not seen in training: list(what, labels, rows), or NULL
unknown_labels <- function(spec, rows) {
  task <- task_of(spec)
  if (is.null(task$labels)) {
    return(NULL)
  }
  found <- task$labels(spec, rows$outcome)
  new <- !found$label %in% spec$levels
  if (any(new)) {
    list(what = if (spec$task == "relations") "relation" else "label", labels = unique(found$label[new]),
      rows = unique(rows$row[found$row[new]]))
  }
}

# Validation data must not have labels that are not in the training data.
refuse_unknown <- function(spec, rows, arg, call) {
  new <- unknown_labels(spec, rows)
  if (!is.null(new)) {
    abort_rows("unknown_label", new$rows, "{.arg {arg}} has {length(new$labels)}
      {new$what}{cli::qty(length(new$labels))}{?s} not seen in training, {.val {shorten(new$labels)}},",
      "Remove {cli::qty(length(new$labels))}{?it/them}; the training {new$what}s are {.val {shorten(spec$levels)}}.",
      call = call)
  }
}

# Says how rows with unseen labels count: as "wrong", "unscored" (wrong, but without a log loss), as "other" classes, or
# "excluded".
say_unknown <- function(spec, rows, say, how) {
  new <- unknown_labels(spec, rows)
  if (is.null(new)) {
    return(invisible())
  }
  n <- length(new$labels)
  counted <- switch(how, other = "counted as rows of other classes", excluded = "left out, without a probability",
    "counted as wrong")
  unscored <- how == "unscored" && spec$task %in% c("classification", "multilabel")
  say(c("{.arg new_data} has {n} {new$what}{cli::qty(n)}{?s} not seen in training,
    {.val {shorten(new$labels)}}, in {length(new$rows)} row{?s}: {counted}.",
    i = if (unscored) "{.field mn_log_loss} and {.field ece} exclude {cli::qty(n)}{?it/them}: {?it has/they have} no
      probability."))
}

# The training levels, followed by the additional ones of new data
all_levels <- function(levels, labels) {
  c(levels, sort(setdiff(as.character(labels), levels), method = "radix"))
}
