test_that("~ text continues pre-training", {
  fit <- the_words()
  expect_identical(fit$spec, list(task = "mlm", text = "text", lhs = ""))
  expect_lt(fit$history$loss[[3]], fit$history$loss[[1]])
  expect_true(all(c("val_loss", "val_accuracy") %in% names(tidy(fit))))
  expect_output(print(fit), "mlm (masked words): ~ text", fixed = TRUE)
  expect_identical(glance(fit)$valid_rows + glance(fit)$rows, nrow(faq()))
  expect_error(bert_predict(fit, "a"), "bert_fill_mask", class = "bertr_error_no_predictions")
  again <- quick_fit(~text, faq(), train = "top:1", validation = 0.2, learning_rate = 1e-3, epochs = 3)
  expect_identical(again$history$loss, fit$history$loss)
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  expect_identical(plot(fit), fit)
})

test_that("masks are filled with the likeliest tokens", {
  texts <- c(NA, "My [MASK] is [MASK].", "none here", "Caf\u00e9 \U1F600 [MASK]")
  out <- bert_fill_mask(the_words(), texts, top = 2, verbose = FALSE)
  expect_identical(names(out), c("row", "mask", "rank", "token", "probability", "text"))
  expect_identical(out$row, c(2L, 2L, 2L, 2L, 4L, 4L))
  expect_identical(out$mask, c(1L, 1L, 2L, 2L, 1L, 1L))
  expect_identical(out$rank, rep(1:2, 3))
  expect_true(all(out$probability[out$rank == 1] >= out$probability[out$rank == 2]))
  expect_identical(out$text[[1]], paste0("My ", out$token[[1]], " is [MASK]."))
  expect_identical(out$text[[5]], paste0("Caf\u00e9 \U1F600 ", out$token[[5]]))
  expect_message(bert_fill_mask(the_words(), texts), "1 of 4 texts has no")
  local_chunk_size(2)
  expect_equal(bert_fill_mask(the_words(), texts, top = 2, verbose = FALSE), out, tolerance = 1e-5)
  none <- bert_fill_mask(the_words(), c(NA, "none"), verbose = FALSE)
  expect_identical(dim(none), c(0L, 6L))
  expect_identical(vapply(none, typeof, ""), vapply(out, typeof, ""))
  every <- bert_fill_mask(the_words(), texts[[2]], top = 30522)
  expect_equal(sum(every$probability), 2, tolerance = 1e-6)
})

test_that("targets are what is chosen from", {
  out <- bert_fill_mask(the_words(), "My [MASK]", targets = c("Card", "money"))
  expect_identical(sort(out$token), c("card", "money"))
  expect_identical(bert_fill_mask(the_words(), "My [MASK]", targets = "card")$token, "card")
  expect_error(bert_fill_mask(the_words(), "My [MASK]", targets = c("card", "antidisestablishment")), "single tokens",
    class = "bertr_error_targets")
  expect_error(bert_fill_mask(the_words(), "a", targets = NA_character_), "no NA",
    class = "bertr_error_argument")
})

test_that("a model without the head says so", {
  expect_error(bert_fill_mask(the_model(), "a [MASK]"), "no masked-word head", class = "bertr_error_no_mlm")
  expect_error(bert_fill_mask(the_fit(), "a [MASK]"), "bert_fit", class = "bertr_error_no_mlm")
  expect_error(bert_fill_mask(the_words(), "a", top = 0), "`top`", class = "bertr_error_argument")
})

test_that("masks cut off are reported", {
  expect_message(out <- bert_fill_mask(the_words(), c("a [MASK]", "a b c d e f [MASK]"), top = 1, max_len = 6),
    "1 of 2 texts is longer than 6")
  expect_identical(out$row, 1L)
})

