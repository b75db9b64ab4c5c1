# Interrupts come from a second process, as a terminal's Ctrl-C does. tests/torture/interrupts.py has many more.
test_that("an interrupt stops a call and leaves nothing for the next one", {
  skip_on_os("windows")
  out <- fresh(function() {
    library(bertr)
    model <- bert_load()
    texts <- rep(read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))$text, 20)
    bert_embed(model, texts[1:5], verbose = FALSE)
    interrupted <- function(code) {
      system(sprintf("(sleep 0.5; kill -INT %d) &", Sys.getpid()))
      tryCatch(code, interrupt = function(e) "interrupt", error = conditionMessage)
    }
    once <- function() {
      list(
        stopped = interrupted(bert_embed(model, texts, verbose = FALSE)),
        # an error after an interrupt used to be taken for another interrupt
        error = tryCatch(bert_load("no/such/folder"), error = class, interrupt = class),
        value = bert_count_tokens(model, "a cat"),
        # what no batch ends is done first, then R's loop is interrupted
        loop = interrupted(repeat bert_count_tokens(model, "a cat")),
        again = bert_count_tokens(model, "a cat")
      )
    }
    list(once(), once())
  })
  for (round in out) {
    expect_identical(round$stopped, "interrupt")
    expect_true("bertr_error_source" %in% round$error)
    expect_identical(as.integer(round$value), 4L)
    expect_identical(round$loop, "interrupt")
    expect_identical(as.integer(round$again), 4L)
  }
})

test_that("interrupts are held back only while Python runs", {
  expect_false(the$held)
  expect_error(without_interrupts(stop("oops")), "oops")
  expect_false(the$held)
  expect_identical(without_interrupts(list(the$held, without_interrupts(the$held), the$held)), list(TRUE, TRUE, TRUE))
  expect_false(the$held)
})

test_that("Python's own error is reported with its place, and keeps nothing alive", {
  error <- expect_error(py_call("describe", NULL), class = "bertr_error_python")
  expect_match(conditionMessage(error), "failed unexpectedly: AttributeError")
  expect_match(error$trace_python, "in describe")
})

test_that("R's option for threads reaches TensorFlow, and a wrong one is refused", {
  seen <- fresh(function() {
    options(bertr.threads = 1)
    bertr::bert_info()[c("threads", "ready")]
  })
  expect_identical(as.integer(seen$threads), 1L)
  expect_true(seen$ready)
  wrong <- fresh(function() {
    options(bertr.threads = "two")
    tryCatch(bertr::bert_load(), error = function(e) list(class(e), conditionMessage(e)))
  })
  expect_true("bertr_error_argument" %in% wrong[[1]])
  expect_match(wrong[[2]], "bertr.threads")
})

test_that("oneDNN is on in R, also where Python was started before", {
  skip_if_not(Sys.info()[["machine"]] %in% c("x86_64", "AMD64"))
  on <- fresh(function() {
    reticulate::py_run_string("import os")
    bertr::bert_info()$onednn
  })
  expect_true(on)
})
