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

# What a reporter writes when told of `events`, each list(seconds since the last one, kind, values)
written <- function(make, events) {
  file <- withr::local_tempfile()
  con <- file(file, "w")
  time <- 0
  reporter <- make(con, function() time)
  for (event in events) {
    time <- time + event[[1]]
    reporter$event(event[[2]], event[[3]])
  }
  reporter$close()
  reporter$close() # again, as on.exit() does
  close(con)
  paste(readChar(file, 1e5), collapse = "")
}

bar <- function(events) written(function(con, clock) bar_reporter(con, clock), events)

lines_of <- function(events) {
  text <- written(function(con, clock) line_reporter(con, con, clock), events)
  strsplit(text, "\n")[[1]]
}

# What a terminal shows in the end of text with carriage returns
screen <- function(text) {
  lines <- vapply(strsplit(text, "\n")[[1]], function(line) {
    out <- character()
    for (part in strsplit(line, "\r")[[1]]) {
      chars <- strsplit(part, "")[[1]]
      out[seq_along(chars)] <- chars
    }
    trimws(paste(out, collapse = ""))
  }, "", USE.NAMES = FALSE)
  lines[nzchar(lines)]
}

epoch_event <- function(epoch, epochs, seconds = 1) {
  list(seconds, "epoch", list(epoch = epoch, epochs = epochs, loss = 1 / epoch, seconds = seconds))
}

step_event <- function(epoch, step, seconds = 1, epochs = 2, steps = 4) {
  list(seconds, "step", list(epoch = epoch, epochs = epochs, step = step, steps = steps, loss = 0.5))
}

test_that("a bar is written over itself, every epoch leaves its line above it, and it is wiped at the end", {
  text <- bar(list(
    list(1, "encode", list(done = 5, total = 10)), step_event(1, 2), step_event(1, 4), epoch_event(1, 2),
    step_event(2, 2), epoch_event(2, 2)
  ))
  drawn <- strsplit(text, "[\r\n]")[[1]]
  expect_match(drawn[[2]], "^Encoding \\[==========>         \\]  50 %$")
  expect_match(drawn[[3]], "^Training \\[=====>              \\]  25 %  epoch 1/2  loss 0.5 *$")
  expect_match(drawn[[4]], "^Training \\[==========>         \\]  50 %  2 s left  epoch 1/2  loss 0.5 *$")
  expect_identical(screen(text), c("epoch 1/2  loss 1  1.0 s", "epoch 2/2  loss 0.5  1.0 s"))
  expect_match(text, "1.0 s\n\rTraining [=========", fixed = TRUE) # goes on below
})

test_that("a bar's time left counts what was done since it began", {
  resumed <- bar(list(list(0, "resume", list(epoch = 5, epochs = 10)), step_event(6, 1, 0, 10, 10),
    step_event(6, 6, 5, 10, 10)))
  expect_match(resumed, "56 %  44 s left", fixed = TRUE) # a step a second, and 44 to go
  expect_match(screen(resumed)[[1]], "resuming after epoch 5/10")
  again <- function(at) list(1, "encode", list(done = at, total = 4))
  expect_match(bar(list(again(1), again(4), again(1), again(2))), "50 %  2 s left", fixed = TRUE)
})

test_that("very many epochs have few lines, evenly chosen, the last one always", {
  for (epochs in c(1, 7, 20, 21, 33, 200, 1999)) {
    shown <- Filter(function(epoch) has_line(epoch, epochs), seq_len(epochs))
    expect_length(shown, min(epochs, 20))
    expect_identical(shown[[length(shown)]], as.integer(epochs))
    expect_lte(diff(range(diff(c(0, shown)))), 1)
  }
  head <- lapply(1:200, epoch_event, 200, 0.01)
  expect_match(lines_of(head)[c(1, 2, 20)], "^epoch (10|20|200)/200")
  expect_identical(screen(bar(head)), lines_of(head))
  stopped <- lines_of(head[1:55])
  expect_match(stopped[5:6], "^epoch (50|55)/200")
  expect_length(stopped, 6)
  expect_length(lines_of(head[1:60]), 6)
})

test_that("a script says once a minute what takes long", {
  steps <- lapply(1:90, function(i) step_event(1, i, 10, 2, 90)) # 15 minutes an epoch
  out <- lines_of(c(steps, list(epoch_event(1, 2, 900))))
  expect_length(out, 16)
  expect_identical(out[[1]], "epoch 1/2  step 6/90  loss 0.5  29 min left")
  expect_match(out[[16]], "^epoch 1/2  loss 1  900")
  encoding <- lapply(1:90, function(i) list(10, "encode", list(done = i * 100, total = 9000)))
  expect_identical(lines_of(encoding)[c(1, 14)], c("encoding 600/9000  14 min left", "encoding 8400/9000  60 s left"))
  expect_identical(lines_of(lapply(1:50, function(i) list(1, "compare", list(done = i, total = 50)))), character())
  long <- lapply(1:40, epoch_event, 40, 61) # none is left out that took a minute
  expect_length(lines_of(long), 40)
})

