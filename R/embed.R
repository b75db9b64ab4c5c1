#' Turn texts into vectors
#'
#' @inheritParams bert_texts
#' @param pool How to combine the vectors of a text's tokens: `"mean"`, `"cls"` (the first token), `"max"`, `"pooler"`
#'   (BERT's dense layer on the first token), or `"none"` to return all of them. `NULL` (default) follows the
#'   checkpoint's folder, as sentence-transformers does: its pooling, which may combine several kinds, and, if `layer`
#'   is `NULL` too, the dense layers and normalization that follow. If the folder specifies nothing, as for plain BERT
#'   models, the pooler is used, or `"cls"` if there is none; `"mean"` is usually better for comparing texts.
#' @param layer Which layer's output to use: a whole number from 0 (the embeddings) to the number of layers, or several
#'   of them to combine. `NULL` (default): the last. Layers above the highest one are not computed.
#' @param combine How to combine several layers: `"mean"` (default) averages them, `"concatenate"` joins them in the
#'   order of `layer`.
#' @param normalise Scale every vector to length 1, so that dot products are cosine similarities? `NULL` (default) does
#'   so if `pool` and `layer` are `NULL` and the model's folder says so, as for the default model.
#' @param prompt The name of a prompt from the model's folder to put before each text, for example `"query"` for search
#'   models. `summary(model)` lists them. `NULL` (default) uses the folder's default prompt, if any.
#' @param max_len Maximum text length in tokens. Longer texts are truncated with a message. `NULL` (default) uses the
#'   model's.
#' @param verbose Show a progress bar and messages? `TRUE` by default; the bar appears only in the console.
#' @return A numeric matrix with one row per text, in order. It has `hidden_size` columns, times the number of
#'   concatenated layers or poolings, or the width of the folder's last dense layer; their names are `d001`, `d002` and
#'   so on. Rows are NA where a text is NA. With `pool = "none"` a list with one matrix per text, with one row per token
#'   including special tokens; `NULL` where a text is NA.
#' @section Precision:
#' On CPUs all is float32. On TPUs and on NVIDIA GPUs of compute capability 8.0 or more the encoder's layers compute in
#' bfloat16: with the default model and 200 English sentences, the numbers in vectors of length 1 then differ from those
#' of float32 by at most 0.003 (0.0004 on average), and cosines of two texts by at most 0.005, measured on a CPU.
#' `options(bertr.precision = "float32")` computes in float32 everywhere (see [bertr][bertr-package]); GPUs may still
#' multiply with fewer digits than CPUs (TF32).
#' @seealso [bert_similarity()] compares texts without a matrix of all pairs; [bert_attention()].
#' @source Reimers and Gurevych (2019), Sentence-BERT, \doi{10.18653/v1/D19-1410}; layers and how they are
#'   combined: Devlin et al. (2019), section 5.3, \doi{10.18653/v1/N19-1423}.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' texts <- c("A man is eating food.", "Somebody has lunch.", "The stock market fell.")
#' vectors <- bert_embed(model, texts)
#' dim(vectors)
#' round(vectors %*% t(vectors), 2)
#'
#' # pairs: two vectors, or two columns of a data frame
#' dim(bert_embed(model, texts, rev(texts)))
#' dim(bert_embed(model, data.frame(a = texts, b = rev(texts)), c(a, b)))
#'
#' # the last four layers side by side
#' dim(bert_embed(model, texts, layer = 3:6, combine = "concatenate"))
#' @export
bert_embed <- function(model, x, pair = NULL, text = NULL, pool = NULL, layer = NULL,
                       combine = c("mean", "concatenate"), normalise = NULL, prompt = NULL, max_len = NULL,
                       verbose = TRUE) {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  options <- embed_options(model, c(pools, "none"), pool, layer, combine, normalise, prompt, max_len, verbose)
  texts <- read_texts(x, rlang::enquo(pair), rlang::enquo(text))
  n <- length(texts$complete)
  tokens <- identical(pool, "none")
  names <- vector_names(vector_width(encoder_info(model), options))
  out <- if (tokens) vector("list", n) else matrix(NA_real_, n, length(names), dimnames = list(NULL, names))
  py_chunks("embed", model, texts, options, verbose, call, function(result, rows, chunk) {
    if (tokens) {
      out[chunk[rows]] <<- token_vectors(result, names)
    } else if (length(rows) > 0) {
      out[chunk[rows], ] <<- result$values
    }
  })
  out
}

embed_options <- function(model, pools, pool, layer, combine, normalise, prompt, max_len, verbose,
                          call = caller_env()) {
  options <- vector_options(model, pools, pool, layer, combine, max_len, verbose, call)
  if (!is.null(normalise)) {
    check_flag(normalise, "normalise", call)
  }
  if (!is.null(prompt)) {
    check_string(prompt, "prompt", call)
  }
  c(options, list(normalise = normalise, prompt = if (!is.null(prompt)) mark_utf8(prompt)))
}

# Checks the options of text vectors and converts them for the bridge
vector_options <- function(model, pools, pool, layer, combine, max_len, verbose, call = caller_env()) {
  if (!is.null(pool)) {
    check_choice(pool, pools, "pool", call)
  }
  check_numbers(layer, "layer", 0, encoder_info(model)$config$num_layers, call)
  settings <- checked_settings(list(combine = combine), vector_settings(), call)
  check_max_len(max_len, model, call)
  check_flag(verbose, "verbose", call)
  c(list(pool = pool, layer = if (!is.null(layer)) to_ints(layer), max_len = to_int(max_len)), settings)
}

vector_width <- function(info, options) {
  if (is.null(options$pool) && is.null(options$layer)) {
    return(info$width)
  }
  n <- if (is.null(options$pool)) length(strsplit(info$pooling, "+", fixed = TRUE)[[1]]) else 1L
  info$config$hidden_size * n * if (options$combine == "concatenate") max(1L, length(options$layer)) else 1L
}

# As d001, so that sorted names are in order
vector_names <- function(width) {
  paste0("d", formatC(seq_len(width), width = nchar(width), flag = "0"))
}

# One matrix per text
token_vectors <- function(result, names) {
  ends <- cumsum(result$n_tokens)
  values <- result$values
  colnames(values) <- names
  lapply(seq_along(ends), function(i) {
    values[seq.int(to = ends[[i]], length.out = result$n_tokens[[i]]), , drop = FALSE]
  })
}
