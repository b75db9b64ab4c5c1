measured <- function() {
  data <- faq(4)
  data$size <- 1000 + 3 * nchar(data$text)
  data$card <- 5 - 10 * grepl("card", data$text)
  data
}

test_that("numbers are learnt and given back in their unit", {
  data <- measured()
  fit <- quick_fit(cbind(size, card) ~ text, data, epochs = 60)
  expect_identical(fit$spec$task, "regression")
  out <- bert_predict(fit, c(data$text, NA))
  expect_named(out, c(".pred_size", ".pred_card"))
  expect_identical(which(is.na(out$.pred_size)), nrow(data) + 1L)
  out <- out[seq_len(nrow(data)), ]
  expect_gt(cor(out$.pred_size, data$size), 0.7)
  expect_lt(abs(mean(out$.pred_size) - mean(data$size)), sd(data$size))
  measures <- bert_evaluate(fit, data)
  value <- function(outcome, metric) measures$.estimate[measures$.outcome == outcome & measures$.metric == metric]
  expect_equal(value("size", "rmse"), sqrt(mean((out$.pred_size - data$size)^2)))
  expect_equal(value("card", "spearman"), cor(out$.pred_card, data$card, method = "spearman"))
  one <- quick_fit(size ~ text, data, epochs = 2)
  expect_named(bert_predict(one, data), ".pred")
  expect_named(bert_evaluate(one, data), c(".metric", ".estimator", ".estimate"))
  expect_output(print(one), "regression of 1 number: size ~ text")
})

test_that("the cosine of a pair can be the outcome", {
  data <- data.frame(a = faq()$text, b = rev(faq()$text))
  unit <- function(x) bert_embed(the_model(), x, normalise = TRUE)
  data$score <- 100 * rowSums(unit(data$a) * unit(data$b))
  fit <- quick_fit(score ~ a + b, data, head = bert_head(pair = "cosine"), epochs = 1)
  expect_equal(bert_predict(fit, data)$.pred, data$score, tolerance = 0.05)
  expect_error(quick_fit(score ~ a, data, head = bert_head(pair = "cosine")), "two text columns",
    class = "bertr_error_pairs")
})

test_that("numbers that cannot be learnt are refused", {
  data <- measured()
  data$same <- 1
  data$infinite <- c(Inf, rep(0, nrow(data) - 1))
  data$yes <- as.integer(data$card > 0)
  expect_error(quick_fit(same ~ text, data), "same number in \"same\"", class = "bertr_error_one_value")
  expect_error(quick_fit(infinite ~ text, data), "\"infinite\" of `data` is infinite in row 1",
    class = "bertr_error_outcome")
  expect_message(bert_fit(the_model(), yes ~ text, data, train = "head", epochs = 1), "make it a factor")
})
