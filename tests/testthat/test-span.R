qa <- function(answer = "cat", start = NULL, context = "the red cat", question = "Who?") {
  data <- tibble(question = question, context = context, answer = answer)
  data$start <- start
  data
}

rows_of <- function(data, formula = span(answer, start) ~ question + context) {
  complete_rows(read_formula(formula, data), data, "data", speaker(FALSE), NULL)$outcome
}

test_that("answers are found by their start, or else by their text", {
  data <- qa(c("cat", "", NA, "red"), c(9, NA, 1, 5))
  out <- rows_of(data)
  expect_identical(out$answer, c("cat", "", "red"))
  expect_identical(out$start, c(9L, 0L, 5L))
  expect_identical(out$end, c(11L, 0L, 7L))
  expect_identical(rows_of(data, span(answer) ~ question + context)[1:4], out[1:4])
  data$start[[1]] <- NA
  expect_identical(rows_of(data), out)
  data$start <- NA
  expect_identical(rows_of(data), out)
  expect_identical(rows_of(data, span(answer) ~ context)$start, out$start)
})

test_that("characters are counted, not bytes", {
  context <- "\U0001F600 e\u0301te\u0301 \u83b1\u8335\u6cb3 na\u00efve"
  answer <- c("\u83b1\u8335\u6cb3", "na\u00efve", "\U0001F600")
  out <- rows_of(qa(answer, context = context), span(answer) ~ question + context)
  expect_identical(out$start, c(9L, 13L, 1L))
  expect_identical(substr(out$context, out$start, out$end), answer)
  latin1 <- iconv("na\u00efve", "UTF-8", "latin1")
  expect_identical(rows_of(qa(latin1, context = context), span(answer) ~ context)$start, 13L)
})

test_that("answers that are not there are reported with their rows", {
  wrong <- function(data, message, formula = span(answer, start) ~ question + context) {
    expect_error(rows_of(data, formula), message, class = "bertr_error_outcome")
  }
  alone <- span(answer) ~ question + context
  wrong(qa(c("cat", "Cat")), "does not occur in its context in row 2", alone)
  wrong(qa(c("", "the"), context = "the the"), "more than once in its context in row 2", alone)
  wrong(qa("aa", context = "aaa"), "more than once", alone)
  wrong(qa(c(NA, "cat", "cat"), c(1, 9, 8)), "does not match the text at its start in row 3")
  wrong(qa("cat", 8), "add 1 to starts that count from 0")
  wrong(qa(c("cat", "cat"), c(0, 12)), "outside the context in rows 1 and 2|outside the context in rows 1, 2")
  wrong(qa("cat", "9"), "\"start\" of `data` must contain whole numbers, not a string")
  wrong(qa("cat", 9.5), "must contain whole numbers, but does not in row 1")
  wrong(qa(c("cat", " \n"), c(9, 4)), "only white space in row 2")
  expect_error(rows_of(qa(1, 1)), "must be text", class = "bertr_error_text")
})

test_that("span() names one or two columns", {
  data <- qa("cat", 9)
  for (formula in list(span() ~ context, span(answer, start, start) ~ context, span(answer, 9) ~ context,
    span(start = answer) ~ context)) {
    expect_error(read_formula(formula, data), "span\\(answer, start\\) ~ question", class = "bertr_error_formula")
  }
  expect_error(read_formula(span(answer, begin) ~ context, data), "no column \"begin\"", class = "bertr_error_column")
  expect_error(rows_of(qa(NA_character_, 9)), "no complete rows", class = "bertr_error_no_rows")
  spec <- read_formula(span(answer, start) ~ question + context, data)
  expect_error(settle_spans(spec, rows_of(qa("", 1)), speaker(TRUE), NULL), "No complete row has an answer",
    class = "bertr_error_one_class")
  expect_identical(read_spec(spec_json(spec)), spec)
})

test_that("all right answers are kept, the first one first", {
  data <- qa(c("cat", "", "red"), c(9, NA, 5))
  data$answers <- list(c("red cat", "cat", NA), character(), NULL)
  expect_identical(rows_of(data)$answers, list(c("cat", "red cat"), "", "red"))
  target <- span_target(NULL, rows_of(data))
  expect_identical(target[c("start", "end", "gold_counts")],
    list(start = c(8L, -1L, 4L), end = c(11L, 0L, 7L), gold_counts = c(2L, 1L, 1L)))
  expect_identical(target$golds, c("cat", "red cat", "", "red"))
})

test_that("a column `answers` of another form is not in the formula and does not matter", {
  data <- qa(c("cat", "red"), c(9, 5))
  plain <- rows_of(data)
  as_json <- list(data.frame(text = "cat", answer_start = 8L), data.frame(text = character(), answer_start = integer()))
  invalid <- list("cat", "\xff")
  for (answers in list(as_json, list(1, 2), invalid, c("a", "b"), list(list("cat"), list()))) {
    data$answers <- answers
    expect_identical(rows_of(data), plain)
  }
  data$answers <- data.frame(text = c("a", "b")) # a column that is a data frame
  expect_identical(rows_of(data), plain)
})

