#' Tokenize texts
#'
#' `bert_tokenize()` splits texts into the tokens of the model, exactly as the tokenizers of Hugging Face and Google do:
#' WordPiece for BERT and DistilBERT, byte-level BPE for RoBERTa, SentencePiece or unigram pieces for ALBERT, CamemBERT
#' and XLM-RoBERTa. `bert_detokenize()` joins tokens into texts, and `bert_count_tokens()` counts them.
#'
#' @inheritParams bert_texts
#' @param x For `bert_tokenize()` and `bert_count_tokens()` a character vector, or a data frame with the columns in
#'   `text`. For `bert_detokenize()` the result of `bert_tokenize()`, an integer vector of token ids (one text), a list
#'   of such vectors, or an integer matrix with one row per text.
#' @param max_len Maximum text length in tokens, including special tokens. Longer texts are truncated with a message.
#'   `NULL` (default) uses the model's.
#' @param verbose Report how many texts were truncated? `TRUE` by default.
#' @return `bert_tokenize()`: a list of class `bert_tokens` with three integer matrices with one row per text, padded to
#'   the longest: `token_ids` (starting at 0, as in the vocabulary), `segment_ids` (0 in the first text, 1 in the
#'   second) and `mask` (1 for tokens, 0 for padding). Rows are NA where a text is NA. `n_tokens` is the number of
#'   tokens before truncation.
#'
#'   `as_tibble()` converts it to one row per token with the integers `row` and `position` (both from 1), `token`
#'   (character), and the integers `token_id`, `segment`, `start` and `end`. The last two are the positions of the first
#'   and last character of the token in its text, so that `substr(text, start, end)` returns it; they are NA for special
#'   tokens. For a SentencePiece piece that is only the space before a word, they are the position of the word's first
#'   character.
#'
#'   `as.list()` gives the three matrices, which are the inputs of [bert_keras()].
#'
#'   `bert_detokenize()`: a character vector without special tokens; NA where the ids are all NA.
#'
#'   `bert_count_tokens()`: an integer vector that includes special tokens, before truncation; NA where a text is NA.
#' @source WordPiece as in <https://github.com/google-research/bert/blob/master/tokenization.py>.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' tokens <- bert_tokenize(model, c("Unbelievable!", "A caf\u00e9."))
#' tokens$token_ids
#' as_tibble(tokens)
#' bert_detokenize(model, tokens)
#' bert_count_tokens(model, "How many tokens?", pair = "Some.")
#' @export
bert_tokenize <- function(model, x, pair = NULL, text = NULL, max_len = NULL, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  check_max_len(max_len, model)
  check_flag(verbose, "verbose")
  texts <- read_texts(x, rlang::enquo(pair), rlang::enquo(text))
  rows <- which(texts$complete)
  result <- if (length(rows) > 0) py_texts("tokenize", model, take(texts, rows), to_int(max_len), call = call)
  if (!is.null(result)) {
    say_truncated(speaker(verbose), result$n_truncated, length(rows), result$max_len)
  }
  fields <- lapply(c(token_ids = "token_ids", segment_ids = "segment_ids", mask = "mask"),
    function(field) spread_rows(result[[field]], rows, length(texts$complete)))
  n_tokens <- rep(NA_integer_, length(texts$complete))
  n_tokens[rows] <- result$n_tokens
  rest <- list(n_tokens = n_tokens, texts = texts, max_len = max_len, model = model)
  structure(c(fields, rest), class = "bert_tokens")
}

py_texts <- function(name, model, texts, ..., call) {
  py_value(name, live(model, call), to_texts(texts$a), to_texts(texts$b), ..., call = call)
}

# Puts the rows of a matrix at positions `rows` of n rows; the others are NA
spread_rows <- function(values, rows, n) {
  out <- matrix(NA_integer_, n, if (is.null(values)) 0L else ncol(values))
  out[rows, ] <- values
  out
}

#' @rdname bert_tokenize
#' @export
bert_detokenize <- function(model, x) {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  ids <- token_lists(x, call)
  check_ids(ids, encoder_info(model)$config$vocab_size, call)
  out <- rep(NA_character_, length(ids))
  known <- which(lengths(ids) > 0)
  if (length(known) > 0) {
    ids <- ids[known]
    out[known] <- py_value("detokenize", live(model, call), to_ints(unlist(ids)), to_ints(lengths(ids)), call = call)
  }
  out
}

