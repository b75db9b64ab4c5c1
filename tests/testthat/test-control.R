test_that("settings are checked where they are made, in one sentence", {
  wrong <- function(..., message) expect_error(bert_control(...), message, class = "bertr_error_argument")
  wrong(schedule = "cosine", message = "\"linear\", \"constant\", or \"keras_bert\", not \"cosine\"")
  wrong(layer_decay = 0, message = "`layer_decay` must be a single number above 0 and at most 1, not 0")
  wrong(layer_decay = 1.1, message = "above 0 and at most 1, not 1.1")
  wrong(accumulate = 0, message = "`accumulate`")
  wrong(accumulate = 1.5, message = "whole number")
  wrong(ema = 1, message = "`ema` must be a single number above 0")
  wrong(adversarial = 0, message = "`adversarial`")
  wrong(label_smoothing = 1, message = "`label_smoothing`")
  wrong(early_stopping = 0, message = "`early_stopping`")
  wrong(checkpoint = 1, message = "`checkpoint` must be a single non-empty string")
  for (weights in list("even", c(1, 2), c(a = 0), c(a = NA), c(a = 1, a = 2), list(a = 1), c(a = Inf), numeric())) {
    wrong(class_weights = weights, message = "`class_weights` must be \"balanced\" or numbers above 0")
  }
  expect_output(print(bert_control(class_weights = c(no = 1, yes = 5))), "class_weights +no = 1, yes = 5")
  expect_output(print(bert_control()),
    "layer_decay +1 \\(off\\).*dropout +from the model.*ema +off.*label_smoothing +0 \\(off\\)")
  expect_output(print(bert_head()), "units +none.*pool +from the model.*link +identity")
  expect_no_match(capture.output(print(bert_control()), print(bert_head())), "default|NULL")
})

test_that("precision is that of the argument, else of the option, else of the device", {
  fit <- function(...) quick_fit(label ~ text, faq(), control = bert_control(calibrate = FALSE, ...))
  exact <- fit()
  expect_identical(exact$info$precision, "float32") # tests run on a processor
  half <- tryCatch(fit(precision = "bfloat16"), bertr_error_precision = identity)
  skip_if(inherits(half, "error"), "this processor has no bfloat16") # tests of Python have the error
  expect_identical(half$info$precision, "bfloat16")
  model <- the_model()
  text <- "Where is my card?"
  vector <- bert_embed(model, text, normalise = TRUE)
  withr::with_options(list(bertr.precision = "bfloat16"), {
    expect_identical(fit()$info$precision, "bfloat16")
    expect_identical(fit(precision = "float32")$history$loss, exact$history$loss)
    rounded <- bert_embed(model, text, normalise = TRUE)
  })
  expect_identical(bert_embed(model, text, normalise = TRUE), vector)
  expect_gt(max(abs(rounded - vector)), 0)
  expect_lt(max(abs(rounded - vector)), 0.01)
})

test_that("settings that need others are reported before anything runs", {
  fit <- function(...) quick_fit(label ~ text, faq(), ...)
  expect_error(fit(control = bert_control(early_stopping = 2)), "needs validation", class = "bertr_error_argument")
  expect_error(fit(control = bert_control(adversarial = 0.5)), "train = \"all\"", class = "bertr_error_argument")
})

test_that("class weights go by the names of the levels", {
  spec <- list(task = "classification", levels = c("b", "a"))
  expect_identical(level_weights(c(a = 1, b = 2), spec, NULL), list(2, 1))
  expect_identical(level_weights("balanced", spec, NULL), "balanced")
  expect_null(level_weights(NULL, spec, NULL))
  expect_error(level_weights(c(a = 1, b = 2, c = 3), spec, NULL), "names \"c\"", class = "bertr_error_argument")
  expect_error(level_weights(c(a = 1), spec, NULL), "no weight for \"b\"", class = "bertr_error_argument")
  expect_error(quick_fit(nchar ~ text, transform(faq(), nchar = nchar(text)),
    control = bert_control(class_weights = c(a = 1, b = 2))), "'regression' does not support class weights",
    class = "bertr_error_task")
  data <- faq()
  heavy <- quick_fit(label ~ text, data, epochs = 20,
    control = bert_control(class_weights = c(card_swallowed = 200, cancel_transfer = 1, card_arrival = 1)))
  plain <- quick_fit(label ~ text, data, epochs = 20)
  share <- function(fit) mean(bert_predict(fit, data)$.pred_card_swallowed)
  expect_gt(share(heavy), share(plain))
})

