test_that("attaching starts no Python and prints nothing", {
  out <- fresh(function() {
    text <- c(capture.output(library(bertr), type = "output"), capture.output(library(bertr), type = "message"))
    list(text = text, running = reticulate::py_available())
  }, stderr = "2>&1", stdout = log <- tempfile())
  expect_identical(out, list(text = character(), running = FALSE))
  expect_identical(readLines(log), character())
})

test_that("saveRDS() into a new session predicts the same, and prints without Python", {
  file <- withr::local_tempfile()
  fits <- list(head = the_fit(), top = quick_fit(label ~ text, faq(), train = "top:1", epochs = 1))
  saveRDS(c(fits, list(model = the_model())), file)
  out <- fresh(function(file, texts) {
    library(bertr)
    objects <- readRDS(file)
    printed <- capture.output(for (x in objects) print(x))
    started <- reticulate::py_available()
    list(printed = printed, started = started, head = bert_predict(objects$head, texts),
      top = bert_predict(objects$top, texts), embed = bert_embed(objects$model, texts))
  }, list(file, faq()$text))
  expect_false(out$started)
  expect_match(paste(out$printed, collapse = "\n"), "<bert_fit>.*<bert_fit>.*<bert_model>")
  expect_identical(out$head, bert_predict(fits$head, faq()$text))
  expect_identical(out$top, bert_predict(fits$top, faq()$text))
  expect_identical(out$embed, bert_embed(the_model(), faq()$text))
})

# Safetensors: 8 bytes of header length, the header (which holds the seconds taken), then the numbers
tensor_bytes <- function(pieces) {
  weights <- do.call(c, pieces)
  weights[-seq_len(8 + sum(as.integer(weights[1:4]) * 256^(0:3)))]
}

test_that("the same seed gives the same fit in two sessions, bit for bit", {
  run <- function(data) {
    fit <- bertr::bert_fit(bertr::bert_load(), label ~ text, data, epochs = 2, seed = 4, verbose = FALSE)
    list(prediction = bertr::bert_predict(fit, data), weights = fit$weights)
  }
  first <- fresh(run, list(faq()))
  second <- fresh(run, list(faq()))
  expect_identical(first$prediction, second$prediction)
  expect_identical(tensor_bytes(first$weights), tensor_bytes(second$weights))
})

test_that("without kept weights a fit says so in another session", {
  fit <- quick_fit(label ~ text, faq(), control = bert_control(serialize = FALSE), epochs = 1)
  expect_null(fit$weights)
  expect_identical(nrow(bert_predict(fit, "a")), 1L)
  again <- unserialize(serialize(fit, NULL))
  expect_error(bert_predict(again, "a"), "contains no weights", class = "bertr_error_no_weights")
})

test_that("an object of a newer bertr is refused", {
  fit <- unserialize(serialize(the_fit(), NULL))
  fit$handle$version <- "99.0"
  expect_error(bert_predict(fit, "a"), "bertr 99.0", class = "bertr_error_version")
})

test_that("future's sessions take a fit and return one; its forks are refused", {
  skip_if_not_installed("future")
  sent <- list(fit = the_fit(), data = faq())
  out <- fresh(function(fit, data) {
    future::plan("multisession", workers = 2)
    on.exit(future::plan("sequential"))
    found <- future::future(bertr::bert_predict(fit, data$text))
    made <- future::future(bertr::bert_fit(bertr::bert_load(), label ~ text, data, train = "head", epochs = 2, seed = 1,
      verbose = FALSE), seed = NULL)
    out <- list(found = future::value(found), made = future::value(made))
    out$here <- bertr::bert_predict(out$made, data)
    out$forks <- parallelly::supportsMulticore()
    if (out$forks) future::plan("multicore", workers = 2) else future::plan("sequential")
    out$fork <- future::value(future::future(tryCatch(bertr::bert_predict(out$made, data), error = class)))
    out[c("found", "here", "forks", "fork")]
  }, sent)
  expect_identical(out$found, bert_predict(sent$fit, sent$data$text))
  expect_identical(out$here, bert_predict(sent$fit, sent$data)) # `the_fit()` was made with the same seed
  expect_true(if (out$forks) "bertr_error_fork" %in% out$fork else is.data.frame(out$fork))
})

test_that("a forked process is refused, not crashed", {
  skip_on_os("windows")
  classes <- fresh(function() {
    model <- bertr::bert_load()
    job <- parallel::mcparallel(tryCatch(bertr::bert_embed(model, "a"), error = class))
    parallel::mccollect(job)[[1]]
  })
  expect_true("bertr_error_fork" %in% classes)
})

test_that("no Python, or one without TensorFlow, gives a one-sentence error", {
  classes <- function() tryCatch(bertr::bert_load(), error = function(e) c(class(e), conditionMessage(e)))
  none <- fresh(classes, env = c(RETICULATE_PYTHON = "/nowhere/python"))
  expect_true("bertr_error_no_python" %in% none)
  expect_match(none[[length(none)]], "bert_install")
  info <- fresh(function() bertr::bert_info()[c("ready", "problem")], env = c(RETICULATE_PYTHON = "/nowhere/python"))
  expect_false(info$ready)
  expect_match(info$problem, "could not be started")
  bare <- withr::local_tempdir()
  system2(Sys.getenv("RETICULATE_PYTHON"), c("-m", "venv", "--without-pip", bare))
  python <- file.path(bare, "bin", "python")
  without <- fresh(classes, env = c(RETICULATE_PYTHON = python))
  expect_true("bertr_error_no_tensorflow" %in% without)
  expect_match(without[[length(without)]], "tensorflow")
})

test_that("numpy 2 needs reticulate 1.38", {
  old <- numeric_version("1.28")
  expect_error(py_check_numpy("2.1.0rc1", old, NULL), "numpy<2", class = "bertr_error_numpy")
  expect_silent(py_check_numpy("1.26.4", old, NULL))
  expect_silent(py_check_numpy("2.1.0", numeric_version("1.38"), NULL))
})

test_that("invalid bytes do not crash R", {
  expect_match(
    fresh(function() tryCatch(bertr::bert_count_tokens(bertr::bert_load(), "\xff\xfe"), error = conditionMessage)),
    "not valid UTF-8"
  )
})

test_that("importing leaves no compiled files in the package", {
  bert_vocab(the_model())
  expect_identical(list.files(system.file("python", package = "bertr"), "\\.pyc$", recursive = TRUE), character())
})

test_that("a model whose folder changed is refused, not used", {
  folder <- withr::local_tempdir()
  model <- the_model()
  path <- file.path(folder, "model")
  bert_save(model, path)
  moved <- unserialize(serialize(bert_load(path), NULL))
  expect_identical(bert_embed(moved, "a"), bert_embed(model, "a"))
  again <- unserialize(serialize(bert_load(path), NULL))
  bert_save(quick_fit(label ~ text, faq(), train = "top:1", epochs = 1), path)
  expect_error(bert_embed(again, "a"), "has changed since", class = "bertr_error_changed")
})
