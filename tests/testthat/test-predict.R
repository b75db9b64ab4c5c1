test_that("predictions have the rows of new_data, in order", {
  data <- faq()
  out <- bert_predict(the_fit(), data)
  expect_s3_class(out, "tbl_df")
  expect_identical(names(out), c(".pred_class", paste0(".pred_", the_fit()$spec$levels)))
  expect_identical(nrow(out), nrow(data))
  expect_equal(rowSums(out[-1]), rep(1, nrow(data)), tolerance = 1e-6)
  order <- rev(seq_len(nrow(data)))
  expect_equal(bert_predict(the_fit(), data[order, ]), out[order, ], tolerance = 1e-5)
  expect_equal(bert_predict(the_fit(), data$text), out)
  expect_equal(bert_predict(the_fit(), data$text[[2]]), out[2, ], tolerance = 1e-5)
  expect_identical(predict(the_fit(), data), out)
})

test_that("NA texts give NA, empty ones and factors a prediction", {
  out <- bert_predict(the_fit(), c(NA, "", "Where is my card?"))
  expect_identical(is.na(out$.pred_class), c(TRUE, FALSE, FALSE))
  expect_true(all(is.na(out[1, ])))
  expect_warning(none <- bert_predict(the_fit(), c(NA_character_, NA)), "All texts", class = "bertr_warning_no_texts")
  expect_true(all(is.na(none)) && nrow(none) == 2)
  expect_no_warning(bert_predict(the_fit(), character()))
  expect_identical(dim(bert_predict(the_fit(), character())), c(0L, 4L))
  expect_identical(dim(bert_predict(the_fit(), faq()[0, ])), c(0L, 4L))
  alone <- bert_predict(the_fit(), data.frame(text = factor("Where is my card?")))
  expect_identical(alone$.pred_class, out$.pred_class[[3]])
  expect_lt(max(abs(as.matrix(alone[-1]) - as.matrix(out[3, -1]))), 1e-6) # a batch of another size rounds differently
})

test_that("type chooses the columns", {
  expect_identical(names(bert_predict(the_fit(), "a", "class")), ".pred_class")
  expect_identical(ncol(predict(the_fit(), "a", type = "prob")), 3L)
  expect_error(bert_predict(the_fit(), "a", "link"), "\"class\"", class = "bertr_error_argument")
})

test_that("new data that cannot be used is reported", {
  expect_error(bert_predict(the_fit(), data.frame(x = "a")), "`new_data` has no column \"text\"",
    class = "bertr_error_column")
  expect_error(bert_predict(the_fit(), data.frame(text = 1)), "must be text, not a number", class = "bertr_error_text")
  expect_error(bert_predict(the_fit(), c("a", "\xff")), "row 2", class = "bertr_error_encoding")
  expect_error(bert_predict(the_model(), "a"), "bert_fit\\(\\)", class = "bertr_error_pair")
})

test_that("augment() adds the predictions", {
  out <- augment(the_fit(), faq()[1:2, ])
  expect_identical(names(out), c("text", "label", ".pred_class", paste0(".pred_", the_fit()$spec$levels)))
  expect_s3_class(out, "tbl_df")
  expect_identical(names(augment(the_fit(), faq()[1:2, ], type = "class")), c("text", "label", ".pred_class"))
})

test_that("augment() overwrites nothing", {
  data <- faq()[1:2, ]
  once <- augment(the_fit(), data, type = "class")
  expect_error(augment(the_fit(), once), "already has a column \".pred_class\"", class = "bertr_error_column")
  added <- paste0(".pred_", the_fit()$spec$levels)
  expect_identical(names(augment(the_fit(), once, type = "prob")), c(names(once), added))
  twice <- cbind(data, other = 1, other = 2)
  names(twice)[4] <- "other"
  expect_identical(unname(as.list(augment(the_fit(), twice, type = "class")))[3:4], list(c(1, 1), c(2, 2)))
})

test_that("newdata is new_data, as R's own models have it", {
  data <- faq()[1:2, ]
  expect_identical(predict(the_fit(), newdata = data), bert_predict(the_fit(), data))
  expect_identical(augment(the_fit(), newdata = data), augment(the_fit(), data))
  expect_error(predict(the_fit(), data, newdata = data), "is another name for `new_data`",
    class = "bertr_error_argument")
  expect_error(predict(the_fit()), "`new_data` is missing", class = "bertr_error_data")
})

test_that("texts of odd kinds are predicted or told", {
  nothing <- suppressWarnings(bert_predict(the_fit(), data.frame(text = c(NA, NA)))) # logical
  expect_true(all(is.na(nothing)) && nrow(nothing) == 2)
  expect_error(bert_predict(the_fit(), NULL), "text, not NULL", class = "bertr_error_text")
  expect_error(bert_predict(the_fit(), list("a", "b")), "each element into one text", class = "bertr_error_text")
  data <- faq()[1:4, ]
  data$text <- matrix(letters[1:8], 4)
  expect_error(bert_predict(the_fit(), data), "\"text\" of `new_data` must be text, not a character matrix",
    class = "bertr_error_text")
  data$text <- matrix(letters[1:4], 4)
  expect_identical(bert_predict(the_fit(), data), bert_predict(the_fit(), letters[1:4]))
  grouped <- structure(faq()[1:4, ], class = c("data.table", "data.frame"))
  expect_identical(bert_predict(the_fit(), grouped), bert_predict(the_fit(), faq()[1:4, ]))
  names(data)[2] <- "text"
  expect_error(bert_predict(the_fit(), data), "more than one column \"text\"", class = "bertr_error_column")
})

test_that("long texts are cut, with one message", {
  expect_message(bert_predict(the_fit(), c("a", strrep("word ", 400))), "1 of 2 texts is longer than 256 tokens")
})

test_that("a fit is evaluated on labeled rows only", {
  data <- faq()
  data$label[[1]] <- NA
  expect_message(out <- bert_evaluate(the_fit(), data), "Dropped 1 of 22 rows")
  expect_identical(out$.metric, c("accuracy", "kap", "f_meas", "mn_log_loss", "ece"))
  class <- bert_predict(the_fit(), data[-1, ])$.pred_class
  expect_equal(out$.estimate[[1]], mean(as.character(class) == data$label[-1]))
  expect_error(bert_evaluate(the_fit(), data["text"]), "no column \"label\"", class = "bertr_error_column")
})
