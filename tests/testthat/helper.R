# Made once a run: loading and fitting cost seconds.
once <- new.env()

the_model <- function() {
  if (is.null(once$model)) {
    once$model <- bert_load()
  }
  once$model
}

faq <- function(classes = 3, file = "train.csv") {
  data <- read.csv(system.file("extdata", "faq30", file, package = "bertr"))
  keep <- c("cancel_transfer", "card_arrival", "card_swallowed", "age_limit", "top_up_failed", "request_refund")
  data[data$label %in% keep[seq_len(classes)], ]
}

# A quick fit of three classes; only the head is trained
the_fit <- function() {
  if (is.null(once$fit)) {
    once$fit <- quick_fit(label ~ text, faq())
  }
  once$fit
}

# A fit by `~ text`, made once a run
the_words <- function() {
  if (is.null(once$words)) {
    once$words <- quick_fit(~text, faq(), train = "top:1", validation = 0.2, learning_rate = 1e-3, epochs = 3)
  }
  once$words
}

# A fit that tells whether a sentence about a topic follows from a question; its head alone is trained
the_inference <- function() {
  if (is.null(once$inference)) {
    data <- faq(2)
    topics <- c(cancel_transfer = "a transfer", card_arrival = "the post")
    other <- rev(topics)[match(data$label, names(topics))]
    pairs <- data.frame(
      text = rep(data$text, 2),
      claim = sprintf("This example is about %s.", c(topics[data$label], other)),
      label = rep(c("entailment", "contradiction"), each = nrow(data))
    )
    once$inference <- quick_fit(label ~ text + claim, pairs)
  }
  once$inference
}

quick_fit <- function(formula, data, ..., train = "head", epochs = 2, seed = 1) {
  bert_fit(the_model(), formula, data, ..., train = train, epochs = epochs, seed = seed, verbose = FALSE)
}

# Runs `code` in a fresh R process, where testthat's environment variable does not silence progress.
fresh <- function(func, args = list(), env = character(), ...) {
  callr::r(func, args, env = c(callr::rcmd_safe_env(), TESTTHAT = "", env), timeout = 600, ...)
}

# Chunks of so few rows, until the caller is done
local_chunk_size <- function(size, env = parent.frame()) {
  local_binding("chunk_size", size, env)
}

# Progress goes to `event`
local_reporter <- function(event, env = parent.frame()) {
  local_binding("progress", function(verbose) list(event = event, close = function() NULL), env)
}

# Another value for something of the package
local_binding <- function(name, value, env) {
  namespace <- asNamespace("bertr")
  set <- function(value) {
    unlockBinding(name, namespace)
    assign(name, value, namespace)
    lockBinding(name, namespace)
  }
  old <- get(name, namespace)
  set(value)
  withr::defer(set(old), env)
}

# An explanation of two texts, one of which was not read to its end, with weights that never change
fixed_reasons <- function(task = "classification", gap = c(0.0004, 0.02)) {
  texts <- c("My card is late, (why)?", "Stop it now please")
  words <- tibble::tibble(
    row = rep(1:2, c(8, 2)), word = c("My", "card", "is", "late", ",", "(", "why", ")", "Stop", "it"),
    weight = c(0.02, 2, 0.1, 1.25, -0.01, 0, 0.4, -0.5, 1.5, -3),
    start = c(1L, 4L, 9L, 12L, 16L, 18L, 19L, 22L, 1L, 6L),
    end = c(2L, 7L, 10L, 15L, 16L, 18L, 21L, 22L, 4L, 7L)
  )
  score <- c(2.26, -2.5)
  about <- tibble::tibble(row = 1:2, class = c("card_arrival", "cancel"), part = NA_character_,
    probability = plogis(score), score = score, masked_score = c(-1, -1), gap = gap, steps = 32L)
  structure(words, class = c("bert_explanation", class(words)), about = about, texts = list(text = texts), task = task,
    method = "integrated_gradients")
}

skip_without_arrow <- function() {
  the_model() # starts Python
  skip_if_not(reticulate::py_module_available("pyarrow"), "pyarrow")
}
