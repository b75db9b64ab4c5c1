# The tasks a formula can ask for, tried in order; each is one file. A task is a list of
#   expects   what its left-hand side is, in words
#   accepts   function(lhs, data): is this left-hand side for me?
#   spec      function(lhs, data): what must be remembered of the outcome
#   outcome   function(spec, data, arg, call): the outcome of every row: a vector, a list-column (NULL or NA where
#             missing) or a data frame of columns
#   settle    function(spec, outcome, say, call): checks training outcomes and completes the spec with them
#   match     function(spec, outcome, rows, arg, call): the outcomes of `rows` of other data in the form of the
#             training ones
#   says      function(spec): the outcome in words, such as "3 classes"
#   strata    function(outcome): groups that a validation split keeps in proportion
#   target    function(spec, outcome): what the bridge gets
#   chunk     texts of which outputs are held at once when scoring, where they are large; may be left out
#   types     what bert_predict(type = ) can be, the first being the default
#   predict   function(spec, result, rows, n, type): tibble of n rows from the bridge's result for `rows`; NULL
#             where there is nothing to predict
#   instead   without `predict`: the function to use for what the task has learnt
#   judge     the bridge's function whose results `evaluate` takes, if it is not "predict"
#   evaluate  function(spec, truth, results): tibble .metric, .estimator, .estimate from the bridge's results, a
#             list of one a chunk
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
  got <- if (is.symbol(lhs)) data[[as.character(lhs)]] else lhs
  label <- rlang::as_label(lhs)
  abort("outcome", "The left-hand side {.code {label}} is {.obj_type_friendly {got}}, but must be {.or {expects}}.",
    call = call)
}

task_of <- function(spec) {
  tasks()[[spec$task]]
}

# Other data's labels, each of a row, must be among those learnt.
check_known <- function(labels, rows, levels, arg, call, what = "label") {
  new <- !labels %in% c(levels, NA)
  if (any(new)) {
    labels <- unique(labels[new])
    rows <- unique(rows[new])
    abort("unknown_label", "{.arg {arg}} has {length(labels)} {what}{cli::qty(length(labels))}{?s} not seen in training,
      {.val {shorten(labels)}}, in {cli::qty(length(rows))}row{?s} {some(rows)}.",
      "Remove {cli::qty(length(labels))}{?it/them}; the training {what}s are {.val {shorten(levels)}}.", call = call)
  }
}
