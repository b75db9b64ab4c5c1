# Returns a text column as character, with every non-missing value in valid UTF-8. Invalid bytes can crash R when they
# are passed to Python, so they are refused here.
check_text <- function(x, arg, call = caller_env()) {
  if (is.factor(x) || (is.logical(x) && all(is.na(x)))) { # a column of only NA is logical
    x <- as.character(x)
  }
  if (!is.character(x) || NCOL(x) != 1) {
    abort("text", "{arg} must be text, not {.obj_type_friendly {x}}.", text_hint(x), call = call)
  }
  odd <- odd_texts(x)
  abort_rows("encoding", odd$bad, "{arg} is not valid UTF-8",
    "If the text is Latin-1, convert it with {.code iconv(x, \"latin1\", \"UTF-8\")}.", call = call)
  if (length(odd$latin1) + length(odd$unmarked) > 0) {
    x <- mark_utf8(x, odd$latin1)
  }
  as.vector(x) # unchanged input is returned as is, which avoids copying a large vector
}

# Texts as UTF-8 that is marked as such: R cannot sort what is not, and in the C locale converts it to "<c3><a9>"
mark_utf8 <- function(x, latin1 = which(Encoding(x) == "latin1")) {
  if (length(latin1) > 0) {
    x[latin1] <- enc2utf8(x[latin1])
  }
  Encoding(x) <- "UTF-8"
  x
}

# Hint on how to convert `x` to text: a template for check_text()
text_hint <- function(x) {
  if (is_lazy(x) || inherits(x, "rsplit")) {
    rows_hint(x)
  } else if (is.data.frame(x)) {
    "Use one of its columns, {.or {.val {shorten(names(x))}}}."
  } else if (is.list(x)) {
    "Turn each element into one text, as in {.code vapply(x, paste, \"\", collapse = \" \")}."
  } else if (is.character(x)) {
    "Use one of its columns, or paste them together."
  } else if (is.atomic(x) && !is.null(x)) {
    "Convert it with {.fn as.character} if its values are texts."
  }
}

# Which texts are invalid UTF-8, which are marked as Latin-1, and which are unmarked UTF-8. Works in chunks and collects
# garbage between them: otherwise the temporary objects would take as much memory as the texts.
odd_texts <- function(x) {
  n <- length(x)
  size <- 5 * chunk_size
  pieces <- lapply(chunk_starts(n, size), function(start) {
    if (start > 1) gc(full = FALSE)
    chunk <- chunk_from(start, n, size)
    part <- x[chunk]
    mark <- Encoding(part)
    latin1 <- mark == "latin1"
    list(
      latin1 = chunk[latin1],
      bad = chunk[mark == "bytes" | !(latin1 | validUTF8(part))],
      unmarked = chunk[mark == "unknown" & Encoding(`Encoding<-`(part, "UTF-8")) == "UTF-8"]
    )
  })
  do.call(Map, c(f = c, pieces))
}
