# Checks triples, and converts them between columns and rows.
triple_columns <- c("head_start", "head_end", "relation", "tail_start", "tail_end")
triple_places <- setdiff(triple_columns, "relation")

# The triples of the data frames x[rows], in columns with their `row`. Errors name the rows.
check_triples <- function(x, rows, texts, what, call) {
  refuse <- function(bad, code, problem, hint = NULL, of = rows, shown = NULL) {
    abort_rows(code, unique(of[bad]), problem, hint, call = call, envir = environment())
  }
  refuse(!vapply(x[rows], is.data.frame, NA), "shape", "{what} does not contain a data frame")
  rows <- rows[vapply(x[rows], nrow, 0L) > 0]
  x <- x[rows]
  x <- with_places(x, rows, texts, what, refuse, call)
  lacks <- unique(unlist(lapply(x, function(d) setdiff(triple_columns, names(d)))))
  refuse(vapply(x, function(d) any(lacks %in% setdiff(triple_columns, names(d))), NA), "shape",
    "The data frames of {within_sentence(what)} are missing {.val {lacks}}",
    "Give the positions, or the words themselves in the columns {.val head} and {.val tail}.")
  numbers <- function(d) all(vapply(as.list(d)[triple_places], is.numeric, NA))
  refuse(!vapply(x, numbers, NA), "shape", "{what} has positions that are not numbers")

  flat <- lapply(stats::setNames(nm = triple_places), function(name) as.double(unlist(lapply(x, `[[`, name))))
  flat$relation <- as.character(unlist(lapply(x, function(d) as.character(d$relation))))
  flat$row <- rep(rows, vapply(x, nrow, 0L))
  refuse(is.na(flat$relation), "relation", "{what} has a relation that is NA", "Remove such triples.", flat$row)
  check_spans(x, flat, texts, what, refuse)
  flat$relation <- check_text(flat$relation, paste("The relation in", within_sentence(what)), call)
  flat[triple_places] <- lapply(flat[triple_places], as.integer)
  flat[c("row", triple_columns)]
}

check_spans <- function(x, flat, texts, what, refuse) {
  text <- texts[flat$row]
  last <- nchar(text)
  for (side in c("head", "tail")) {
    start <- flat[[paste0(side, "_start")]]
    end <- flat[[paste0(side, "_end")]]
    refuse(is.na(start) | is.na(end) | start != round(start) | end != round(end), "span",
      paste("{what} has", side, "positions that are not whole numbers"), of = flat$row)
    refuse(start < 1 | end < start | end > last, "span", paste("{what} has a", side, "that is outside its text"),
      "Positions count characters from 1 and include both ends.", flat$row)
    said <- unlist(lapply(x, function(d) if (is.null(d[[side]])) rep(NA, nrow(d)) else as.character(d[[side]])))
    there <- substring(text, start, end)
    wrong <- which(!is.na(said) & mark_utf8(as.character(said)) != there)
    refuse(wrong, "span", paste("{what} has a", side, "that does not match the text at its positions"),
      "The first one is {.val {shown[[1]]}}, but the text there is {.val {shown[[2]]}}.", flat$row,
      c(said[wrong][1], there[wrong][1]))
  }
}

# The triples of a list of tibbles in columns, with the position of their `text` in the list
bind_triples <- function(outcome) {
  counts <- vapply(outcome, nrow, 0L)
  columns <- stats::setNames(nm = triple_columns)
  flat <- lapply(columns, function(name) unlist(lapply(outcome, `[[`, name)))
  c(list(text = rep(seq_along(outcome), counts)), flat)
}
