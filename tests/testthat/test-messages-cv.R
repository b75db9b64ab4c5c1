test_that("bert_cv() says what it needs", {
  data <- faq()
  n <- nrow(data)
  data$author <- "one"
  data$pairs <- rep(list(1:2), nrow(data))
  gap <- transform(data, author = c(NA, author[-1]))
  rset <- function(data, ...) {
    tibble(splits = lapply(list(...), function(rows) list(data = data, in_id = rows, out_id = NA)))
  }
  apart <- data[order(data$label), ][c(1:4, n - 0:3), ]
  cv <- function(..., formula = label ~ text, from = data) bert_cv(the_model(), formula, from, ..., train = "head")
  folder <- withr::local_tempdir()
  writeLines("x", file.path(folder, "note.txt"))
  file <- withr::local_tempfile(lines = "x")
  expect_said({
    bert_cv("model", label ~ text, data)
    cv(from = data["text"])
    cv(formula = ~text)
    cv(v = 1)
    cv(v = "five")
    cv(v = n + 1)
    cv(v = data)
    cv(v = rset(data[-1, ], 1:5))
    cv(v = rset(data, 1:5, 1:5))
    cv(v = rset(data, 1:n))
    cv(v = rset(data, 1:5), groups = author)
    cv(groups = author)
    cv(groups = text, from = transform(data, text = rep(text[1:2], 11)), v = 3)
    cv(groups = writer)
    cv(groups = c(author, text))
    cv(groups = author, from = gap)
    cv(strata = pairs)
    cv(v = rset(apart, 1:3), from = apart)
    cv(from = transform(data, .fold = 1))
    cv(epoch = 2)
    bert_cv(the_model(), label ~ text, data, 5, NULL, NULL, "head")
    cv(control = list())
    cv(control = bert_control(checkpoint = "run"))
    cv(seed = -1)
    cv(verbose = NA)
    cv(checkpoint = "")
    cv(checkpoint = folder)
    cv(checkpoint = file)
  })
})

test_that("bert_cv() says what happens", {
  data <- faq()
  alone <- which(data$label == "card_arrival")[-1]
  data <- data[-alone, ]
  local_binding("fit_folds", function(run, folds, verbose, call) NULL, environment())
  local_binding("new_cv", function(...) invisible(), environment())
  expect_said(bert_cv(the_model(), label ~ text, data, v = 2, seed = 1), error = FALSE)
  local_binding("progress_mode", function(verbose) "lines", environment())
  fold <- list(metrics = tibble(.metric = "accuracy", .estimate = 0.912345), seconds = 2.345, rows = 166)
  expect_said({
    say_fold(fold, 1, 5, FALSE, TRUE)
    say_fold(fold, 2, 5, TRUE, TRUE)
  }, error = FALSE)
})

test_that("an interrupted or another cross-validation is reported", {
  cv <- function(folder, ..., data = faq()) {
    bert_cv(the_model(), label ~ text, data, v = 2, ..., checkpoint = folder, seed = 1, verbose = FALSE)
  }
  folder <- withr::local_tempdir()
  local_binding("bert_fit", function(...) list(info = list(interrupted = TRUE)), environment())
  expect_said({
    cv(NULL)
    cv(folder)
    cv(folder, epochs = 3)
    cv(folder, data = faq(2))
  })
})

test_that("bert_label_errors() says what it needs", {
  words <- structure(list(predictions = list(), metrics = list(), spec = the_words()$spec, seed = 1,
    info = list(rows = 1, folds = 1, train = "head")), class = "bert_cv")
  expect_said({
    bert_label_errors(faq())
    bert_label_errors(words)
    tidy(structure(list(), class = "bert_cv"))
  })
})
