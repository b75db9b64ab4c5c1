# Drawings of figures that never change, compared line by line with the committed ones
expect_picture <- function(title, draw) {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger(title, draw)
}

fit_with <- function(history) {
  fit <- the_fit()
  fit$history <- history
  fit
}

test_that("the history of a fit", {
  history <- tibble::tibble(epoch = 1:4, loss = c(1.2, 0.7, 0.5, 0.4), learning_rate = 1e-4)
  expect_picture("training alone", function() plot(fit_with(history)))
  history$val_loss <- c(1.1, 0.8, 0.7, 0.75)
  history$val_accuracy <- c(0.5, 0.7, 0.8, 0.78)
  expect_picture("training and validation", function() plot(fit_with(history)))
  expect_picture("settings of the user", function() {
    plot(fit_with(history), main = "A title", xlab = "pass", type = "l", ylim = c(0, 2))
  })
  history$val_f_meas <- c(0.4, 0.6, 0.65, 0.6)
  history$val_kap <- c(-0.1, 0.5, 0.6, 0.5)
  best <- fit_with(history)
  best$info$best_epoch <- 3
  expect_picture("more than three metrics and the best epoch", function() plot(best))
})

test_that("attention", {
  tokens <- c("[CLS]", "how", "much", "?", "[SEP]")
  values <- array(0, c(1, 2, 5, 5), dimnames = list(layer = "1", head = c("1", "2"), from = tokens, to = tokens))
  values[1, 1, , ] <- diag(5)
  values[1, 2, , ] <- outer(1:5, 1:5, function(from, to) to / 15)
  attention <- structure(values, class = "bert_attention")
  expect_picture("one head", function() plot(attention, layer = 1, head = 2))
  expect_picture("the mean of two heads", function() plot(attention))
  expect_picture("special tokens too", function() plot(attention, special = TRUE))
})

test_that("explanations", {
  why <- fixed_reasons()
  expect_picture("words of one text", function() plot(why[why$row == 1, ]))
  expect_picture("words of two texts", function() plot(why))
})