# Token ids as a list of integer vectors without NA and padding
token_lists <- function(x, call) {
  if (inherits(x, "bert_tokens")) {
    check_class(x, "bert_tokens", "x", call)
    x$token_ids[x$mask == 0L] <- NA
    x <- x$token_ids
  }
  rows <- if (is.matrix(x)) lapply(seq_len(nrow(x)), function(i) x[i, ]) else if (is.list(x)) x else list(x)
  if (is.null(x) || is.data.frame(x) || !all(vapply(rows, are_ids, NA))) {
    abort("argument", "{.arg x} must contain token ids (whole numbers), not {.obj_type_friendly {x}}.",
      call = call)
  }
  lapply(rows, function(ids) ids[!is.na(ids)])
}

# Numbers, or only NA
are_ids <- function(x) {
  is.numeric(x) || is.null(x) || (is.logical(x) && all(is.na(x)))
}

check_ids <- function(ids, vocab_size, call) {
  ids <- as.numeric(unlist(ids)) # an empty list has none
  bad <- ids[ids < 0 | ids >= vocab_size | ids != round(ids)]
  if (length(bad) > 0) {
    abort("argument", "{.arg x} has ids that are not whole numbers from 0 to {vocab_size - 1}: {some(unique(bad))}.",
      call = call)
  }
}

#' @rdname bert_tokenize
#' @export
bert_count_tokens <- function(model, x, pair = NULL, text = NULL) {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  texts <- read_texts(x, rlang::enquo(pair), rlang::enquo(text))
  out <- rep(NA_integer_, length(texts$complete))
  rows <- which(texts$complete)
  if (length(rows) > 0) {
    out[rows] <- py_texts("count_tokens", model, take(texts, rows), call = call)
  }
  out
}

#' @rdname bert_tokenize
#' @param ... Not used.
#' @export
as_tibble.bert_tokens <- function(x, ...) {
  call <- rlang::current_env()
  check_dots(...)
  check_class(x, "bert_tokens", "x")
  rows <- which(x$texts$complete)
  if (length(rows) == 0) {
    return(no_tokens())
  }
  out <- as_columns(py_texts("token_table", x$model, take(x$texts, rows), to_int(x$max_len), call = call))
  special <- out$end == 0L
  out$start[special] <- NA
  out$end[special] <- NA
  out$row <- rows[out$row]
  out[names(no_tokens())]
}

#' @rdname bert_tokenize
#' @param width For `as.list()`: number of columns, for a model of [bert_keras()] with a fixed `max_len`. `NULL`
#'   (default) does not pad further.
#' @export
as.list.bert_tokens <- function(x, width = NULL, ...) {
  check_dots(...)
  check_class(x, "bert_tokens", "x")
  had <- ncol(x$token_ids)
  if (is.null(width)) {
    width <- had
  }
  check_whole(width, "width", from = had)
  padding <- matrix(0L, nrow(x$token_ids), width - had)
  lapply(unclass(x)[c("token_ids", "segment_ids", "mask")], cbind, padding)
}

no_tokens <- function() {
  tibble(
    row = integer(), position = integer(), token = character(), token_id = integer(),
    segment = integer(), start = integer(), end = integer()
  )
}

#' @export
print.bert_tokens <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_tokens", "x")
  n <- nrow(x$token_ids)
  cat("<bert_tokens> ", counted(n, if (is.null(x$texts$b)) "text" else "pair"), ", ",
    counted(ncol(x$token_ids), "token"), " wide, ", counted(sum(x$mask, na.rm = TRUE), "token"),
    " without padding\n", sep = "")
  cat("$token_ids (from 0), $segment_ids, $mask: integer matrices; as_tibble() for one row per token\n")
  shown <- x$token_ids[seq_len(min(n, 5)), seq_len(min(ncol(x$token_ids), 12)), drop = FALSE]
  if (length(shown) > 0) {
    print(shown)
  }
  invisible(x)
}
