# Next-sentence prediction: does the second text of a pair follow the first?

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
