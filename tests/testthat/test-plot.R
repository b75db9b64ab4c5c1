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

test_that("a fit without a whole epoch says that there is nothing to draw", {
  fit <- the_fit()
  fit$history <- fit$history[0, ]
  expect_error(plot(fit), "No epoch was completed", class = "bertr_error_no_epochs")
  fit$history <- tibble()
  expect_error(plot(fit), "No epoch was completed", class = "bertr_error_no_epochs")
})
