data <- data.frame(label = rep(c("a", "b"), 4), text = letters[1:8])
fit <- function(formula, data, ..., model = the_model()) bert_fit(model, formula, data, ..., seed = 1)

test_that("bert_fit() says what each argument must be", {
  expect_said({
    fit(label ~ text, data, model = 1)
    fit(label ~ text, data, model = c("all-MiniLM-L6-v2", "bert"))
    fit(label ~ text, data, model = file.path(tempdir(), "none"))
    fit(label ~ text, as.list(data))
    fit(label ~ text, data, train = "heads")
    fit(label ~ text, data, train = 2)
    fit(label ~ text, data, train = "top:9")
    fit(label ~ text, data, head = list())
    fit(label ~ text, data, control = bert_head())
    fit(label ~ text, data, epochs = 0)
    fit(label ~ text, data, learning_rate = 0)
    fit(label ~ text, data, batch_size = 1.5)
    fit(label ~ text, data, max_len = 600)
    fit(label ~ text, data, max_len = 2)
    bert_fit(the_model(), label ~ text, data, seed = -1)
    fit(label ~ text, data, verbose = "no")
    fit(label ~ text, data, control = bert_control(early_stopping = 2))
    fit(label ~ text, data, control = bert_control(adversarial = 1), train = "head")
    fit(label ~ text, data, control = bert_control(devices = 2), train = "head")
    fit(label ~ text, data, control = bert_control(devices = 2))
    fit(label ~ text, data, control = bert_control(class_weights = c(a = 1, b = 2, c = 3)))
    fit(label ~ text, data, control = bert_control(class_weights = c(a = 1)))
  })
})

test_that("rows that cannot be used for training or validation are reported", {
  other <- data
  other$label[c(3, 5)] <- c("c", "d")
  expect_said({
    fit(label ~ text, data[0, ])
    fit(label ~ text, transform(data, text = NA))
    fit(label ~ text, data[data$label == "a", ])
    fit(label ~ text, data, validation = 2)
    fit(label ~ text, data, validation = "some")
    fit(label ~ text, data[1:2, ], validation = 0.1)
    fit(label ~ text, data, validation = data["text"])
    fit(label ~ text, data, validation = data[0, ])
    fit(label ~ text, data, validation = other[1:4, ])
    fit(label ~ text, data, validation = other)
  })
})

test_that("what is left out before training is reported", {
  local_no_training()
  data$label[[1]] <- NA
  data$text[[2]] <- NA
  data$level <- factor(data$label, c("a", "b", "c", "d"))
  expect_said({
    fit(label ~ text, data)
    fit(level ~ text, data)
    fit(label ~ text, rbind(data, transform(data[1, ], label = "single")))
    fit(label ~ text, data, validation = data)
  }, error = FALSE)
})

test_that("what happened in training is reported", {
  # with the progress of scripts, but not written to the terminal
  local_binding("progress_mode", function(verbose) if (verbose) "lines" else "none", environment())
  local_reporter(function(kind, values) NULL)
  one <- the_fit()
  one$info[c("n_truncated", "rows", "valid_rows", "max_len")] <- list(1L, 8L, 0L, 5L)
  other <- one
  other$info$n_truncated <- 2L
  other$info$interrupted <- TRUE
  other$info[c("epochs", "epochs_done")] <- list(3L, 1L)
  other$info$checkpoint_lost <- "No space left on device (os error 28)"
  other$info$notes <- "1 entity begins or ends inside a word: learned as whole words."
  local_binding("py_call", function(...) NULL, environment())
  local_binding("live", function(...) NULL, environment())
  result <- one
  local_binding("new_fit", function(...) result, environment())
  expect_said({
    invisible(fit(label ~ text, data))
    result <- other
    invisible(fit(label ~ text, data, control = bert_control(checkpoint = "run")))
  }, error = FALSE)
})

test_that("what the engine refuses is reported", {
  frame <- tibble::tibble(data, number = 1:8 / 10, more = rev(number))
  tiny <- bert_load(tiny_folder())
  quiet <- function(..., model = tiny) fit(..., model = model, train = "head", epochs = 3, verbose = FALSE)
  single <- bert_load(tiny_folder(segments = 1L))
  cosine <- bert_head(pair = "cosine")
  expect_said({
    quiet(label ~ text, data, learning_rate = 1e30)
    quiet(number ~ text, frame, control = bert_control(label_smoothing = 0.1))
    quiet(number ~ text, frame, head = cosine)
    quiet(cbind(number, more) ~ text + label, frame, head = cosine)
    quiet(~ text + label, frame, head = cosine)
    quiet(label ~ text, data, head = bert_head(pool = "pooler"))
    quiet(number ~ text + label, frame, model = single)
    quiet(number ~ text + label, frame, max_len = 3)
  })
})

test_that("what is wrong with a run's folder is reported", {
  run <- file.path(withr::local_tempdir(), "run")
  file <- withr::local_tempfile(lines = "text")
  tiny <- bert_load(tiny_folder())
  goes_on <- function(..., folder = run, schedule = "linear", epochs = 2) {
    control <- bert_control(checkpoint = folder, schedule = schedule)
    bert_fit(tiny, label ~ text, ..., control = control, train = "head", epochs = epochs, verbose = FALSE)
  }
  goes_on(data)
  constant <- paste0(run, "-constant")
  goes_on(data, folder = constant, schedule = "constant")
  expect_said({
    goes_on(data, folder = file)
    goes_on(data[-1, ])
    goes_on(data, epochs = 3)
    goes_on(data, folder = constant, schedule = "constant", epochs = 1)
    writeLines("{", file.path(run, "run.json"))
    goes_on(data)
  })
})
