# A matrix of more than this many similarities (400 MB) is refused
most_similarities <- 5e7

#' How similar texts are
#'
#' The cosine similarity of the vectors of texts: of all pairs as a matrix, or with `top` of each text's most
#' similar ones only, which are found a block at a time, so that 100,000 texts can be compared with
#' 100,000 others.
#'
#' @param model A model from [bert_load()], or a fit from [bert_fit()] for its fine-tuned encoder. Not used,
#'   and may be `NULL`, where `x` and `y` are matrices.
#' @param x A character vector, a data frame whose column `text` names, or a numeric matrix with one vector a row, as
#'   [bert_embed()] gives it: so texts that are compared again and again are turned into vectors once.
#' @param y The same, for what to compare with: any number of them, each by itself, and so no `pair`, which would be
#'   read together with `x`. `NULL` (default) compares `x` with itself.
#' @param text Of data frames: the column of texts in `x` and in `y`, see [bert_texts]. Where their names differ, give
#'   one of both as a vector.
#' @param top `NULL` (default) for all pairs, or how many of the most similar ones of `y` to find for each of
#'   `x`. Without `y` a text is not its own match, but another one with the same words is.
#' @param pool,layer,combine,max_len How texts become vectors, as for [bert_embed()]; `pool` is not `"none"`.
#' @param verbose Show a progress bar and remarks? `TRUE` by default; no bar outside the console.
#' @return Without `top` a numeric matrix of values from -1 to 1 with one row for each of `x` and one column
#'   for each of `y`; its dimnames are their names (of matrices the row names), if any. NA where a text, or a
#'   value of a vector, is NA.
#'
#'   With `top` a tibble with the same number of rows for each of `x`, in order: `top` of them, or as many as
#'   `y` has to offer. Its columns are `row` (place in `x`), `rank` (from 1, the most similar), `match` (place in
#'   `y`), `text` (that text, or the row name of that vector) and `similarity`. Equally similar ones come
#'   in their order. `match`, `text` and `similarity` are NA where a text of `x` is NA; those that are NA in `y`
#'   are no match.
#' @seealso [bert_embed()]
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' questions <- c("Where is my card?", "How do I top up?", "My card has not come yet.", NA)
#' round(bert_similarity(model, questions), 2)
#'
#' # the best answer to each question
#' answers <- c("Cards arrive within a week.", "Top up by bank transfer or with another card.")
#' bert_similarity(model, questions, answers, top = 1)
#'
#' # vectors once, for many searches
#' vectors <- bert_embed(model, answers)
#' rownames(vectors) <- answers
#' bert_similarity(model, "Can I pay in from my bank?", vectors, top = 1)
#' @export
bert_similarity <- function(model, x, y = NULL, text = NULL, top = NULL, pool = NULL, layer = NULL,
                            combine = c("mean", "concatenate"), max_len = NULL, verbose = TRUE) {
  call <- rlang::current_env()
  text <- rlang::enquo(text)
  if (!is.data.frame(x) && !is.data.frame(y)) {
    check_no_columns(text, x, call = call)
  }
  sides <- list(x = compared(x, "x", text, call))
  sides$y <- if (!is.null(y)) compared(y, "y", text, call)
  last <- sides[[length(sides)]]
  if (is.null(top)) {
    check_similarities(length(sides$x$complete), length(last$complete))
  } else {
    check_whole(top, "top")
  }
  check_flag(verbose, "verbose")
  options <- NULL
  if (!is.null(model) || !all(vapply(sides, function(side) is.null(side$texts), NA))) {
    check_class(model, c("bert_model", "bert_fit"), "model")
    options <- vector_options(encoder_info(model), c("mean", "cls", "max", "pooler"), pool, layer, combine, max_len,
      verbose)
  }
  check_widths(sides, model, options)
  if (is.null(top)) {
    all_pairs(model, sides, options, verbose, call)
  } else {
    most_similar(model, sides, top, options, verbose, call)
  }
}

# One side: texts or values, which are complete, names for the dimnames, and what `text` shows
compared <- function(x, arg, text, call) {
  if (is.matrix(x) && is.numeric(x)) {
    names <- as.vector(rownames(x)) # they may have names themselves
    side <- list(values = x, complete = is.finite(rowSums(x)), names = names, shown = names)
  } else {
    frame <- is.data.frame(x)
    texts <- if (frame) frame_texts(x, text, 1, arg, call) else text_vector(x, NULL, arg, call)
    side <- list(texts = texts$a, complete = texts$complete, names = if (!frame) names(x), shown = texts$a)
  }
  if (length(x) == 0 || length(side$complete) == 0) {
    abort("no_texts", "{.arg {arg}} is empty: there is nothing to compare.", call = call)
  }
  side
}

