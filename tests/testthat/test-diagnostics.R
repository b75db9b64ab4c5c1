# A fit of three classes, and rows of these and of a fourth
labelled <- function() {
  data <- rbind(faq(file = "valid.csv"), faq(4, "valid.csv"))
  predicted <- bert_predict(the_fit(), data)
  list(data = data, class = as.character(predicted$.pred_class), prob = as.matrix(predicted[-1]))
}

test_that("metrics of each class are those counted by hand", {
  rows <- labelled()
  out <- bert_evaluate(the_fit(), rows$data, by = "class", verbose = FALSE)
  levels <- c(the_fit()$spec$levels, "age_limit")
  expect_identical(names(out), c(".metric", ".estimator", ".estimate", ".level"))
  expect_identical(out$.level, rep(levels, each = 4))
  expect_identical(out$.metric, rep(c("precision", "recall", "f_meas", "support"), 4))
  for (level in levels) {
    found <- rows$class == level
    true <- rows$data$label == level
    both <- sum(found & true)
    expected <- c(if (any(found)) both / sum(found) else 0, both / sum(true), 2 * both / (sum(found) + sum(true)),
      sum(true))
    expect_equal(out$.estimate[out$.level == level], expected)
  }
})

test_that("metrics of each label are those counted by hand", {
  data <- faq()
  data$card <- grepl("card", data$text)
  data$long <- nchar(data$text) > 60
  fit <- quick_fit(cbind(card, long) ~ text, data)
  out <- bert_evaluate(fit, data, by = "class")
  chosen <- bert_predict(fit, data)$.pred_long
  expect_identical(out$.level, rep(c("card", "long"), each = 4))
  expect_equal(out$.estimate[out$.level == "long" & out$.metric == "recall"], mean(chosen[data$long]))
  expect_equal(out$.estimate[out$.level == "long" & out$.metric == "support"], sum(data$long))
  curve <- bert_curve(fit, data)
  expect_identical(levels(curve$.level), c("card", "long"))
})

test_that("a confusion matrix counts all pairs, unseen classes included", {
  rows <- labelled()
  out <- bert_confusion(the_fit(), rows$data, verbose = FALSE)
  levels <- c(the_fit()$spec$levels, "age_limit")
  expected <- table(factor(rows$data$label, levels), factor(rows$class, levels[1:3]))
  expect_identical(as.character(out$truth), rep(levels, each = 3))
  expect_identical(as.character(out$estimate), rep(levels[1:3], 4))
  expect_identical(out$n, as.vector(t(expected)))
  expect_equal(out$share, as.vector(t(expected / rowSums(expected))))
  expect_identical(confusion_matrix(out[rev(seq_len(nrow(out))), ], "n"), confusion_matrix(out, "n"))
  expect_null(confusion_matrix(out[-1, ], "n"))
  expect_s3_class(out, "tbl_df")
  absent <- bert_confusion(the_fit(), faq(2), verbose = FALSE)
  expect_identical(is.na(absent$share), absent$truth == setdiff(levels, faq(2)$label)[[1]])
})

# The area under a ROC curve is the share of pairs in the right order
pairs_in_order <- function(score, positive) {
  d <- outer(score[positive], score[!positive], "-")
  mean((d > 0) + (d == 0) / 2)
}

test_that("areas are those of all pairs, curves the rates at every threshold", {
  rows <- labelled()
  curve <- bert_curve(the_fit(), rows$data, verbose = FALSE)
  area <- glance(curve)
  expect_identical(area$.level, the_fit()$spec$levels)
  for (k in 1:3) {
    positive <- rows$data$label == area$.level[[k]]
    expect_equal(area$.estimate[[k]], pairs_in_order(rows$prob[, k], positive))
    one <- curve[curve$.level == area$.level[[k]], ]
    expect_equal(one$sensitivity, vapply(one$.threshold, function(at) mean(rows$prob[positive, k] >= at), 0))
    expect_equal(one$specificity, vapply(one$.threshold, function(at) mean(rows$prob[!positive, k] < at), 0))
  }
  pr <- bert_curve(the_fit(), rows$data, "pr", verbose = FALSE)
  for (level in area$.level) {
    one <- pr[pr$.level == level, ]
    estimate <- glance(pr)$.estimate[glance(pr)$.level == level]
    expect_equal(estimate, sum(diff(one$recall) * one$precision[-1]))
  }
})

test_that("two classes have one curve, that of the event", {
  data <- faq(2)
  fit <- quick_fit(label ~ text, data)
  levels <- fit$spec$levels
  expect_identical(glance(bert_curve(fit, data))$.level, levels[[2]])
  one <- glance(bert_curve(fit, data, event = levels[[1]]))
  expect_identical(one$.level, levels[[1]])
  expect_equal(one$.estimate, pairs_in_order(bert_predict(fit, data)[[2]], data$label == levels[[1]]))
})

test_that("the bins of reliability give the metric ece", {
  rows <- labelled()
  out <- bert_reliability(the_fit(), rows$data, verbose = FALSE)
  known <- rows$data$label %in% the_fit()$spec$levels
  confidence <- apply(rows$prob, 1, max)[known]
  right <- (rows$class == rows$data$label)[known]
  bin <- factor(pmax(ceiling(confidence * 15), 1), 1:15)
  expect_identical(out$n, as.vector(table(bin)))
  expect_equal(out$confidence, as.vector(tapply(confidence, bin, mean)))
  expect_equal(out$accuracy, as.vector(tapply(right, bin, mean)))
  metrics <- bert_evaluate(the_fit(), rows$data, verbose = FALSE)
  expect_equal(glance(out), metrics[metrics$.metric == "ece", ])
})

test_that("curves are drawn through their points, those of precision as steps", {
  roc <- list(level = rep(1:2, each = 2), threshold = c(0.5, Inf, 0.5, Inf), specificity = c(0, 1, 0, 1),
    sensitivity = c(1, 0, 0.5, 0))
  area <- list(metric = rep("roc_auc", 2), estimator = rep("binary", 2), estimate = c(0.5, 0.25), level = 1:2)
  drawn <- curve_points(new_curve(list(curve = roc, area = area), c("a", "b"), "roc"))
  expect_identical(drawn$level, c("a", "a", "b", "b"))
  expect_identical(drawn$x, roc$specificity)
  expect_identical(drawn$y, roc$sensitivity)
  pr <- list(level = rep(1L, 3), threshold = c(Inf, 0.6, 0.3), recall = c(0, 0.5, 1), precision = c(1, 0.75, 0.5))
  area <- list(metric = "average_precision", estimator = "binary", estimate = 0.625, level = 1L)
  drawn <- curve_points(new_curve(list(curve = pr, area = area), "a", "pr"))
  # average precision is the area below the steps
  expect_equal(sum(diff(drawn$x) * drawn$y[-1]), 0.625)
})

test_that("the legend of curves names the smallest areas and counts the others", {
  area <- tibble(.level = letters[1:12], .estimate = 12:1 / 20)
  lines <- curve_lines(area)
  expect_identical(lines$level, rev(letters[1:12]))
  expect_identical(lines$label[c(1, 9, 12)], c("0.050 l", rep("0.450 to 0.600: 4 others", 2)))
  expect_identical(curve_lines(area[1:9, ])$label[[9]], "0.600: 1 other")
})