test_that("a download is counted in megabytes and leaves one line", {
  event <- function(kind, done) list(1, kind, list(name = "owner/name", done = done, total = 438e6))
  events <- list(list(0, "wait", list()), event("download", 0), event("download", 109.5e6), event("downloaded", 438e6))
  text <- bar(events)
  expect_match(text, "Downloading [=====>              ]  25 %  3 s left  110 of 438 MB", fixed = TRUE)
  expect_identical(screen(text), "Downloaded owner/name, 438 MB")
  expect_identical(lines_of(events), "Downloaded owner/name, 438 MB")
  events[[3]][[1]] <- 61
  expect_identical(lines_of(events)[[1]], "downloading 110 of 438 MB  3 min left")
  expect_identical(megabytes(123456), "0.1")
})

test_that("a document keeps the lines of epochs, not those for who waits", {
  withr::local_options(knitr.in.progress = TRUE)
  kept <- capture.output({
    time <- 0
    con <- file(nullfile(), "w")
    reporter <- line_reporter(waiting = con, clock = function() time)
    for (event in list(step_event(1, 1, 70), epoch_event(1, 1))) {
      time <- time + event[[1]]
      reporter$event(event[[2]], event[[3]])
    }
    reporter$close()
    close(con)
  })
  expect_identical(kept, "epoch 1/1  loss 1")
})

test_that("labels for messages are made when a message is", {
  local_binding("column_label", function(name, arg) stop("made"), environment())
  data <- data.frame(text = c("Ada met Bob", "b"), label = c("x", "y"), n = c(1.5, 2), a = c(TRUE, FALSE), b = 1,
    answer = "b", start = NA)
  data$tags <- list("x", character())
  data$entities <- list(data.frame(start = 1, end = 3, label = "PER"), data.frame())
  data$relations <- list(data.frame(head_start = 1, head_end = 3, relation = "met", tail_start = 9, tail_end = 11),
    data.frame())
  data$context <- c("a b c", "b")
  for (formula in list(label ~ text, n ~ text, cbind(a, b) ~ text, tags ~ text, entities ~ text, relations ~ text,
    span(answer, start) ~ text + context, ~text)) {
    rows <- complete_rows(read_formula(formula, data), data, "data", speaker(FALSE), NULL)
    expect_length(rows$a, 2)
  }
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
  expect_identical(lines[[1]], "Training: classification (2 classes): label ~ text, 40 rows.")
  expect_match(lines[-1], "^epoch [12]/2  loss")
  expect_length(lines, 3)
  fresh(fit_in, list(FALSE), stdout = log, stderr = "2>&1")
  expect_identical(readLines(log), character())
})

# A document that fits, prints, predicts and plots
document <- function(options = "") {
  c("---", "title: A report", "---", "```{r setup}", paste0("knitr::opts_chunk$set(", options, ")"), "library(bertr)",
    "```", "```{r fit}",
    'data <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))[1:40, ]',
    'data$label <- data$label > "e"',
    'fit <- bert_fit(bert_load(), label ~ text, data, train = "head", epochs = 60, seed = 1)',
    "```", "```{r look}", "summary(fit)", "plot(fit)", "bert_predict(fit, data$text[1:3])", "```")
}

test_that("a document shows at most ten epochs and renders the same twice, also from a cache", {
  folder <- withr::local_tempdir()
  plain <- file.path(folder, "plain.Rmd")
  cached <- file.path(folder, "cached.Rmd")
  writeLines(document(), plain)
  writeLines(document("cache = TRUE"), cached)
  out <- fresh(function(folder) {
    setwd(folder)
    lapply(rep(c("plain.Rmd", "cached.Rmd"), each = 2), function(rmd) {
      readLines(knitr::knit(rmd, output = tempfile(), quiet = TRUE))
    })
  }, list(folder))
  expect_length(grep("^## epoch [0-9]+/60", out[[1]]), 10)
  expect_identical(out[[2]], out[[1]])
  expect_identical(out[[4]], out[[3]])
  as_plain <- function(lines) gsub("cached", "plain", sub("cache = TRUE", "", lines))
  expect_identical(as_plain(out[[3]]), out[[1]])
  code <- readLines(knitr::purl(plain, file.path(folder, "code.R"), quiet = TRUE))
  expect_true(any(grepl("bert_fit(", code, fixed = TRUE)))
})

test_that("a report becomes HTML, Word and PDF", {
  skip_if_not_installed("rmarkdown")
  skip_if_not(rmarkdown::pandoc_available("2.0"), "pandoc")
  skip_if_not(nzchar(Sys.which("pdflatex")), "pdflatex")
  rmd <- withr::local_tempfile(fileext = ".Rmd", lines = document())
  made <- fresh(function(rmd) {
    # without colours of code, for which LaTeX would need another package
    formats <- list(html = "html_document", word = "word_document",
      pdf = rmarkdown::pdf_document(highlight = NULL, keep_tex = TRUE))
    vapply(formats, function(format) rmarkdown::render(rmd, format, quiet = TRUE), "")
  }, list(rmd))
  expect_match(paste(readLines(made[["html"]]), collapse = "\n"), ".pred_class", fixed = TRUE)
  word <- utils::unzip(made[["word"]], "word/document.xml", exdir = withr::local_tempdir())
  words <- paste(readLines(word, warn = FALSE), collapse = "")
  expect_match(words, "epoch 60/60", fixed = TRUE)
  expect_identical(readBin(made[["pdf"]], "raw", 5), charToRaw("%PDF-"))
  tex <- readLines(sub("[.]pdf$", ".tex", made[["pdf"]]))
  expect_match(tex, "epoch 60/60", fixed = TRUE, all = FALSE)
  expect_match(tex, "includegraphics{", fixed = TRUE, all = FALSE)
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
