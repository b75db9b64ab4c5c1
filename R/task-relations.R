# Relations: the triples (head, relation, tail) of a text, from a list-column of data frames with one row a triple.
task_relations <- function() {
  new_task(
    expects = "a list-column of data frames (head_start, head_end, relation, tail_start, tail_end)",
    accepts = function(lhs, data) is.symbol(lhs) && holds_triples(data[[as.character(lhs)]]),
    spec = function(lhs, data) list(outcome = as.character(lhs)),
    outcome = triple_outcome,
    settle = settle_triples,
    labels = function(spec, outcome) stats::setNames(bind_triples(outcome)[c("relation", "text")], c("label", "row")),
    match = function(spec, outcome) outcome,
    says = function(spec) counted(length(spec$levels), "kind"),
    strata = triple_strata,
    target = triple_target,
    types = "all",
    chunk = 1000, # Python returns several hundred numbers per token
    predict = triple_predictions
  )
}

holds_triples <- function(x) {
  is.list(x) && !is.data.frame(x) && any(vapply(x, function(row) is.data.frame(row) && "relation" %in% names(row), NA))
}

# One checked tibble per row, with the columns `triple_columns`.
triple_outcome <- function(spec, data, arg, call) {
  if (length(spec$text) > 1) {
    abort("pairs", "Relations are read from one text column, but the formula names {length(spec$text)}.",
      "Paste the texts together and count positions in the result.", call = call)
  }
  check_columns(spec$outcome, data, arg, call)
  texts <- text_columns(spec$text, data, arg, call)$a
  x <- data[[spec$outcome]]
  what <- function() column_label(spec$outcome, arg)
  if (!is.list(x) || is.data.frame(x)) {
    abort("outcome", "{what()} must be a list of data frames, not {.obj_type_friendly {x}}.", call = call)
  }
  missing <- is_missing(x)
  flat <- check_triples(x, which(!missing & !is.na(texts)), texts, what(), call)
  out <- split_tibbles(flat[triple_columns], flat$row, length(x))
  out[missing] <- list(NULL)
  out
}

settle_triples <- function(spec, outcome, say, call) {
  spec$levels <- sort(unique(bind_triples(outcome)$relation), method = "radix")
  if (length(spec$levels) == 0) {
    abort("no_relations", "No row has a relation, so there is nothing to learn.", call = call)
  }
  list(spec = spec, outcome = outcome)
}

# Rows are stratified by their first relation.
triple_strata <- function(outcome) {
  first <- vapply(outcome, function(x) c(x$relation, "")[[1]], "")
  match(first, unique(first))
}

triple_target <- function(spec, outcome) {
  flat <- bind_triples(outcome)
  levels <- all_levels(spec$levels, flat$relation)
  list(
    text = to_ints(flat$text - 1L), relation = to_ints(match(flat$relation, levels) - 1L),
    head_start = to_ints(flat$head_start - 1), head_end = to_ints(flat$head_end),
    tail_start = to_ints(flat$tail_start - 1), tail_end = to_ints(flat$tail_end), levels = as.list(levels)
  )
}

triple_predictions <- function(spec, result, rows, n, type) {
  out <- vector("list", n)
  if (length(rows) > 0) {
    columns <- list(
      head = as_chr(result$head), head_start = result$head_start, head_end = result$head_end,
      relation = spec$levels[result$relation + 1L],
      tail = as_chr(result$tail), tail_start = result$tail_start, tail_end = result$tail_end, score = result$score
    )
    out[rows] <- split_tibbles(columns, rep(seq_along(result$count), result$count), length(rows))
  }
  tibble::new_tibble(list(.pred_relations = out), nrow = n)
}