test_that("masked words are evaluated", {
  fit <- the_words()
  out <- bert_evaluate(fit, faq(file = "valid.csv"), verbose = FALSE)
  expect_identical(out$.metric, c("accuracy", "mn_log_loss", "perplexity"))
  expect_equal(out$.estimate[[3]], exp(out$.estimate[[2]]))
  expect_identical(bert_evaluate(fit, faq(file = "valid.csv"), verbose = FALSE), out)
})

test_that("two columns add whether one follows the other, and whole words can be masked", {
  data <- faq()
  data$more <- rev(data$text)
  fit <- quick_fit(~ text + more, data, train = "head", epochs = 1, validation = data[1:6, ],
    control = bert_control(whole_words = TRUE))
  expect_output(print(fit), "mlm (masked words and next sentences): ~ text + more", fixed = TRUE)
  expect_true("val_nsp_accuracy" %in% names(tidy(fit)))
  expect_true("nsp_accuracy" %in% bert_evaluate(fit, data, verbose = FALSE)$.metric)
  data$text[[2]] <- NA
  follows <- bert_predict(fit, data)
  expect_named(follows, ".pred_next")
  expect_identical(which(is.na(follows$.pred_next)), 2L)
  expect_true(all(follows$.pred_next[-2] > 0 & follows$.pred_next[-2] < 1))
  expect_equal(bert_predict(fit, data[c(5, 3), ])$.pred_next, follows$.pred_next[c(5, 3)], tolerance = 1e-5)
  expect_identical(augment(fit, data[2:3, ])$.pred_next, bert_predict(fit, data[2:3, ])$.pred_next)
  expect_error(bert_control(whole_words = NA), "whole_words", class = "bertr_error_argument")
})

test_that("a fit is a model to fit on", {
  fit <- bert_fit(the_words(), label ~ text, faq(), train = "head", epochs = 2, seed = 1, verbose = FALSE)
  expect_identical(levels(bert_predict(fit, "a")$.pred_class), fit$spec$levels)
  base <- quick_fit(label ~ text, faq())
  expect_false(isTRUE(all.equal(bert_embed(fit, "a card"), bert_embed(base, "a card"))))
  expect_equal(bert_embed(fit, "a card"), bert_embed(the_words(), "a card"), tolerance = 1e-5)
  # nothing but the fit itself holds its encoder
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(fit, folder)
  expect_identical(bert_predict(bert_load(folder), faq()), bert_predict(fit, faq()))
  file <- withr::local_tempfile()
  saveRDS(list(fit, the_words()), file)
  out <- fresh(function(file, data) {
    library(bertr)
    fits <- readRDS(file)
    list(predicted = bert_predict(fits[[1]], data), filled = bert_fill_mask(fits[[2]], "a [MASK]"))
  }, list(file, faq()))
  expect_identical(out$predicted, bert_predict(fit, faq()))
  expect_equal(out$filled, bert_fill_mask(the_words(), "a [MASK]"), tolerance = 1e-6)
})

test_that("a fit by ~ text survives its folder", {
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_words(), folder)
  loaded <- bert_load(folder)
  expect_identical(loaded$spec, the_words()$spec)
  expect_equal(bert_fill_mask(loaded, "a [MASK]"), bert_fill_mask(the_words(), "a [MASK]"), tolerance = 1e-6)
})

test_that("a pre-trained model says which texts follow each other", {
  # the heads that a fit trained, in a model of Hugging Face's format
  data <- data.frame(a = faq()$text, b = rev(faq()$text))
  fit <- quick_fit(~ a + b, data, train = "top:1", epochs = 1)
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(fit, folder)
  unlink(file.path(folder, "bertr.json"))
  model <- bert_load(folder)
  expect_s3_class(model, "bert_model")
  expected <- bert_predict(fit, data)
  expect_equal(bert_predict(model, data, c(a, b)), expected, tolerance = 1e-5)
  expect_equal(bert_predict(model, data$a, data$b), expected, tolerance = 1e-5)
  expect_equal(bert_predict(model, data, text = ~ a + b), expected, tolerance = 1e-5)
  expect_message(bert_predict(model, data, c(a, b), max_len = 10), "truncated")
})
