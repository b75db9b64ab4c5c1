# Finds heads and tails in the text where a triple has only their words.

# The data frames x[rows] with the positions of their heads and tails, found where they have the words but no positions
with_places <- function(x, rows, texts, what, refuse, call) {
  several <- list()
  for (side in c("head", "tail")) {
    places <- paste0(side, c("_start", "_end"))
    open <- which(vapply(x, function(d) side %in% names(d) && !any(places %in% names(d)), NA))
    words <- unlist(lapply(x[open], function(d) as.character(d[[side]])))
    if (length(words) == 0) {
      next
    }
    words <- check_text(words, paste("The", side, "in", within_sentence(what)), call)
    counts <- vapply(x[open], nrow, 0L)
    row <- rep(rows[open], counts)
    refuse(is.na(words) | !nzchar(words), "span", paste("{what} has a", side, "without words and without positions"),
      of = row)
    found <- lapply(Map(all_places, words, texts[row]), as.integer)
    absent <- lengths(found) == 0
    refuse(absent, "span", paste("{what} has a", side, "that does not occur in its text"),
      "The first one is {.val {shown}}; it must match exactly.", row, words[absent][1])
    again <- lengths(found) > 1
    several[[side]] <- list(row = row[again], words = words[again])
    start <- vapply(found, `[[`, 0L, 1L)
    of_frame <- split(seq_along(words), rep(seq_along(open), counts))
    x[open] <- Map(function(d, i) {
      d[places] <- list(start[i], start[i] + nchar(words[i]) - 1L)
      d
    }, x[open], of_frame)
  }
  warn_several(several, what)
  x
}

# Where the words begin in the text; if they occur as whole words, then only there: "he" is not in "the"
all_places <- function(words, text) {
  start <- gregexpr(words, text, fixed = TRUE)[[1]]
  if (start[[1]] < 0L) {
    return(integer())
  }
  end <- start + nchar(words)
  inside <- function(at) grepl("^[[:alnum:]]{2}$", substring(text, at - 1L, at)) # a word goes on from at - 1 to at
  whole <- !inside(start) & !inside(end)
  if (any(whole)) start[whole] else start
}

warn_several <- function(several, what) {
  row <- unlist(lapply(several, `[[`, "row"))
  words <- unlist(lapply(several, `[[`, "words"))
  n <- length(row)
  if (n > 0) {
    first <- which.min(row)
    cli::cli_warn(c("{what} has {n} head{?s} or tail{?s} without positions that {cli::qty(n)}{?occurs/occur} more than
      once in {cli::qty(n)}{?its text/their texts}, such as {.val {words[[first]]}} in row {row[[first]]}: the first
      place counts.",
      i = "Where another place is meant, give positions as {.code head_start}, {.code head_end}, {.code tail_start} and
        {.code tail_end}."), class = "bertr_warning_ambiguous")
  }
}
