test_that("a history is drawn, with and without validation", {
  file <- withr::local_tempfile(fileext = ".png")
  png(file)
  expect_invisible(plot(the_fit()))
  fit <- quick_fit(label ~ text, faq(), validation = 0.3)
  before <- par("mfrow")
  plot(fit)
  expect_identical(par("mfrow"), before)
  dev.off()
  expect_gt(file.size(file), 1000)
})

test_that("ticks are whole epochs, and the user's settings win", {
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  expect_identical(whole_ticks(seq(1, 2, 0.2)), c(1, 2))
  expect_identical(whole_ticks(c(0, 5, 10)), c(0, 5, 10))
  expect_invisible(plot(the_fit(), xlab = "passes", type = "l", xaxt = "s", ylim = c(0, 1)))
})

test_that("shares have whole axes, others begin at 0 or below", {
  expect_identical(metric_range("accuracy", c(0.83, 0.86)), c(0, 1))
  expect_identical(metric_range("loss", matrix(c(0.2, NA, 3, Inf), 2)), c(0, 3))
  expect_identical(metric_range("spearman", c(-0.25, 0.5)), c(-0.25, 0.5))
  expect_error(plot(the_fit(), main = 1), "`main` must be a single", class = "bertr_error_argument")
})

test_that("panels fill the device", {
  grDevices::pdf(NULL, width = 7, height = 5)
  expect_identical(panel_grid(3), c(1, 3))
  expect_identical(panel_grid(6), c(2, 3))
  grDevices::dev.off()
  grDevices::pdf(NULL, width = 3, height = 9)
  expect_identical(panel_grid(6), c(6, 1))
  grDevices::dev.off()
})

test_that("long names are shortened, others are whole", {
  expect_identical(shortened(c("abcdef", "abcdefg", NA), 6), c("abcdef", "abc...", NA))
  expect_identical(shortened("\u4e2d\u6587\u5b57\u7b26", 7), "\u4e2d\u6587...") # two columns a character
})

test_that("a fit without a whole epoch says that there is nothing to draw", {
  fit <- the_fit()
  fit$history <- fit$history[0, ]
  expect_error(plot(fit), "No epoch was completed", class = "bertr_error_no_epochs")
  fit$history <- tibble()
  expect_error(plot(fit), "No epoch was completed", class = "bertr_error_no_epochs")
})
