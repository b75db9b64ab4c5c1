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
