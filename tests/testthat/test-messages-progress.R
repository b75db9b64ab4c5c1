# What long runs write while they go on, of a run of 3 epochs on 9,000 texts
clock <- function() {
  seconds <- 0
  function() {
    seconds <<- seconds + 61
    seconds
  }
}

events <- list(
  list("download", list(done = 0, total = 438e6)), list("download", list(done = 120e6, total = 438e6)),
  list("downloaded", list(name = "owner/name", total = 438e6)),
  list("downloaded", list(name = "owner/tiny", total = 1234567)),
  list("remark", list(text = "The hub cannot be reached.")),
  list("truncated", list(texts = 1, rows = 9000, max_len = 256)),
  list("truncated", list(texts = 12, rows = 9000, max_len = 256)),
  list("encode", list(done = 0, total = 9000)), list("encode", list(done = 300, total = 9000)),
  list("score", list(done = 0, rate = 0, share = 0)),
  list("score", list(done = 1234567, rate = 850.4321, share = 0.25)),
  list("compare", list(done = 10, total = 20)), list("resume", list(epoch = 1, epochs = 3)),
  list("step", list(epoch = 2, epochs = 3, step = 1, steps = 90, loss = 0.123456)),
  list("step", list(epoch = 2, epochs = 3, step = 45, steps = 90, loss = 0.1)),
  list("epoch", list(epoch = 2, epochs = 3, seconds = 1.234, learning_rate = 1e-4, loss = 0.0523, val_loss = 0.6,
    val_accuracy = 0.8333))
)

written <- function(reporter) {
  for (event in events) {
    do.call(reporter$event, event)
  }
  reporter$close()
}

test_that("a script has lines", {
  expect_said(written(line_reporter(stdout(), stdout(), clock())), error = FALSE)
})

test_that("the console has a bar", {
  # each state of the bar on a line of its own
  shown <- function(reporter) {
    cat(gsub(" *\n", "\n", gsub("\r", "\n", paste(utils::capture.output(written(reporter)), collapse = "\n"))))
  }
  expect_said(shown(bar_reporter(stdout(), clock())), error = FALSE)
})
