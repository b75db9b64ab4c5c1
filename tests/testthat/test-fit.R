test_that("a fit says what was trained on what", {
  fit <- quick_fit(label ~ text, faq(), validation = faq(file = "valid.csv"))
  expect_s3_class(fit, "bert_fit")
  expect_identical(fit$spec$levels, c("cancel_transfer", "card_arrival", "card_swallowed"))
  expect_identical(tidy(fit)$epoch, 1:2)
  expect_true(all(c("loss", "accuracy", "val_loss", "val_accuracy") %in% names(tidy(fit))))
  expect_identical(glance(fit)$rows, 22L)
  expect_identical(glance(fit)$valid_rows, 6L)
  expect_identical(nrow(glance(fit)), 1L)
  expect_output(print(fit), "classification (3 classes): label ~ text", fixed = TRUE)
  expect_output(print(fit), "22 rows, 6 for validation")
  expect_output(print(summary(fit)), "classes: cancel_transfer, card_arrival, card_swallowed")
})

test_that("fine-tuning learns, in all its modes", {
  data <- faq()
  for (train in c("all", "top:2", "head")) {
    fit <- quick_fit(label ~ text, data, train = train, epochs = 8)
    expect_gt(bert_evaluate(fit, data, verbose = FALSE)$.estimate[[1]], 0.9)
    expect_identical(fit$info$train, train)
  }
  deep <- quick_fit(label ~ text, data, head = bert_head(c(16, 8), dropout = 0.1, pool = "cls"), epochs = 3)
  expect_identical(deep$info$pool, "cls")
  # each dense layer has a weight from every unit below and a bias
  expect_equal(deep$info$parameters_trained, 385 * 16 + 17 * 8 + 9 * 3)
})

test_that("outcomes may be factors, characters or logical, texts one or two", {
  data <- faq(2)
  data$is <- data$label == "card_arrival"
  data$more <- rev(data$text)
  expect_identical(levels(bert_predict(quick_fit(is ~ text, data, epochs = 1), "a")$.pred_class), c("FALSE", "TRUE"))
  data$label <- factor(data$label, c("card_arrival", "cancel_transfer"), ordered = TRUE)
  fit <- quick_fit(label ~ text + more, data, epochs = 1)
  out <- bert_predict(fit, data)
  expect_s3_class(out$.pred_class, "ordered")
  expect_identical(levels(out$.pred_class), levels(data$label))
  expect_error(bert_predict(fit, "one text"), "must be a data frame", class = "bertr_error_data")
})

test_that("one seed gives one fit", {
  a <- quick_fit(label ~ text, faq(), train = "top:1", validation = 0.3, seed = 7)
  b <- quick_fit(label ~ text, faq(), train = "top:1", validation = 0.3, seed = 7)
  c <- quick_fit(label ~ text, faq(), train = "top:1", validation = 0.3, seed = 8)
  expect_identical(bert_predict(a, faq()), bert_predict(b, faq()))
  expect_false(identical(bert_predict(a, faq()), bert_predict(c, faq())))
  set.seed(3)
  seed <- bert_fit(the_model(), label ~ text, faq(), train = "head", epochs = 1, verbose = FALSE)$info$seed
  set.seed(3)
  expect_identical(seed, sample.int(.Machine$integer.max, 1))
})

test_that("long texts are counted with one message", {
  expect_message(
    bert_fit(the_model(), label ~ text, faq(), train = "head", epochs = 1, max_len = 8),
    "texts are longer than 8 tokens and were truncated"
  )
})

test_that("bad arguments are reported before anything runs", {
  fit <- function(...) bert_fit(the_model(), label ~ text, faq(), ..., verbose = FALSE)
  expect_error(fit(train = "some"), "\"all\", \"head\" or \"top:k\"", class = "bertr_error_argument")
  expect_error(fit(train = "top:9"), "layers 1 to 6", class = "bertr_error_argument")
  expect_error(fit(max_len = 600), "only 512 positions", class = "bertr_error_max_len")
  expect_error(fit(epochs = 0), "`epochs`", class = "bertr_error_argument")
  expect_error(fit(learning_rate = 0), "above 0", class = "bertr_error_argument")
  expect_error(fit(batch_size = 1.5), "whole number", class = "bertr_error_argument")
  expect_error(fit(head = list()), "bert_head\\(\\)", class = "bertr_error_argument")
  expect_error(fit(seed = -1), "`seed`", class = "bertr_error_argument")
  expect_error(bert_fit(1, label ~ text, faq()), "bert_load\\(\\)", class = "bertr_error_argument")
  expect_error(bert_fit(the_model(), label ~ text, as.list(faq())), "data frame", class = "bertr_error_data")
  expect_error(bert_fit(the_model(), label ~ text, faq()[0, ]), "no rows", class = "bertr_error_no_rows")
  expect_error(bert_fit(the_model(), label ~ text, faq(1)), "same label", class = "bertr_error_one_class")
})

test_that("the call in an error is the user's", {
  error <- tryCatch(bert_fit(the_model(), label ~ txt, faq()), error = identity)
  expect_identical(as.character(conditionCall(error)[[1]]), "bert_fit")
  error <- tryCatch(bert_predict(the_fit(), data.frame(x = "a")), error = identity)
  expect_identical(as.character(conditionCall(error)[[1]]), "bert_predict")
})

test_that("a fit that nobody holds is gone before the next one is trained", {
  freed <- FALSE
  reg.finalizer(quick_fit(label ~ text, faq(), train = "top:1", epochs = 1)$handle, function(e) freed <<- TRUE)
  seen <- NULL
  local_reporter(function(kind, values) seen <<- c(seen, freed))
  quick_fit(label ~ text, faq(), train = "top:1", epochs = 1)
  expect_true(seen[[1]])
})
