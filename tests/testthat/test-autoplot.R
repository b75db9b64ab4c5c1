skip_if_not_installed("ggplot2", "3.4.0")

# The data of a layer as drawn, and the limits of a panel
layer <- function(plot, i) ggplot2::layer_data(plot, i)
panel <- function(plot, i) ggplot2::ggplot_build(plot)$layout$panel_params[[i]]

history <- tibble(epoch = 1:3, loss = c(1.2, 0.7, 0.5), learning_rate = 1e-4, val_loss = c(1.1, 0.8, 0.9),
  val_accuracy = c(0.5, 0.7, 0.6))

test_that("a fit is drawn with its best epoch, shares from 0 to 1", {
  fit <- the_fit()
  fit$history <- history
  fit$info$best_epoch <- 2
  plot <- ggplot2::autoplot(fit)
  expect_s3_class(plot, "ggplot")
  expect_identical(plot$labels$title, task_label(fit$spec))
  expect_identical(plot$labels$x, "epoch (best: 2)")
  expect_identical(unique(layer(plot, 2)$xintercept), 2)
  points <- layer(plot, 4)
  expect_identical(points$y[points$PANEL == 2], history$val_accuracy)
  expect_identical(unique(points$colour[points$PANEL == 2]), part_colours[["validation"]])
  expect_setequal(points$y[points$PANEL == 1], c(history$loss, history$val_loss))
  range <- panel(plot, 2)$y.range
  expect_true(range[[1]] <= 0 && range[[2]] >= 1)
  fit$history <- history[1, ]
  fit$info$best_epoch <- NULL
  expect_silent(ggplot2::ggplot_build(ggplot2::autoplot(fit)))
  fit$history <- history[0, ]
  expect_error(ggplot2::autoplot(fit), "No epoch was completed", class = "bertr_error_no_epochs")
})

test_that("a confusion matrix has the first class at the top", {
  n <- rbind(c(3L, 1L), c(0L, 4L), c(0L, 0L))
  confusion <- new_confusion(n, c("a", "b", "unseen"), c("a", "b"))
  plot <- ggplot2::autoplot(confusion)
  labels <- layer(plot, 2)
  expect_identical(labels$label, c(75, 25, 100))
  expect_identical(as.integer(labels$y), c(3L, 3L, 2L))
  expect_identical(as.integer(labels$x), c(1L, 2L, 2L))
  expect_error(ggplot2::autoplot(confusion[-1, ]), "`object` must be a complete", class = "bertr_error_argument")
})

test_that("curves have the points and colours of plot()", {
  area <- list(metric = rep("roc_auc", 2), estimator = rep("binary", 2), estimate = c(0.75, 0.5), level = 1:2)
  roc <- list(level = rep(1:2, each = 2), threshold = c(0.2, Inf, 0.2, Inf), specificity = c(0, 1, 0, 1),
    sensitivity = c(1, 0, 0.5, 0))
  curve <- new_curve(list(curve = roc, area = area), c("yes", "no"), "roc")
  plot <- ggplot2::autoplot(curve)
  drawn <- layer(plot, 2)
  lines <- curve_lines(attr(curve, "area"))
  first <- drawn[drawn$colour == lines$colour[lines$level == "yes"], ]
  expect_identical(abs(first$x), c(0, 1)) # the axis is reversed
  expect_identical(first$y, c(1, 0))
  expect_error(ggplot2::autoplot(curve[".level"]), "columns are missing", class = "bertr_error_argument")
})

test_that("reliability is drawn of bins with rows", {
  bins <- list(n = rep(0L, 15), confidence = rep(NaN, 15), accuracy = rep(NaN, 15), ece = 0.125)
  bins$n[c(8, 15)] <- c(10L, 70L)
  bins$confidence[c(8, 15)] <- c(0.5, 0.98)
  bins$accuracy[c(8, 15)] <- c(0.6, 1)
  plot <- ggplot2::autoplot(new_reliability(bins, "binary"))
  expect_identical(layer(plot, 1)$ymax, c(0.6, 1))
  expect_identical(layer(plot, 5)$label, c(10L, 70L))
})

