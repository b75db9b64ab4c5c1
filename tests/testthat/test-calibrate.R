yes_no <- function(file = "train.csv") {
  data <- faq(3, file)
  data$card <- data$label == "card_arrival"
  data
}

test_that("classes follow the threshold, which the fit keeps", {
  fit <- quick_fit(card ~ text, yes_no())
  other <- yes_no("valid.csv")
  before <- bert_predict(fit, other)
  new <- bert_calibrate(fit, other, threshold = "f_meas")
  found <- new$info$event_threshold
  expect_identical(found[c("event", "measure")], list(event = 1L, measure = "f_meas"))
  expect_null(fit$info$event_threshold)
  expect_identical(bert_predict(fit, other), before)
  after <- bert_predict(new, other)
  expect_identical(after$.pred_class == "TRUE", after$.pred_TRUE > found$value)
  # halfway between two probabilities, and no other cut is better
  f_meas <- function(chosen) 2 * sum(chosen & other$card) / (sum(chosen) + sum(other$card))
  cuts <- vapply(after$.pred_TRUE, function(at) f_meas(after$.pred_TRUE >= at), 0)
  expect_equal(f_meas(after$.pred_class == "TRUE"), max(cuts))
  metrics <- bert_evaluate(new, other)
  expect_equal(metrics$.estimate[metrics$.metric == "f_meas" & metrics$.estimator == "binary"], max(cuts))
  # with softmax of two classes the log-odds are divided by the temperature
  odds <- function(p) log(p$.pred_TRUE / p$.pred_FALSE)
  expect_equal(odds(after), odds(before) / new$info$temperature, tolerance = 1e-5)
  expect_identical(new$info$calibration_rows, nrow(other))

  folder <- withr::local_tempdir()
  bert_save(new, folder)
  back <- bert_load(folder)
  expect_equal(bert_predict(back, other), after, tolerance = 1e-6)
  expect_identical(back$info$event_threshold, found)
  # a fit from a folder is calibrated without it
  again <- bert_calibrate(back, other)
  expect_null(again$info$event_threshold)
  expect_identical(bert_load(folder)$info$event_threshold, found)
  again$handle <- new_handle(NULL) # as in another session
  expect_equal(bert_predict(again, other)$.pred_TRUE, after$.pred_TRUE, tolerance = 1e-6)
})

test_that("a computed outcome and an ordinary event are calibrated too", {
  fit <- quick_fit(label == "card_arrival" ~ text, yes_no())
  new <- bert_calibrate(fit, yes_no("valid.csv"), threshold = "accuracy", event = FALSE)
  expect_identical(new$info$event_threshold$event, 0L)
  expect_s3_class(bert_evaluate(new, yes_no("valid.csv")), "tbl_df")
})

test_that("labels get the thresholds of the rows", {
  data <- yes_no()
  data$long <- nchar(data$text) > 60
  fit <- quick_fit(cbind(card, long) ~ text, data, control = bert_control(threshold = 0.99))
  new <- bert_calibrate(fit, data)
  expect_identical(fit$info$thresholds, c(0.99, 0.99))
  prob <- bert_predict(new, data, type = "prob")
  expect_identical(bert_predict(new, data)$.pred_long, prob$.pred_long > new$info$thresholds[[2]])
})
