labelled <- function() {
  data <- faq(4)
  data$card <- grepl("card", data$text)
  data$long <- as.integer(nchar(data$text) > 60)
  data$tags <- lapply(seq_len(nrow(data)), function(i) c("card", "long")[c(data$card[i], data$long[i] == 1)])
  data
}

test_that("labels in columns and in a list-column are the same task", {
  data <- labelled()
  wide <- quick_fit(cbind(card, long) ~ text, data, epochs = 20)
  list <- quick_fit(tags ~ text, data, epochs = 20)
  expect_identical(c(wide$spec$task, list$spec$task), c("multilabel", "multilabel"))
  prob <- bert_predict(wide, data, type = "prob")
  expect_named(prob, c(".pred_card", ".pred_long"))
  expect_equal(bert_predict(list, data, type = "prob"), prob, tolerance = 1e-6)
  chosen <- bert_predict(wide, data)
  expect_type(chosen$.pred_card, "logical")
  labels <- bert_predict(list, data)$.pred_labels
  expect_identical(vapply(labels, function(x) "card" %in% x, NA), chosen$.pred_card)
  expect_identical(vapply(labels, function(x) "long" %in% x, NA), chosen$.pred_long)
  expect_output(print(wide), "multilabel (2 labels): cbind(card, long) ~ text", fixed = TRUE)
})

test_that("metrics agree with a hand count", {
  data <- labelled()
  fit <- quick_fit(cbind(card, long) ~ text, data, epochs = 20)
  chosen <- as.matrix(bert_predict(fit, data))
  truth <- cbind(data$card, data$long == 1)
  f <- function(t, p) 2 * sum(t & p) / (sum(t) + sum(p))
  metrics <- bert_evaluate(fit, data)
  value <- function(metric, estimator) metrics$.estimate[metrics$.metric == metric & metrics$.estimator == estimator]
  expect_equal(value("f_meas", "macro"), mean(c(f(truth[, 1], chosen[, 1]), f(truth[, 2], chosen[, 2]))))
  expect_equal(value("f_meas", "micro"), f(truth, chosen))
  expect_equal(value("accuracy", "multilabel"), mean(truth[, 1] == chosen[, 1] & truth[, 2] == chosen[, 2]))
  expect_gt(value("f_meas", "macro"), 0.7)
})

test_that("missing labels and texts lose no row", {
  data <- labelled()
  data$card[2] <- NA
  data$tags[[3]] <- NA_character_
  expect_message(bert_fit(the_model(), cbind(card, long) ~ text, data, train = "head", epochs = 1), "Dropped 1 of")
  expect_message(fit <- bert_fit(the_model(), tags ~ text, data, train = "head", epochs = 1), "Dropped 1 of")
  some <- data[1:3, ]
  some$text[2] <- NA
  expect_null(bert_predict(fit, some)$.pred_labels[[2]])
  expect_identical(nrow(bert_predict(fit, some[0, ], type = "prob")), 0L)
  expect_identical(is.na(bert_predict(fit, some, type = "prob")$.pred_card), c(FALSE, TRUE, FALSE))
})

test_that("what labels cannot be is reported", {
  data <- labelled()
  data$many <- seq_len(nrow(data))
  data$none <- FALSE
  expect_warning(quick_fit(cbind(card, none) ~ text, data, epochs = 1), "the same value in all rows: \"none\"",
    class = "bertr_warning_single")
  fit <- quick_fit(tags ~ text, data, epochs = 1)
  data$tags[[1]] <- "new"
  expect_message(bert_evaluate(fit, data), "not seen in training, \"new\", in 1 row: counted as wrong")
  wide <- quick_fit(cbind(card, long) ~ text, data, epochs = 1)
  data$long[1] <- 7
  expect_error(bert_evaluate(wide, data), "\"long\" of `new_data` must be 0, 1, TRUE or FALSE, but is not in row 1",
    class = "bertr_error_outcome")
  data$tags[c(2, 4)] <- list(7, TRUE)
  expect_error(quick_fit(tags ~ text, data), "other than labels in rows 2, 4", class = "bertr_error_outcome")
  data$tags <- "card"
  expect_error(bert_evaluate(fit, data), "must be a list of character vectors", class = "bertr_error_outcome")
})