check_similarities <- function(n_x, n_y, call = caller_env()) {
  cells <- as.numeric(n_x) * n_y
  if (cells > most_similarities) {
    size <- format(round(8 * cells / 1e9, 1))
    abort("too_large", "A matrix of {n_x} by {n_y} similarities would take {size} GB.",
      "Ask only for the most similar texts, for example with {.code top = 10}.", call = call)
  }
}

# Both sides need vectors of the same width
check_widths <- function(sides, model, options, call = caller_env()) {
  widths <- vapply(sides, function(side) {
    if (is.null(side$texts)) ncol(side$values) else vector_width(encoder_info(model), options)
  }, 1L)
  if (length(unique(widths)) > 1) {
    abort("width", "The vectors of {.arg x} have length {widths[['x']]}, but those of {.arg y} have length
      {widths[['y']]}.", "Compute both with the same model and layers.", call = call)
  }
}

all_pairs <- function(model, sides, options, verbose, call) {
  rows <- sides$x
  columns <- sides[[length(sides)]]
  out <- matrix(NA_real_, length(rows$complete), length(columns$complete))
  if (any(rows$complete) && any(columns$complete)) {
    kept <- kept_vectors(model, sides, options, verbose, call)
    values <- py_value("cosines", kept$x$blocks, kept$x$rows, kept$y$blocks, kept$y$rows, call = call)
    out[rows$complete, columns$complete] <- values
  }
  names <- list(rows$names, columns$names)
  if (any(lengths(names) > 0)) {
    dimnames(out) <- names
  }
  out
}

most_similar <- function(model, sides, top, options, verbose, call) {
  itself <- is.null(sides$y)
  rows <- which(sides$x$complete)
  offered <- which(sides[[length(sides)]]$complete)
  found <- min(top, length(offered) - itself)
  n <- length(sides$x$complete)
  width <- max(found, 1)
  match <- matrix(NA_integer_, width, n)
  similarity <- matrix(NA_real_, width, n)
  if (length(rows) > 0 && found > 0) {
    kept <- kept_vectors(model, sides, options, verbose, call)
    reporter <- progress(verbose)
    on.exit(reporter$close())
    result <- py_value("nearest", kept$x$blocks, kept$x$rows, kept$y$blocks, kept$y$rows, to_int(found),
      on_event = reporter$event, call = call)
    match[, rows] <- offered[result$place + 1L]
    similarity[, rows] <- result$similarity
  }
  match <- as.vector(match)
  shown <- sides[[length(sides)]]$shown
  tibble(
    row = rep(seq_len(n), each = width), rank = rep(seq_len(width), n), match = match,
    text = if (is.null(shown)) NA_character_ else shown[match], similarity = as.vector(similarity)
  )
}

# The vectors of the complete rows of each side, in Python: blocks of them, and which of their rows (from 0) the
# side's are. A text that comes more than once is encoded once.
kept_vectors <- function(model, sides, options, verbose, call) {
  texts <- unique(unlist(lapply(sides, function(side) side$texts[side$complete])))
  encoded <- if (length(texts) > 0) encode_kept(model, texts, options, verbose, call)
  lapply(sides, function(side) {
    if (is.null(side$texts)) {
      values <- if (all(side$complete)) side$values else side$values[side$complete, , drop = FALSE]
      list(blocks = py_call("as_vectors", values, call = call), rows = to_ints(seq_len(nrow(values)) - 1L))
    } else {
      list(blocks = encoded, rows = to_ints(match(side$texts[side$complete], texts) - 1L))
    }
  })
}

encode_kept <- function(model, texts, options, verbose, call) {
  info <- encoder_info(model)
  options$kept <- py_call("new_vectors", call = call)
  rows <- list(a = texts, b = NULL, complete = rep(TRUE, length(texts)))
  n_truncated <- py_chunks("keep_vectors", model, rows, options, verbose, call, function(result, rows, chunk) NULL)
  limit <- if (is.null(options$max_len)) info$max_len else options$max_len
  say_truncated(speaker(verbose), n_truncated, length(texts), limit)
  options$kept
}