test_that("many settings together train, and are kept with the fit", {
  control <- bert_control(schedule = "constant", layer_decay = 0.9, accumulate = 2, ema = 0.9, adversarial = 0.3,
    class_weights = "balanced", label_smoothing = 0.1, early_stopping = 3)
  data <- faq()
  fit <- quick_fit(label ~ text, data, validation = faq(file = "valid.csv"), train = "all", epochs = 6, batch_size = 4,
    control = control)
  expect_gt(bert_evaluate(fit, data, verbose = FALSE)$.estimate[[1]], 0.9)
  info <- fit$info[c("schedule", "layer_decay", "accumulate", "ema", "adversarial", "early_stopping")]
  expect_equal(info, unclass(control)[names(info)])
  expect_true(fit$info$best_epoch %in% tidy(fit)$epoch)
  expect_output(print(fit), "best epoch: loss")
  best <- tidy(fit)[fit$info$best_epoch, ]
  expect_equal(glance(fit)$val_accuracy, best$val_accuracy)
  folder <- withr::local_tempdir()
  bert_save(fit, file.path(folder, "fit"))
  expect_equal(bert_predict(bert_load(file.path(folder, "fit")), data), bert_predict(fit, data), tolerance = 1e-5)
})

test_that("a fit says that it stopped early", {
  fit <- quick_fit(label ~ text, faq(), validation = faq(file = "valid.csv"), epochs = 50, learning_rate = 1e-15,
    control = bert_control(early_stopping = 2))
  expect_output(print(fit), "epochs 3, .*stopped early at epoch 3, best epoch 1")
})

test_that("a killed session's fit resumes where it stopped", {
  skip_on_os("windows")
  folder <- file.path(withr::local_tempdir(), "run")
  data <- faq()
  expect_error(fresh(function(data, folder) {
    namespace <- asNamespace("bertr")
    unlockBinding("progress", namespace)
    die <- function(kind, values) {
      if (kind == "epoch" && values$epoch == 2) tools::pskill(Sys.getpid(), tools::SIGKILL)
    }
    assign("progress", function(verbose) list(event = die, close = function() NULL), namespace)
    bertr::bert_fit(bertr::bert_load(), label ~ text, data, validation = 0.3, train = "top:1", epochs = 3,
      control = bertr::bert_control(checkpoint = folder), seed = 11)
  }, list(data, folder)))
  told <- NULL
  local_reporter(function(kind, values) if (kind == "resume") told <<- values$epoch)
  # without a seed, the kept run's: it also drew the validation rows
  resumed <- bert_fit(the_model(), label ~ text, data, validation = 0.3, train = "top:1", epochs = 3,
    control = bert_control(checkpoint = folder), verbose = FALSE)
  expect_equal(told, 2)
  whole <- quick_fit(label ~ text, data, validation = 0.3, train = "top:1", epochs = 3, seed = 11)
  expect_identical(bert_predict(resumed, data), bert_predict(whole, data))
  expect_identical(resumed$info$seed, 11L)
  expect_error(quick_fit(label ~ text, data, validation = 0.3, train = "top:1", epochs = 2, seed = 11,
    control = bert_control(checkpoint = folder)), "planned for 3 epochs, .* it cannot have 2",
    class = "bertr_error_checkpoint")
})

test_that("progress shows where a run resumes", {
  expect_identical(resume_text(list(epoch = 2, epochs = 10)), "resuming after epoch 2/10")
})

test_that("absurd sizes of layers are reported", {
  for (units in list(1e18, 1e6, 0, -1, NA, 1.5, Inf, "a", list(1))) {
    expect_error(bert_head(units = units), "whole numbers from 1 to 100,000", class = "bertr_error_argument")
  }
})

test_that("settings that were taken out keep their default where that is none", {
  control <- bert_control()
  control$ema <- NULL
  expect_silent(check_class(control, "bert_control", "control"))
  control$warmup <- "a"
  expect_error(check_class(control, "bert_control", "control"), "warmup", class = "bertr_error_argument")
})

test_that("a checkpoint folder that goes away is a warning at the end", {
  folder <- file.path(withr::local_tempdir(), "run")
  local_reporter(function(kind, values) if (kind == "epoch") unlink(folder, recursive = TRUE))
  fit <- NULL
  expect_warning(fit <- quick_fit(label ~ text, faq(), epochs = 30, control = bert_control(checkpoint = folder)),
    "could not be saved", class = "bertr_warning_checkpoint")
  expect_identical(fit$info$epochs_done, 30L)
  expect_true(all(is.finite(fit$history$loss)))
  file.create(folder)
  expect_error(quick_fit(label ~ text, faq(), control = bert_control(checkpoint = folder)), "is a file",
    class = "bertr_error_checkpoint")
})
