# A hub on this machine (fake_hub.py, which the tests of Python use too) that serves a folder as owner/tiny-bert: the
# environment variables of a session that loads from it
local_hub <- function(folder, env = parent.frame()) {
  port_file <- withr::local_tempfile(.local_envir = env) # the hub ends when this file is gone
  system2(Sys.getenv("RETICULATE_PYTHON"), c(test_path("fake_hub.py"), folder, port_file), wait = FALSE)
  until <- Sys.time() + 30
  while (!file.exists(port_file) && Sys.time() < until) {
    Sys.sleep(0.05)
  }
  c(HF_ENDPOINT = paste0("http://127.0.0.1:", readLines(port_file, warn = FALSE)), NO_PROXY = "*", HF_HUB_OFFLINE = "0",
    BERTR_HOME = withr::local_tempdir(.local_envir = env))
}

test_that("a download leaves one line, and summary() says what was loaded", {
  folder <- file.path(withr::local_tempdir(), "repository")
  bert_save(bert_load(layers = 1), folder)
  env <- local_hub(folder)
  log <- withr::local_tempfile()
  out <- fresh(function(saved) {
    library(bertr)
    model <- bert_load("owner/tiny-bert")
    again <- bert_load("owner/tiny-bert", revision = "main") # nothing to download any more
    data <- data.frame(text = c("a cat", "a dog", "the cat", "the dog"), label = c("x", "y"))
    fit <- bert_fit(model, label ~ text, data, train = "head", epochs = 1, seed = 1, verbose = FALSE)
    bert_save(fit, saved)
    kept <- unserialize(serialize(fit, NULL))
    bert_predict(kept, "a cat", verbose = FALSE)
    unlink(model$info$folder, recursive = TRUE) # a model of another session is fetched again, by its commit
    revived <- unserialize(serialize(model, NULL))
    suppressMessages(bert_embed(revived, "a cat", verbose = FALSE))
    list(
      model = capture.output(summary(model)), fit = capture.output(summary(fit)),
      saved = capture.output(summary(bert_load(saved))), same = identical(again$info, model$info),
      no_revision = tryCatch(bert_load("owner/tiny-bert", revision = "v7"), error = conditionMessage),
      of_a_folder = tryCatch(bert_load(saved, revision = "main"), error = conditionMessage)
    )
  }, list(withr::local_tempdir()), env = env, stdout = log, stderr = "2>&1")
  expect_match(readLines(log), "^Downloaded owner/tiny-bert, [0-9]+ MB$")
  expect_length(readLines(log), 1)
  commit <- strrep("0123456789", 4)
  expect_match(out$model, paste("downloaded from owner/tiny-bert, commit", commit), all = FALSE, fixed = TRUE)
  for (text in out[c("fit", "saved")]) {
    expect_match(text, paste("based on owner/tiny-bert, commit", commit), all = FALSE, fixed = TRUE)
  }
  expect_true(out$same)
  expect_match(out$no_revision, "no branch, tag or commit 'v7'")
  expect_match(out$of_a_folder, "is a folder")
})

test_that("a quiet download says nothing, and a document keeps one line", {
  folder <- file.path(withr::local_tempdir(), "repository")
  bert_save(bert_load(layers = 1), folder)
  env <- local_hub(folder)
  log <- withr::local_tempfile()
  fresh(function() bertr::bert_load("owner/tiny-bert", verbose = FALSE)$info, env = env, stdout = log, stderr = "2>&1")
  expect_identical(readLines(log), character())
  unlink(env[["BERTR_HOME"]], recursive = TRUE)
  rmd <- withr::local_tempfile(fileext = ".Rmd",
    lines = c("```{r}", "model <- bertr::bert_load('owner/tiny-bert')", "```"))
  out <- fresh(function(rmd) readLines(knitr::knit(rmd, output = tempfile(), quiet = TRUE)), list(rmd), env = env)
  expect_match(grep("^##", out, value = TRUE), "^## Downloaded owner/tiny-bert, [0-9]+ MB$")
})

test_that("an interrupt ends the wait for a hub that is silent", {
  skip_on_os("windows")
  out <- fresh(function() {
    listener <- NULL
    while (is.null(listener)) {
      port <- sample(20000:60000, 1)
      listener <- tryCatch(serverSocket(port), error = function(e) NULL) # takes connections and never answers
    }
    Sys.setenv(HF_ENDPOINT = paste0("http://127.0.0.1:", port), NO_PROXY = "*", HF_HUB_OFFLINE = "0")
    bertr::bert_info()
    system(sprintf("(sleep 3; kill -INT %d) &", Sys.getpid()))
    stopped <- tryCatch(bertr::bert_load("owner/name"), interrupt = function(e) "interrupt", error = conditionMessage)
    list(stopped = stopped, layers = bertr::bert_config(bertr::bert_load())$num_layers)
  })
  expect_identical(out, list(stopped = "interrupt", layers = 6L))
})
