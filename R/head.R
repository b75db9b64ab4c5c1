#' The layers on top of the encoder
#'
#' @param units Sizes of the dense layers between the encoder and the output layer, as whole numbers: `c(256, 256)` for
#'   two. None by default.
#' @param dropout Dropout before each of these layers and the output, from 0 to below 1. `NULL` (default) uses the
#'   encoder's value, 0.1 for BERT.
#' @param pool How a text becomes one vector: `"cls"` (the first token), `"mean"` (of all tokens), `"max"` or `"pooler"`
#'   (BERT's pre-trained dense layer on the first token). `NULL` (default) uses the checkpoint's recommendation, which
#'   printing the model shows. With `"cls"` and `"pooler"` the last layer is computed only for the first token, which
#'   saves time.
#' @param pair How to read the two texts of a pair: `"joint"` (default) concatenates them; `"cosine"` encodes each one
#'   separately and predicts the outcome from the cosine of their vectors (regression only). The latter suits text
#'   similarity, because it starts from what the encoder already knows.
#' @param link For regression: `"identity"` (default) uses the squared error; `"logit"` learns numbers from 0 to 1, such
#'   as the share of raters, with a cross-entropy loss and predicts numbers between 0 and 1.
#' @param windows How to combine the windows of a long text (`bert_control(long = "window")`) into one vector: `"mean"`
#'   (default), `"max"`, or `"attention"`, a mean with learned weights.
#' @param crf For entities: score whole sequences of labels with a linear-chain CRF instead of each token separately?
#'   `FALSE` by default.
#' @param words For entities: what separates words. `"punctuation"` (default): white space and punctuation, as BERT
#'   splits texts. `"space"`: only white space, for texts that were joined from words, as by [bert_entities()] and
#'   [read_conll()], where `don't` or `U.S.` is one word. New texts must then be written in the same way, because in "It
#'   is Rome." the last word is "Rome.".
#' @param relations How to find relations: `"gplinker"` (default), all in one pass, or `"subject_first"`, first the
#'   heads and then the relations and tails of each head. The second one only adds the scores of head and tail, so it
#'   does not suit texts in which the tail of one triple is often the head of another.
#' @param activation The activation of the dense layers in `units`: `"relu"` (default), `"gelu"`, `"tanh"`, `"sigmoid"`,
#'   `"elu"`, `"selu"`, `"silu"` or `"softplus"`, each as in Keras. Without `units` it has no effect.
#' @return A list of class `bert_head` for the `head` argument of [bert_fit()].
#' @examples
#' bert_head(units = c(256, 256), dropout = 0.5, pool = "mean", activation = "tanh")
#' @export
bert_head <- function(units = integer(), dropout = NULL, pool = NULL, pair = c("joint", "cosine"),
                      link = c("identity", "logit"), windows = c("mean", "max", "attention"), crf = FALSE,
                      words = c("punctuation", "space"), relations = c("gplinker", "subject_first"),
                      activation = c("relu", "gelu", "tanh", "sigmoid", "elu", "selu", "silu", "softplus")) {
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
