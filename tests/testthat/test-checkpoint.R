test_that("every epoch of a run is a fit, and the run's folder says what it is", {
  run <- file.path(withr::local_tempdir(), "run")
  data <- faq(2)
  control <- bert_control(checkpoint = run, keep = "all", schedule = "constant", warmup = 0)
  fit <- quick_fit(label ~ text, data, control = control, epochs = 2)
  kept <- lapply(file.path(run, c("epoch-001", "epoch-002")), bert_load)
  expect_identical(bert_predict(kept[[2]], data), bert_predict(fit, data))
  one <- quick_fit(label ~ text, data, control = bert_control(schedule = "constant", warmup = 0), epochs = 1)
  expect_identical(bert_predict(kept[[1]], data), bert_predict(one, data))
  expect_identical(nrow(tidy(kept[[1]])), 1L)
  expect_error(bert_load(run), "is the checkpoint folder of a training run", class = "bertr_error_checkpoint")
  expect_identical(bert_load(file.path(run, "epoch-002"))$spec, fit$spec)

  more <- quick_fit(label ~ text, data, control = control, epochs = 4)
  expect_identical(tidy(more)$loss[1:2], tidy(fit)$loss)
  expect_true(dir.exists(file.path(run, "epoch-004")))
  expect_error(quick_fit(label ~ text, data, control = control, epochs = 3), "already has 4 epochs",
    class = "bertr_error_checkpoint")
})

test_that("epochs are kept in a folder that is named", {
  expect_error(bert_control(keep = "all"), "needs a folder", class = "bertr_error_argument")
  expect_error(bert_control(checkpoint = "run", keep = "best"), "`keep` must be", class = "bertr_error_argument")
  expect_identical(bert_control(checkpoint = "run")$keep, "last")
})
