priced <- function() {
  data <- faq()
  data$price <- exp(nchar(data$text) / 20)
  data$code <- match(data$label, unique(data$label))
  data$long <- nchar(data$text) > 50
  data
}

test_that("an outcome may be computed in the data, as in lm()", {
  data <- priced()
  fit <- quick_fit(factor(code) ~ text, data)
  by_hand <- quick_fit(label ~ text, transform(data, label = factor(code)))
  expect_identical(bert_predict(fit, data$text), bert_predict(by_hand, data$text))
  expect_equal(bert_evaluate(fit, data), bert_evaluate(by_hand, transform(data, label = factor(code))))
  expect_identical(format(formula(fit)), "factor(code) ~ text")
  expect_output(print(fit), "classification (3 classes): factor(code) ~ text", fixed = TRUE)

  cutoff <- 12
  fit <- quick_fit((price >= cutoff) ~ text, data, validation = data)
  expect_identical(fit$spec$levels, c("FALSE", "TRUE"))
  expect_identical(names(augment(fit, data["text"])), c("text", ".pred_class", ".pred_FALSE", ".pred_TRUE"))
  truth <- data$price >= 12
  expect_equal(bert_evaluate(fit, data)$.estimate[[1]], mean((bert_predict(fit, data)$.pred_class == "TRUE") == truth))

  numbers <- quick_fit(cbind(log(price), code) ~ text, data)
  expect_named(bert_predict(numbers, data), c(".pred_log(price)", ".pred_code"))
  labels <- quick_fit(cbind(dear = price > 12, long) ~ text, data)
  expect_named(bert_predict(labels, data), c(".pred_dear", ".pred_long"))
  expect_identical(labels$spec$outcome, c("dear", "long"))
})

test_that("a start that counts from 0 can be shifted in the formula", {
  data <- tibble(question = "Who?", context = "the red cat", answer = "cat", at = 8)
  computed <- find_computed(span(answer, at + 1) ~ question + context, data, NULL)
  spec <- read_formula(computed$formula, add_computed(computed, data, "data", NULL))
  expect_identical(spec$start, "at + 1")
  expect_identical(span_outcome(spec, add_computed(computed, data, "data", NULL), "data", NULL)$start, 9L)
})

test_that("only what the expression needs is kept with the fit, and it goes along in saveRDS()", {
  make <- function() {
    huge <- stats::runif(1e6)
    cutoff <- 12
    find_computed((price >= cutoff) ~ text, priced(), NULL)
  }
  kept <- make()
  expect_setequal(ls(kept$env), "cutoff")
  cutoff <- 12
  fit <- quick_fit((price >= cutoff) ~ text, priced())
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_equal(fresh(function(file, data) bertr::bert_evaluate(readRDS(file), data), list(file, priced())),
    bert_evaluate(fit, priced()), tolerance = 1e-6)
})

test_that("no code comes out of a folder", {
  data <- priced()
  fit <- quick_fit(log(price) ~ text, data)
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(fit, folder)
  meta <- file.path(folder, "bertr.json")
  json <- gsub("log(price)", "stop('code was run')", readLines(meta, warn = FALSE), fixed = TRUE)
  loaded <- bert_load(folder)
  expect_identical(formula(loaded), formula(fit), ignore_attr = TRUE)
  expect_error(bert_evaluate(loaded, data), "no column \"log\\(price\\)\".*Add the column first",
    class = "bertr_error_column")
  data[["log(price)"]] <- log(data$price)
  expect_equal(bert_evaluate(loaded, data), bert_evaluate(fit, priced()), tolerance = 1e-6)
  writeLines(json, meta)
  hostile <- bert_load(folder)
  expect_error(bert_evaluate(hostile, data), "no column", class = "bertr_error_column")
  expect_type(formula(hostile)[[2]], "language")
  expect_output(print(hostile), "regression")
})

test_that("what cannot be computed gives a one-sentence error", {
  data <- priced()
  says <- function(formula, message, class) {
    expect_error(quick_fit(formula, data), message, class = paste0("bertr_error_", class))
  }
  says(data$label ~ text, "`data\\$label` uses no column of `data`", "formula")
  says(log(prize) ~ text, "no column \"prize\"", "column")
  says(log(score) ~ text, "no column \"score\"", "column") # a function inside of bertr
  says(log(label) ~ text, "`log\\(label\\)` could not be evaluated in `data`: non-numeric", "outcome")
  says(label[1:3] ~ text, "returns 3 values, but `data` has 22 rows", "outcome")
  says(poly(price, 2) ~ text, "has 2 columns", "outcome")
  says(label ~ paste(text, label), "Add it to the data first", "formula")
  fit <- quick_fit(log(price) ~ text, data)
  expect_error(bert_evaluate(fit, data["text"]), "`new_data` has no column \"price\"", class = "bertr_error_column")
  expect_error(quick_fit(log(price) ~ text, data, validation = data["text"]), "`validation` has no column \"price\"",
    class = "bertr_error_column")
})

test_that("formula() returns the formula", {
  data <- priced()
  names(data)[names(data) == "label"] <- "my label"
  fit <- quick_fit(`my label` ~ text, data)
  expect_identical(formula(fit), `my label` ~ text, ignore_attr = TRUE)
  expect_output(print(fit), "`my label` ~ text", fixed = TRUE)
  expect_identical(formula(the_words()), ~text, ignore_attr = TRUE)
  old <- function(lhs, ...) spec_lhs(list(lhs = lhs, ...))
  expect_identical(old("my label", outcome = "my label"), quote(`my label`))
  expect_identical(old("span(answer, start)", answer = "answer"), quote(span(answer, start)))
})
