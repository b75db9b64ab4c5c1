# Span: the stretch of a context that answers a question, `span(answer, start) ~ question + context`. The context is the
# last text column; an empty answer means that there is none. The checks of the answers are in task-span-rows.R.
task_span <- function() {
  new_task(
    expects = "span(answer, start)",
    accepts = function(lhs, data) rlang::is_call(lhs, "span"),
    spec = span_spec,
    outcome = span_outcome,
    settle = settle_spans,
    match = function(spec, outcome) outcome,
    says = function(spec) "answers",
    strata = function(outcome) 1L + (outcome$start == 0L),
    target = span_target,
    truth = function(spec, rows) span_answers(rows$outcome),
    types = c("all", "nbest"),
    predict = span_predictions
  )
}

span_spec <- function(lhs, data) {
  columns <- as.list(lhs)[-1]
  if (!length(columns) %in% 1:2 || !is.null(names(columns)) || !all(vapply(columns, is.symbol, NA))) {
    shown <- rlang::as_label(lhs)
    abort("formula", "{.code span()} takes the column of answers and the column of their starts, not {.code {shown}}.",
      "For example {.code span(answer, start) ~ question + context}, or {.code span(answer)} without starts.",
      call = NULL)
  }
  columns <- vapply(columns, as.character, "")
  list(answer = columns[[1]], start = columns[-1])
}

settle_spans <- function(spec, outcome, say, call) {
  if (all(outcome$start == 0L)) {
    abort("one_class", "No complete row has an answer: column {.val {spec$answer}} is empty in every row.",
      "Answers are texts that occur in column {.val {context_column(spec)}}.", call = call)
  }
  list(spec = spec, outcome = outcome)
}

# Characters from 0, the end exclusive; -1 and 0 for no answer
span_target <- function(spec, outcome) {
  c(span_answers(outcome), list(end = to_ints(outcome$end), contexts = to_texts(outcome$context)))
}

# What predicted answers are compared with
span_answers <- function(outcome) {
  list(start = to_ints(outcome$start - 1L), golds = to_texts(unlist(outcome$answers)),
    gold_counts = to_ints(lengths(outcome$answers)))
}

span_predictions <- function(spec, result, rows, n, type) {
  if (type == "nbest") {
    column <- vector("list", n)
    column[rows] <- span_tibbles(result, length(rows))
    return(tibble::new_tibble(list(.pred_nbest = column), nrow = n))
  }
  columns <- list(.pred_text = rep(NA_character_, n), .pred_start = rep(NA_integer_, n),
    .pred_end = rep(NA_integer_, n), .pred_score = rep(NA_real_, n))
  if (length(rows) > 0) {
    columns$.pred_text[rows] <- as_chr(result$text)
    columns$.pred_start[rows] <- zero_as_na(result$start)
    columns$.pred_end[rows] <- zero_as_na(result$end)
    columns$.pred_score[rows] <- result$score
  }
  tibble::new_tibble(columns, nrow = n)
}

zero_as_na <- function(x) {
  x[x == 0L] <- NA
  x
}

# The best spans of `n` texts: a list of tibbles
span_tibbles <- function(result, n) {
  columns <- list(text = as_chr(result$nbest_text), start = as.integer(result$nbest_start),
    end = as.integer(result$nbest_end), score = as.double(result$nbest_score))
  split_tibbles(columns, as_int(result$nbest_row), n)
}
