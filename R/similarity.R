# A matrix of more than this many similarities (400 MB) is refused
most_similarities <- 5e7

#' Similarity of texts
#'
#' Cosine similarity between the vectors of texts, either for all pairs as a matrix, or with `top` for the most similar
#' texts of each. The latter are found block by block, so that 100,000 texts can be compared with 100,000 others.
#'
#' @param model A model from [bert_load()], or a fit from [bert_fit()] to use its fine-tuned encoder. Not used, and may
#'   be `NULL`, if `x` and `y` are matrices.
#' @param x A character vector, a data frame with the column in `text`, or a numeric matrix with one vector per row, as
#'   returned by [bert_embed()]. Use a matrix to encode texts only once that are compared repeatedly.
#' @param y The same, for the texts to compare with. There can be any number of them. They are not pairs: each one is
#'   encoded separately from `x`. `NULL` (default) compares `x` with itself.
#' @param text For data frames: the column of texts in `x` and in `y`, see [bert_texts]. If their names differ, pass one
#'   of them as a vector.
#' @param top `NULL` (default) for all pairs, or the number of most similar texts of `y` to find for each of `x`.
#'   Without `y` a text is not its own match, but another one with the same words is.
#' @param pool,layer,combine,max_len How texts become vectors, as for [bert_embed()]; `pool` must not be `"none"`.
#' @param verbose Show a progress bar and messages? `TRUE` by default; the bar appears only in the console.
#' @return Without `top` a numeric matrix of values from -1 to 1 with one row for each of `x` and one column for each of
#'   `y`. Its dimnames are their names (row names for matrices), if any. NA where a text, or a value of a vector, is NA.
#'
#'   With `top` a tibble with the same number of rows for each of `x`, in order: `top`, or fewer if `y` is shorter. Its
#'   columns are `row` (position in `x`), `rank` (1 for the most similar), `match` (position in `y`), `text` (that text,
#'   or the row name of that vector) and `similarity`. Ties are in order of position. `match`, `text` and `similarity`
#'   are NA where a text of `x` is NA. Texts of `y` that are NA are never matches.
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
#' # encode once, search many times
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
    options <- vector_options(model, pools, pool, layer, combine, max_len, verbose)
  }
  check_widths(sides, model, options)
  if (is.null(top)) {
    all_pairs(model, sides, options, verbose, call)
  } else {
    most_similar(model, sides, top, options, verbose, call)
  }
}

# One side: texts or values, which of them are complete, names for the dimnames, and values for the column `text`
compared <- function(x, arg, text, call) {
  if (is.matrix(x) && is.numeric(x)) {
    names <- as.vector(rownames(x)) # row names may have names
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

# The vectors of the complete rows of each side, in Python: blocks of vectors, and the row numbers (from 0) of the side.
# Duplicate texts are encoded once.
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
  options$kept <- py_call("new_vectors", call = call)
  rows <- list(a = texts, b = NULL, complete = rep(TRUE, length(texts)))
  py_chunks("keep_vectors", model, rows, options, verbose, call, function(result, rows, chunk) NULL)
  options$kept
}