test_that("predictions are columns or tibbles of the best spans, NA without texts", {
  result <- list(text = c("cat", ""), start = c(9L, 0L), end = c(11L, 0L), score = c(0.5, 0.9),
    nbest_row = c(1L, 1L), nbest_text = c("cat", "red"), nbest_start = c(9L, 5L), nbest_end = c(11L, 7L),
    nbest_score = c(0.5, 0.25))
  out <- span_predictions(list(), result, c(1L, 3L), 3, "all")
  expect_identical(out, tibble(.pred_text = c("cat", NA, ""), .pred_start = c(9L, NA, NA),
    .pred_end = c(11L, NA, NA), .pred_score = c(0.5, NA, 0.9)))
  best <- span_predictions(list(), result, c(1L, 3L), 3, "nbest")$.pred_nbest
  expect_null(best[[2]])
  expect_identical(best[[1]], tibble(text = c("cat", "red"), start = c(9L, 5L), end = c(11L, 7L), score = c(.5, .25)))
  expect_identical(dim(best[[3]]), c(0L, 4L))
  expect_identical(dim(span_predictions(list(), NULL, integer(), 0, "all")), c(0L, 4L))
})

squad_rows <- function(n = 40) {
  names <- c("Anna", "Otto", "Mia", "Karl")
  towns <- c("Bonn", "Kiel", "Ulm", "Trier", "Mainz")
  name <- rep_len(names, n)
  town <- rep_len(towns, n)
  data <- tibble(question = paste("Where does", name, "live?"), context = paste(name, "lives in", town, "with a dog."))
  data$answer <- ifelse(seq_len(n) %% 5 == 0, "", town)
  data$context[data$answer == ""] <- "It rains all day."
  data$start <- ifelse(data$answer == "", NA, nchar(name) + 11)
  data
}

span_fit <- function() {
  if (is.null(once$span)) {
    once$span <- bert_fit(the_model(), span(answer, start) ~ question + context, squad_rows(), epochs = 8, seed = 1,
      validation = squad_rows()[1:10, ], verbose = FALSE)
  }
  once$span
}

test_that("a fit answers questions, in characters of the context", {
  data <- squad_rows()
  data$context <- paste("\U0001F600 \u83b1\u8335.", data$context)
  data$question[[2]] <- NA
  out <- bert_predict(span_fit(), data)
  expect_identical(nrow(out), nrow(data))
  expect_true(all(is.na(out[2, ])))
  answered <- which(!is.na(out$.pred_start))
  expect_identical(substr(data$context, out$.pred_start, out$.pred_end)[answered], out$.pred_text[answered])
  expect_gt(mean(out$.pred_text == data$answer, na.rm = TRUE), 0.8)
  expect_identical(out$.pred_text[-c(2, answered)], rep("", 39 - length(answered)))
  best <- bert_predict(span_fit(), data, "nbest")$.pred_nbest
  expect_identical(lengths(best), c(4L, 0L, rep(4L, 38)))
  expect_identical(best[[1]]$text[[1]], out$.pred_text[[1]])
  expect_equal(bert_predict(span_fit(), data[40:1, ]), out[40:1, ], tolerance = 1e-5)
  expect_identical(names(augment(span_fit(), data)), c(names(data), names(out)))
  expect_true(all(c("val_exact_match", "val_f_meas") %in% names(tidy(span_fit()))))
  expect_output(print(span_fit()), "span (answers): span(answer, start) ~ question + context", fixed = TRUE)
})

test_that("predictions are answers to learn from", {
  data <- augment(span_fit(), squad_rows())
  out <- rows_of(data, span(.pred_text, .pred_start) ~ question + context)
  expect_identical(nrow(out), 40L)
  expect_identical(out$end[out$start > 0], data$.pred_end[out$start > 0])
})

test_that("a fit is evaluated as SQuAD does, by kind of question", {
  data <- squad_rows()
  out <- bert_evaluate(span_fit(), data)
  expect_identical(out$.metric, rep(c("exact_match", "f_meas", "n"), 3))
  expect_identical(out$.estimator, rep(c("standard", "answerable", "unanswerable"), each = 3))
  text <- bert_predict(span_fit(), data)$.pred_text
  expect_equal(out$.estimate[[1]], mean(text == data$answer))
  expect_identical(out$.estimate[c(3, 6, 9)], c(40, 32, 8))
  data$answers <- as.list(paste("The", text, "!"))
  some <- bert_evaluate(span_fit(), data[data$answer != "", ])
  expect_identical(some$.metric, c("exact_match", "f_meas"))
  expect_identical(some$.estimate, c(1, 1))
})

test_that("a fit survives a folder and saveRDS()", {
  folder <- withr::local_tempfile()
  file <- withr::local_tempfile()
  bert_save(span_fit(), folder)
  saveRDS(span_fit(), file)
  data <- squad_rows()[1:5, ]
  expected <- bert_predict(span_fit(), data)
  expect_equal(bert_predict(bert_load(folder), data), expected, tolerance = 1e-6)
  again <- fresh(function(file, data) bertr::bert_predict(readRDS(file), data), list(file, data))
  expect_equal(again, expected, tolerance = 1e-6)
})

test_that("long contexts are read in windows", {
  data <- squad_rows(10)
  far <- strrep("It rains all day. ", 200)
  data$context <- paste0(far, data$context, far)
  expect_silent(out <- bert_predict(span_fit(), data))
  found <- !is.na(out$.pred_start)
  expect_identical(substr(data$context, out$.pred_start, out$.pred_end)[found], out$.pred_text[found])
  expect_gt(mean(out$.pred_text == data$answer), 0.6)
})
