# The answers of every row as tibble(answer, start, end, context, answers): characters from 1, the end inclusive; 0 for
# no answer (""), NA where a text is missing. `answers` contains all correct answers; the first one is `answer`.
span_outcome <- function(spec, data, arg, call) {
  check_columns(c(spec$answer, spec$start), data, arg, call)
  texts <- lapply(c(spec$answer, context_column(spec)), function(name) {
    check_text(data[[name]], column_label(name, arg), call)
  })
  answer <- texts[[1]]
  context <- texts[[2]]
  start <- given_starts(spec, data, arg, call)
  missing <- is.na(answer) | is.na(context)
  rows <- which(!missing & nzchar(answer))
  start[missing] <- NA_integer_
  start[!missing & !nzchar(answer)] <- 0L
  check_blank(answer, rows, spec, arg, call)
  given <- rows[!is.na(start[rows])]
  check_starts(answer[given], start[given], context[given], given, arg, call)
  open <- setdiff(rows, given)
  start[open] <- find_answers(answer[open], context[open], open, spec, arg, call)
  end <- start + pmax(nchar(answer), 1L) - 1L
  end[which(start == 0L)] <- 0L
  tibble(answer = answer, start = start, end = end, context = context, answers = all_answers(data, answer))
}

# The column that contains the answers: the last text
context_column <- function(spec) {
  spec$text[[length(spec$text)]]
}

# The starts of the data as integers, NA where there are none
given_starts <- function(spec, data, arg, call) {
  start <- if (length(spec$start) > 0) data[[spec$start]] else NA
  if (!is.numeric(start) && !all(is.na(start))) {
    abort("outcome", "{column_label(spec$start, arg)} must contain whole numbers, not {.obj_type_friendly {start}}.",
      "It says at which character of the context each answer starts, counted from 1.", call = call)
  }
  start <- rep_len(as.double(start), nrow(data))
  broken <- which(!is.na(start) & (start != round(start) | abs(start) > .Machine$integer.max))
  abort_rows("outcome", broken, "{column_label(spec$start, arg)} must contain whole numbers, but does not",
    call = call)
  as.integer(start)
}

check_blank <- function(answer, rows, spec, arg, call) {
  blank <- rows[!grepl("[^[:space:]]", answer[rows])]
  abort_rows("outcome", blank, "{column_label(spec$answer, arg)} contains only white space",
    "Use an empty string if there is no answer, and NA if it is unknown.", call = call)
}

# `rows` are the positions in the data, for messages
check_starts <- function(answer, start, context, rows, arg, call) {
  hint <- "Starts count characters from 1: add 1 to starts that count from 0, as in SQuAD's files."
  outside <- rows[start < 1L | start > nchar(context)]
  abort_rows("outcome", outside, "The start is outside the context", hint, " of {.arg {arg}}", call)
  wrong <- rows[substr(context, start, start + nchar(answer) - 1L) != answer]
  abort_rows("outcome", wrong, "The answer does not match the text at its start", hint, " of {.arg {arg}}", call)
}

# Finds the start of each answer from its text
find_answers <- function(answer, context, rows, spec, arg, call) {
  found <- find_each(answer, context)
  absent <- rows[found < 0L]
  abort_rows("outcome", absent, "The answer does not occur in its context",
    "It must match exactly; use an empty answer if there is none.", " of {.arg {arg}}", call)
  again <- rows[find_each(answer, substring(context, found + 1L)) > 0L]
  how <- if (length(spec$start) > 0) "Fill in column {.val {spec$start}} there." else
    "Give the column of starts, as in {.code span({spec$answer}, start)}."
  abort_rows("outcome", again, "The answer occurs more than once in its context", how, " of {.arg {arg}}", call)
  found
}

find_each <- function(what, text) {
  as.integer(unlist(mapply(regexpr, what, text, MoreArgs = list(fixed = TRUE), USE.NAMES = FALSE)))
}

# All correct answers of every row: the answer itself and those in the list-column `answers`, if it has the format of
# read_squad(). A column of that name that is not in the formula may also be something else.
all_answers <- function(data, answer) {
  others <- if (sum(names(data) == "answers") == 1) data[["answers"]]
  texts <- if (is_texts_list(others)) tryCatch(check_text(as.character(unlist(others)), ""), bertr_error = identity)
  if (!is.character(texts)) {
    return(as.list(answer))
  }
  others <- split(texts, factor(rep(seq_along(others), lengths(others)), seq_along(others)))
  unname(Map(function(first, others) unique(c(first, others[!is.na(others)])), answer, others))
}

is_texts_list <- function(x) {
  is.list(x) && !is.data.frame(x) && all(vapply(x, function(texts) is.null(texts) || is.character(texts), NA))
}
