#' @rdname bert_predict
#' @inheritParams bert_texts
#' @param max_len Maximum length of a pair in tokens. Longer ones are truncated with a message. `NULL` (default) uses the
#'   model's.
#' @export
bert_predict.bert_model <- function(object, x, pair = NULL, text = NULL, max_len = NULL, verbose = TRUE, ...) {
  call <- rlang::current_env()
  check_dots(...)
  check_class(object, "bert_model", "object")
  check_max_len(max_len, object)
  check_flag(verbose, "verbose")
  texts <- read_texts(x, rlang::enquo(pair), rlang::enquo(text))
  if (is.null(texts$b)) {
    abort("pair", "A pre-trained model predicts whether one text follows another, but {.arg x} has single texts.",
      "Give the second texts as well, as in {.code bert_predict(model, first, second)} or
      {.code bert_predict(model, data, c(first, second))}; for other predictions train a fit with {.fn bert_fit}.")
  }
  next_sentences(object, texts, max_len, verbose, call)
}

# Did a fit by `~ a + b` learn which texts follow each other?
learned_pairs <- function(spec) {
  spec$task == "mlm" && length(spec$text) == 2
}

# The probability that the second text of each pair follows the first
next_sentences <- function(object, texts, max_len, verbose, call) {
  follows <- rep(NA_real_, length(texts$complete))
  py_chunks("next_sentence", object, texts, list(max_len = to_int(max_len)), verbose, call,
    function(result, rows, chunk) {
      follows[chunk[rows]] <<- result$probability
    })
  tibble(.pred_next = follows)
}
