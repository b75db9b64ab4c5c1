test_that("tests and verbose = FALSE are silent, other sessions are not", {
  expect_identical(progress_mode(TRUE), "none")
  withr::local_envvar(TESTTHAT = "")
  expect_identical(progress_mode(FALSE), "none")
  withr::local_options(rlang_interactive = TRUE)
  expect_identical(progress_mode(TRUE), "bar")
  withr::local_options(knitr.in.progress = TRUE)
  expect_identical(progress_mode(TRUE), "lines")
})

test_that("an epoch's line holds its figures", {
  values <- list(epoch = 2, epochs = 10, loss = 0.51234, val_loss = NULL, val_accuracy = 0.5, seconds = 1.26)
  expect_identical(epoch_text(values), "epoch 2/10  loss 0.512  val_accuracy 0.5  1.3 s")
})

test_that("a bar is written over itself and wiped at the end", {
  file <- withr::local_tempfile()
  con <- file(file, "w")
  bar <- bar_reporter(con)
  bar$event("encode", list(done = 5, total = 10))
  bar$event("step", list(epoch = 1, epochs = 2, step = 2, steps = 4))
  bar$event("epoch", list(epoch = 1, epochs = 2, loss = 0.5, seconds = 1))
  bar$event("step", list(epoch = 2, epochs = 2, step = 2, steps = 4))
  bar$close()
  close(con)
  lines <- strsplit(readChar(file, 1e5), "\r")[[1]]
  expect_match(lines[[2]], "^Encoding \\[==========>         \\]  50 %")
  expect_match(lines[[3]], "^Training \\[=====>              \\]  25 %")
  expect_match(lines[[4]], "75 %.*epoch 1/2  loss 0.5")
  expect_match(lines[[5]], "^ *$")
})

test_that("what goes wrong in a reporter does not reach Python", {
  expect_false(watcher(function(kind, values) stop("no"))("step", list(loss = 1)))
})

test_that("a reporter that is never called holds nothing of the call that it was made for", {
  reporter <- function(kind, values) NULL
  freed <- FALSE
  kept <- local({
    reg.finalizer(environment(), function(e) freed <<- TRUE)
    watcher(reporter)
  })
  gc()
  expect_true(freed)
  expect_false(kept("step", list(loss = 1)))
})

fit_in <- function(verbose) {
  data <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))[1:40, ]
  data$label <- data$label > "e"
  bertr::bert_fit(bertr::bert_load(), label ~ text, data, train = "head", epochs = 2, seed = 1, verbose = verbose)
}

test_that("a script shows what is trained and one line an epoch, and Python nothing", {
  log <- withr::local_tempfile()
  fresh(fit_in, list(TRUE), stdout = log, stderr = "2>&1")
  lines <- readLines(log)
  expect_identical(lines[[1]], "Training: classification of 2 classes: label ~ text, 40 rows.")
  expect_match(lines[-1], "^epoch [12]/2  loss")
  expect_length(lines, 3)
  fresh(fit_in, list(FALSE), stdout = log, stderr = "2>&1")
  expect_identical(readLines(log), character())
})

test_that("a document shows one line an epoch", {
  rmd <- withr::local_tempfile(fileext = ".Rmd", lines = c("```{r}", "fit <- fit_in(TRUE)", "```"))
  out <- fresh(function(rmd, fit_in) {
    assign("fit_in", fit_in, globalenv())
    readLines(knitr::knit(rmd, output = tempfile(), quiet = TRUE, envir = globalenv()))
  }, list(rmd, fit_in))
  expect_length(grep("^## epoch [12]/2", out), 2)
})

test_that("Ctrl-C returns the fit so far, with a warning", {
  skip_on_os("windows")
  out <- fresh(function() {
    data <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
    model <- bertr::bert_load()
    # the first epoch's line tells that training is under way
    log <- tempfile()
    file.create(log)
    sink(file(log, "w"), type = "message")
    waiting <- sprintf("while ! grep -q epoch %s; do sleep 0.2; done", shQuote(log))
    system(sprintf("(%s; kill -INT %d) &", waiting, Sys.getpid()))
    told <- NULL
    fit <- withCallingHandlers(
      bertr::bert_fit(model, label ~ text, data, train = "top:1", epochs = 500, seed = 1),
      warning = function(w) {
        told <<- c(class(w), conditionMessage(w))
        invokeRestart("muffleWarning")
      }
    )
    list(told = told, info = fit$info, rows = nrow(bertr::bert_predict(fit, data)))
  })
  expect_true("bertr_warning_interrupted" %in% out$told)
  expect_true(out$info$interrupted)
  expect_gte(out$info$epochs_done, 1)
  expect_lt(out$info$epochs_done, 500)
  expect_identical(out$rows, 207L)
})
