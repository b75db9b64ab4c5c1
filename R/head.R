#' The layers on top of the encoder
#'
#' @param units Sizes of the dense layers (ReLU) between the encoder and the output layer, as whole
#'   numbers: `c(256, 256)` for two. By default none.
#' @param dropout Dropout before each of these layers and the output, from 0 to below 1. `NULL`
#'   (default) takes the encoder's, 0.1 for BERT.
#' @param pool How a text becomes one vector: `"cls"` (the first token), `"mean"` (of all tokens),
#'   `"max"` or `"pooler"` (BERT's dense layer on the first token, as it was pre-trained). `NULL`
#'   (default) takes what the checkpoint recommends, which printing the model shows. With `"cls"` and
#'   `"pooler"` the last layer is worked out for the first token alone, which saves time.
#' @param pair How a task of pairs reads its two texts: `"joint"` (default), one after the other; `"cosine"`, each by
#'   itself, and the outcome is read off the cosine of their vectors (regression only): the form for text
#'   similarity, which starts from what the encoder already knows.
#' @param link For numbers: `"identity"` (default) learns them by squared error; `"logit"` learns numbers from 0 to 1,
#'   such as shares of raters, by cross-entropy and predicts them within 0 and 1.
#' @param windows How the windows of a long text (`bert_control(long = "window")`) become one vector: their `"mean"`
#'   (default), `"max"`, or `"attention"`, a mean with learned weights.
#' @param crf For entities: score whole sequences of labels by a linear-chain CRF instead of each token by itself?
#'   `FALSE` by default.
#' @param words For entities: what ends a word. `"punctuation"` (default): white space and punctuation, as BERT reads
#'   texts. `"space"`: white space alone, for texts that were joined from words, as by [bert_entities()] and
#'   [read_conll()], where `don't` or `U.S.` is one word; then the texts to predict must be written so too, for in
#'   "It is Rome." the last word is "Rome.".
#' @param relations How relations are found: `"gplinker"` (default), all in one pass, or `"subject_first"`, first the
#'   heads and then for each the relations and tails. The second one only adds up what it knows of head and
#'   tail, so it is not for texts where the tail of a triple is often the head of another.
#' @return A list of class `bert_head` for the `head` argument of [bert_fit()].
#' @examples
#' bert_head(units = c(256, 256), dropout = 0.5, pool = "mean")
#' @export
bert_head <- function(units = integer(), dropout = NULL, pool = NULL, pair = c("joint", "cosine"),
                      link = c("identity", "logit"), windows = c("mean", "max", "attention"), crf = FALSE,
                      words = c("punctuation", "space"), relations = c("gplinker", "subject_first")) {
  values <- checked_settings(mget(names(formals())), head_settings(), rlang::current_env())
  values$units <- as.integer(units)
  structure(values, class = "bert_head")
}

check_units <- function(x, arg, call) {
  if (!is.numeric(x) || anyNA(x) || any(x < 1 | x > 1e5 | x != round(x))) {
    abort("argument", "{.arg {arg}} must contain whole numbers from 1 to 100,000, such as {.code c(256, 256)}.",
      call = call)
  }
}

#' @export
print.bert_head <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_head", "x")
  print_settings(x, "bert_head", head_settings())
}
