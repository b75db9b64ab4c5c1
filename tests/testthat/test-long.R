# Questions that come after more words than a limit of 60 tokens lets through
long_texts <- function() {
  data <- faq(2)
  filler <- strrep("I would like to say a few words before I come to my question. ", 5)
  data$text <- paste(filler, data$text)
  data
}

test_that("windows and head-and-tail read what truncation cuts off", {
  data <- long_texts()
  accuracy <- function(long, ...) {
    fit <- bert_fit(the_model(), label ~ text, data, train = "head", epochs = 30, max_len = 60, seed = 1,
      control = bert_control(long = long), verbose = FALSE, ...)
    expect_identical(fit$info$rows, nrow(data))
    mean(bert_predict(fit, data)$.pred_class == data$label)
  }
  cut <- suppressMessages(accuracy("truncate"))
  expect_lt(cut, 0.8)
  expect_gt(accuracy("window"), 0.9)
  expect_gt(accuracy("window", head = bert_head(windows = "max")), 0.9)
  expect_gt(accuracy("head_tail"), 0.9)
})

test_that("rows stay in their places, and nothing is reported to be cut", {
  data <- long_texts()
  expect_no_message(
    fit <- bert_fit(the_model(), label ~ text, data, train = "top:1", epochs = 1, max_len = 60, seed = 1,
      control = bert_control(long = "window"), head = bert_head(windows = "attention")),
    message = "longer than"
  )
  all <- bert_predict(fit, c(data$text[1:3], NA))
  expect_true(all(is.na(all[4, ])))
  one <- bert_predict(fit, data$text[2])
  expect_equal(one$.pred_card_arrival, all$.pred_card_arrival[2], tolerance = 1e-5)
  expect_error(bert_control(long = "half"), "truncate", class = "bertr_error_argument")
})
