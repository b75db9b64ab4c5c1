outcome <- function(y) {
  data <- data.frame(y = y, x = "text")
  spec <- read_formula(y ~ x, data)
  settle_labels(spec, label_outcome(spec, data, "data", NULL), speaker(TRUE), NULL)
}

test_that("levels keep a factor's order, and are sorted otherwise", {
  expect_identical(outcome(factor(c("z", "a", "z", "a"), c("z", "a")))$spec$levels, c("z", "a"))
  expect_identical(outcome(c("b", "B", "a", "b", "B", "a"))$spec$levels, c("B", "a", "b"))
  expect_identical(outcome(c(TRUE, FALSE, TRUE, FALSE))$spec$levels, c("FALSE", "TRUE"))
  expect_identical(outcome(factor(c("lo", "hi", "lo", "hi"), c("lo", "hi"), ordered = TRUE))$spec$type, "ordered")
})

test_that("levels without rows are dropped, with a message", {
  y <- factor(c("a", "c", "a", "c"), c("a", "b", "c"))
  expect_message(settled <- outcome(y), "Dropped 1 level without rows: \"b\"")
  expect_identical(levels(settled$outcome), c("a", "c"))
})

test_that("one class is an error, a class of one row a warning", {
  expect_error(outcome(c("a", "a")), "same label, \"a\"", class = "bertr_error_one_class")
  expect_error(outcome(c(TRUE, TRUE)), "TRUE", class = "bertr_error_one_class")
  expect_warning(outcome(c("a", "a", "b")), "1 class has only one row: \"b\"", class = "bertr_warning_single")
})

test_that("labels cross as 0-based ids and come back as the training levels", {
  target <- task_classification()$target(list(), factor(c("b", "a", "b")))
  expect_identical(target, list(label_ids = c(1L, 0L, 1L), levels = list("a", "b")))
  spec <- list(levels = c("a", "b"), type = "character")
  result <- list(prob = rbind(c(0.2, 0.8), c(0.9, 0.1)), chosen = c(1L, 0L))
  all <- label_predictions(spec, result, c(3L, 1L), 3, "all")
  expect_identical(names(all), c(".pred_class", ".pred_a", ".pred_b"))
  expect_identical(all$.pred_class, factor(c("a", NA, "b"), c("a", "b")))
  expect_identical(all$.pred_b, c(0.1, NA, 0.8))
  expect_identical(names(label_predictions(spec, result, 1:2, 2, "prob")), c(".pred_a", ".pred_b"))
  expect_identical(dim(label_predictions(spec, NULL, integer(), 0, "all")), c(0L, 3L))
})

test_that("a level called class does not take the name of the class column", {
  spec <- list(levels = c("class", "x"), type = "factor")
  names <- names(label_predictions(spec, NULL, integer(), 2, "all"))
  expect_identical(names, c(".pred_class", ".pred_class_1", ".pred_x"))
})

test_that("some of many rows are held out, which tell the temperature", {
  data <- faq(2)
  data <- data[rep(seq_len(nrow(data)), length.out = 1000), ]
  fit <- quick_fit(label ~ text, data, epochs = 1)
  expect_identical(fit$info$held_rows, 100L)
  expect_identical(fit$info$rows, 1000L)
  expect_output(print(fit), "1000 rows, 100 of them held out")
  expect_output(print(fit), "probability temperature [0-9.]+, fitted on the held-out rows")
  valid <- quick_fit(label ~ text, faq(2), validation = faq(2, "valid.csv"))
  expect_output(print(valid), "probability temperature [0-9.]+, fitted on the validation rows")
  plain <- quick_fit(label ~ text, faq(2), validation = faq(2, "valid.csv"), control = bert_control(calibrate = FALSE))
  expect_null(plain$info$temperature)
  prob <- function(fit) as.matrix(bert_predict(fit, faq(2), type = "prob"))
  softmax <- function(z) exp(z) / rowSums(exp(z))
  expect_equal(prob(valid), softmax(log(prob(plain)) / valid$info$temperature), tolerance = 1e-5)
})
