#' Settings of the training that seldom change
#'
#' The defaults are those of the BERT paper.
#'
#' @param warmup Share of the steps over which the learning rate rises from 0 to its full value,
#'   before it falls linearly to 0 again. A number from 0 to 1, by default 0.1.
#' @param weight_decay Decoupled weight decay of AdamW, not applied to biases and layer
#'   normalisation. A number of at least 0, by default 0.01.
#' @param clip Largest norm of the whole gradient; larger ones are scaled down to it. A number above 0,
#'   by default 1.
#' @param dropout Dropout in the encoder, from 0 to below 1. `NULL` (default) takes the checkpoint's
#'   own (0.1 for BERT).
#' @param long What becomes of texts longer than `max_len`: `"truncate"` (default) cuts their end off, `"head_tail"`
#'   keeps a quarter of the room from the beginning and the rest from the end, `"window"` reads
#'   all of it in overlapping windows that are joined to one vector (see `windows` of [bert_head()]). Of
#'   a pair the second text is cut. Entities, spans and relations always read texts in windows.
#' @param serialize Keep the trained weights inside the fit (default `TRUE`), so that `saveRDS()`
#'   and other R sessions can use it? With `FALSE` the fit is small and lives only in its session,
#'   unless it is kept with [bert_save()].
#' @return A list of class `bert_control` for the `control` argument of [bert_fit()].
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}; Loshchilov and Hutter (2019),
#'   Decoupled Weight Decay Regularization, <https://arxiv.org/abs/1711.05101>; for long texts Sun et al. (2019),
#'   <https://arxiv.org/abs/1905.05583>, and Pappagari et al. (2019), <https://arxiv.org/abs/1910.10781>.
#' @examples
#' bert_control(warmup = 0.2, dropout = 0)
#' @export
bert_control <- function(warmup = 0.1, weight_decay = 0.01, clip = 1, dropout = NULL,
                         long = c("truncate", "head_tail", "window"), serialize = TRUE) {
  long <- first_choice(long, c("truncate", "head_tail", "window"), "long")
  check_number(warmup, "warmup", 0, 1)
  check_number(weight_decay, "weight_decay", 0)
  check_number(clip, "clip", 0, open = TRUE)
  check_dropout(dropout)
  check_flag(serialize, "serialize")
  structure(
    list(warmup = warmup, weight_decay = weight_decay, clip = clip, dropout = dropout, long = long,
      serialize = serialize),
    class = "bert_control"
  )
}

#' The layers on top of the encoder
#'
#' @param units Sizes of the dense layers (ReLU) between the encoder and the output layer, as whole
#'   numbers: `c(256, 256)` for two. By default none.
#' @param dropout Dropout before each of these layers and the output, from 0 to below 1. `NULL`
#'   (default) takes the encoder's, 0.1 for BERT.
#' @param pool How a text becomes one vector: `"cls"` (the first token), `"mean"` (of all tokens),
#'   `"max"` or `"pooler"` (BERT's dense layer on the first token, as it was pre-trained). `NULL`
#'   (default) takes what the checkpoint recommends, which printing the model shows.
#' @param pair How a task of pairs reads its two texts: `"joint"` (default), one after the other; `"cosine"`, each by
#'   itself, and the outcome is read off the cosine of their vectors (regression only): the form for text
#'   similarity, which starts from what the encoder already knows.
#' @param windows How the windows of a long text (`bert_control(long = "window")`) become one vector: their `"mean"`
#'   (default), `"max"`, or `"attention"`, a mean with learned weights.
#' @param crf For entities: score whole sequences of labels by a linear-chain CRF instead of each token by itself?
#'   `FALSE` by default.
#' @param relations How relations are found: `"gplinker"` (default), all in one pass, or `"subject_first"`, first the
#'   heads and then for each the relations and tails. The second one only adds up what it knows of head and
#'   tail, so it is not for texts where the tail of a triple is often the head of another.
#' @return A list of class `bert_head` for the `head` argument of [bert_fit()].
#' @examples
#' bert_head(units = c(256, 256), dropout = 0.5, pool = "mean")
#' @export
bert_head <- function(units = integer(), dropout = NULL, pool = NULL, pair = c("joint", "cosine"),
                      windows = c("mean", "max", "attention"), crf = FALSE,
                      relations = c("gplinker", "subject_first")) {
  if (!is.numeric(units) || anyNA(units) || any(units < 1 | units != round(units))) {
    abort("argument", "{.arg units} must be whole numbers of at least 1, such as {.code c(256, 256)}.",
      call = rlang::current_env())
  }
  check_dropout(dropout)
  if (!is.null(pool)) {
    check_choice(pool, c("cls", "mean", "max", "pooler"), "pool")
  }
  pair <- first_choice(pair, c("joint", "cosine"), "pair")
  windows <- first_choice(windows, c("mean", "max", "attention"), "windows")
  check_flag(crf, "crf")
  relations <- first_choice(relations, c("gplinker", "subject_first"), "relations")
  structure(
    list(units = as.integer(units), dropout = dropout, pool = pool, pair = pair, windows = windows, crf = crf,
      relations = relations),
    class = "bert_head"
  )
}

check_dropout <- function(dropout, call = caller_env()) {
  if (!is.null(dropout)) {
    check_number(dropout, "dropout", 0, 0.999, call = call)
  }
}

#' @export
print.bert_control <- function(x, ...) {
  print_settings(x, "bert_control")
}

#' @export
print.bert_head <- function(x, ...) {
  print_settings(x, "bert_head")
}

print_settings <- function(x, title) {
  values <- vapply(x, function(value) if (length(value) == 0) "default" else paste(format(value), collapse = ", "), "")
  cat("<", title, ">\n", paste0("  ", format(names(x)), "  ", values, "\n"), sep = "")
  invisible(x)
}