test_that("a cross-validation has a panel per metric", {
  metrics <- tibble(.fold = rep(1:3, each = 2), .metric = rep(c("accuracy", "mn_log_loss"), 3),
    .estimator = "multiclass", .estimate = c(0.8, 0.6, 0.9, 0.5, 0.7, 1.3))
  cv <- structure(list(predictions = list(), metrics = metrics, spec = the_fit()$spec, seed = 1,
    info = list(rows = 9, folds = c(3, 3, 3), train = "head")), class = "bert_cv")
  plot <- ggplot2::autoplot(cv)
  expect_equal(layer(plot, 2)$yintercept, c(0.8, 0.8))
  expect_equal(layer(plot, 3)$yintercept, 0.8 - c(0.1, sd(c(0.6, 0.5, 1.3))))
  points <- layer(plot, 5)
  expect_identical(split(points$y, points$PANEL), list(`1` = c(0.8, 0.9, 0.7), `2` = c(0.6, 0.5, 1.3)))
  expect_lte(panel(plot, 1)$y.range[[1]], 0)
  expect_gte(panel(plot, 1)$y.range[[2]], 1)
})

test_that("an explanation has the first word at the top", {
  why <- fixed_reasons()
  plot <- ggplot2::autoplot(why)
  bars <- layer(plot, 2)
  second <- bars[bars$PANEL == 2, ]
  second <- second[order(-as.numeric(second$y)), ]
  expect_identical(second$xmin + second$xmax, c(1.5, -3))
  expect_identical(second$fill, c("#0072B2", "#D55E00"))
  expect_identical(as.vector(panel(plot, 2)$y$get_labels()), c("it", "Stop"))
  pair <- why[why$row == 1, ]
  pair$text <- rep(c("a", "b"), each = 4)
  attr(pair, "texts") <- list(a = "", b = "")
  expect_silent(built <- ggplot2::ggplot_build(ggplot2::autoplot(pair)))
  expect_identical(rev(built$layout$panel_params[[1]]$y$get_labels())[c(1, 2, 6)], c("a:", "My", "b:"))
})

test_that("attention is drawn as a matrix is printed", {
  tokens <- c("[CLS]", "how", "much", "[SEP]")
  values <- array(0, c(1, 2, 4, 4), dimnames = list(layer = "1", head = c("1", "2"), from = tokens, to = tokens))
  values[1, 1, 2, 3] <- 0.5
  attention <- structure(values, class = "bert_attention")
  plot <- ggplot2::autoplot(attention, head = 1)
  tiles <- layer(plot, 1)
  darkest <- tiles[tiles$fill == heat_colours[[64]], ]
  expect_identical(c(abs(darkest$x), abs(darkest$y)), c(2, 1), ignore_attr = TRUE) # to "much", from "how"
  expect_identical(plot$labels$caption, "layer 1, head 1")
  expect_identical(nrow(layer(ggplot2::autoplot(attention, special = TRUE), 1)), 16L)
  expect_error(ggplot2::autoplot(attention, head = 3), "one of the heads in `object` \\(1, 2\\)",
    class = "bertr_error_argument")
})

test_that("a map has a colour per class, shades for numbers", {
  map <- bert_map(NULL, diag(4), method = "pca")
  expect_identical(unique(layer(ggplot2::autoplot(map), 1)$colour), "#0072B2")
  map$class <- c("a", "a", "b", NA)
  map$n <- 1:4
  plot <- ggplot2::autoplot(map)
  expect_identical(layer(plot, 1)$x, map$x)
  expect_identical(layer(plot, 1)$colour, map_drawn(map, rlang::quo(NULL), "x")$colours)
  expect_identical(layer(plot, 2)$label, c("a", "b"))
  expect_identical(plot$labels$title, "class")
  shades <- layer(ggplot2::autoplot(map, colour = n), 1)$colour
  expect_identical(length(unique(shades)), 4L)
})
