# Drawings of figures that never change, compared line by line with the committed ones
expect_picture <- function(title, draw) {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger(title, draw)
}

# The same drawn by ggplot2, whose versions differ in details
expect_ggplot <- function(title, object, ...) {
  skip_if_not_installed("ggplot2", "3.4.0")
  if (utils::packageVersion("ggplot2") < "3.5") {
    expect_picture(paste("ggplot2", title), ggplot2::autoplot(object, ...))
  }
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
  history$accuracy <- c(0.4, 0.75, 0.9, 0.95)
  history$val_accuracy <- c(0.5, 0.7, 0.8, 0.78)
  expect_picture("training and validation", function() plot(fit_with(history)))
  expect_picture("settings of the user", function() {
    plot(fit_with(history), main = "A title", xlab = "pass", type = "l", ylim = c(0, 2))
  })
  history$accuracy <- NULL # as in tasks without it, and in older fits
  history$val_f_meas <- c(0.4, 0.6, 0.65, 0.6)
  history$val_kap <- c(-0.1, 0.5, 0.6, 0.5)
  best <- fit_with(history)
  best$info$best_epoch <- 3
  expect_picture("more than three metrics and the best epoch", function() plot(best))
  expect_ggplot("more than three metrics and the best epoch", best)
})

test_that("a confusion matrix", {
  few <- rbind(c(10L, 2L, 0L), c(0L, 5L, 1L), c(0L, 0L, 0L), c(1L, 1L, 3L))
  few <- new_confusion(few, c("transfer", "arrival", "age", "unseen"), c("transfer", "arrival", "age"))
  expect_picture("three classes and an unseen one", function() plot(few))
  expect_ggplot("three classes and an unseen one", few)
  names <- paste("class number", 1:30)
  many <- outer(1:30, 1:30, function(truth, estimate) 9L * (truth == estimate) + (truth * estimate %% 7L == 3L))
  expect_picture("thirty classes", function() plot(new_confusion(many, names, names)))
})

test_that("curves", {
  area <- list(metric = "roc_auc", estimator = "binary", estimate = 0.75, level = 1L)
  roc <- list(level = rep(1L, 4), threshold = c(0.2, 0.5, 0.8, Inf), specificity = c(0, 0.5, 1, 1),
    sensitivity = c(1, 1, 0.5, 0))
  expect_picture("one ROC curve", function() plot(new_curve(list(curve = roc, area = area), "yes", "roc")))
  pr <- list(level = rep(1:10, each = 3), threshold = rep(c(Inf, 0.6, 0.3), 10), recall = rep(c(0, 0.5, 1), 10),
    precision = as.vector(rbind(1, 1:10 / 10, 1:10 / 20)))
  area <- list(metric = rep("average_precision", 10), estimator = rep("binary", 10), estimate = 0.075 * 1:10,
    level = 1:10)
  curves <- new_curve(list(curve = pr, area = area), letters[1:10], "pr")
  expect_picture("ten precision-recall curves", function() plot(curves))
  expect_ggplot("ten precision-recall curves", curves)
})

test_that("reliability", {
  bins <- list(n = rep(0L, 15), confidence = rep(NaN, 15), accuracy = rep(NaN, 15), ece = 0.125)
  bins$n[c(8, 12, 15)] <- c(10L, 20L, 70L)
  bins$confidence[c(8, 12, 15)] <- c(0.5, 0.75, 0.98)
  bins$accuracy[c(8, 12, 15)] <- c(0.6, 0.5, 1)
  reliability <- new_reliability(bins, "binary")
  expect_picture("a reliability diagram", function() plot(reliability))
  expect_ggplot("a reliability diagram", reliability)
})

test_that("a cross-validation", {
  metrics <- tibble(.fold = rep(1:3, each = 2), .metric = rep(c("accuracy", "mn_log_loss"), 3),
    .estimator = "multiclass", .estimate = c(0.8, 0.6, 0.9, 0.5, 0.7, 1.3))
  cv <- structure(list(predictions = list(), metrics = metrics, spec = the_fit()$spec, seed = 1,
    info = list(rows = 9, folds = c(3, 3, 3), train = "head")), class = "bert_cv")
  expect_picture("three folds", function() plot(cv))
  expect_ggplot("three folds", cv)
})

test_that("attention", {
  tokens <- c("[CLS]", "how", "much", "?", "[SEP]")
  values <- array(0, c(1, 2, 5, 5), dimnames = list(layer = "1", head = c("1", "2"), from = tokens, to = tokens))
  values[1, 1, , ] <- diag(5)
  values[1, 2, , ] <- outer(1:5, 1:5, function(from, to) to / 15)
  attention <- structure(values, class = "bert_attention")
  expect_picture("one head", function() plot(attention, layer = 1, head = 2))
  expect_picture("the mean of two heads", function() plot(attention))
  expect_ggplot("the mean of two heads", attention)
  expect_picture("special tokens too", function() plot(attention, special = TRUE))
})

test_that("explanations", {
  why <- fixed_reasons()
  expect_picture("words of one text", function() plot(why[why$row == 1, ]))
  expect_picture("words of two texts", function() plot(why))
  expect_ggplot("words of two texts", why)
  pair <- why[why$row == 1, ]
  pair$text <- rep(c("question", "answer"), each = 4)
  attr(pair, "texts") <- list(question = "", answer = "")
  expect_picture("words of a pair", function() plot(pair))
})

test_that("maps", {
  n <- 12
  map <- bert_map(NULL, cbind(rep(c(-3, 0, 4), each = 4) + 0.1 * (1:n), cos(1:n)), method = "pca")
  expect_picture("a map without colours", function() plot(map))
  map$class <- c(rep(c("card_arrival", "age_limit", "a class with a name that is long"), each = 4))
  map$class[2] <- NA
  expect_picture("a map of three classes", function() plot(map))
  expect_ggplot("a map of three classes", map)
  map$n <- 1:n
  expect_picture("a map of numbers", function() plot(map, colour = n))
})
