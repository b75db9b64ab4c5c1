# What parsnip calls, without parsnip; then with it, where it is installed

# A specification with these arguments, as parsnip keeps them
spec_of <- function(class, ...) {
  structure(list(args = list(...)), class = c(class, "model_spec"))
}

test_that("predictions get the levels of parsnip, also those without rows", {
  out <- bert_predict(the_fit(), faq()[1:4, ])
  object <- list(lvl = c("none", rev(the_fit()$spec$levels)), fit = the_fit())
  prob <- parsnip_post$prob(out[-1], object)
  expect_named(prob, paste0(".pred_", object$lvl))
  expect_identical(prob[names(out)[-1]], out[-1])
  expect_identical(prob$.pred_none, rep(0, 4))
  expect_identical(parsnip_post$class(out[1], object), out$.pred_class)
  expect_identical(parsnip_post$numeric(tibble(.pred = 1:2), object), 1:2)
  expect_identical(parsnip_post$numeric(tibble(.pred_a = 1, .pred_b = 2), object), tibble(.pred_a = 1, .pred_b = 2))
})

test_that("the ranges to tune are those of BERT, and wider ones for a head", {
  ranges <- function(spec) {
    info <- tunable(spec)
    stats::setNames(lapply(info$call_info, `[[`, "range"), info$name)
  }
  all <- ranges(spec_of("bert_classifier", train = rlang::quo(NULL)))
  head <- ranges(spec_of("bert_regressor", train = rlang::quo("head")))
  expect_named(all, c("train", "epochs", "learn_rate", "batch_size"))
  # the defaults of bert_fit() lie within
  expect_true(all(vapply(list(all$epochs - c(4, 8), all$learn_rate + 4, 2^all$batch_size - 16), prod, 0) < 0))
  expect_true(all(vapply(list(head$epochs - 100, head$learn_rate - log10(2e-3), 2^head$batch_size - 128), prod, 0) < 0))
  expect_identical(ranges(spec_of("bert_classifier", train = rlang::quo(tune()))), all)
  expect_identical(tunable(spec_of("bert_regressor"))$component, rep("bert_regressor", 4))
})

test_that("something is called when a package is loaded, or at once if it is", {
  withr::defer(setHook(packageEvent("none", "onLoad"), NULL, "replace"))
  called <- 0
  when_loaded("stats", function() called <<- called + 1)
  when_loaded("none", function() called <<- called + 10)
  expect_identical(called, 1)
  getHook(packageEvent("none", "onLoad"))[[1]]()
  expect_identical(called, 11)
})

test_that("parsnip is named where it is missing", {
  skip_if(requireNamespace("parsnip", quietly = TRUE))
  expect_error(bert_classifier(), "parsnip.* is required")
  skip_if(requireNamespace("dials", quietly = TRUE))
  expect_error(bert_train(), "dials.* is required")
})

labelled <- function() transform(faq(), label = factor(label, c("none", sort(unique(label)))))

test_that("a classifier of parsnip fits and predicts as bert_fit() does", {
  skip_if_not_installed("parsnip")
  data <- labelled()
  spec <- bert_classifier(train = "head", epochs = 2)
  spec <- parsnip::set_engine(spec, "bertr", seed = 1)
  plain <- quick_fit(label ~ text, data)
  expect_silent(fit <- parsnip::fit(spec, label ~ ., data))
  expect_s3_class(fit$fit, "bert_fit")
  expected <- bert_predict(plain, data)
  class <- predict(fit, data)
  expect_identical(as.character(class$.pred_class), as.character(expected$.pred_class))
  expect_identical(levels(class$.pred_class), levels(data$label))
  prob <- predict(fit, data, type = "prob")
  expect_identical(prob[names(expected)[-1]], expected[-1])
  expect_named(augment(fit, data), c(names(data), ".pred_class", names(prob)), ignore.order = TRUE)

  xy <- parsnip::fit_xy(spec, data["text"], data$label)
  expect_identical(predict(xy, data["text"], type = "prob"), prob)
  back <- unserialize(serialize(xy, NULL))
  expect_equal(predict(back, data, type = "prob"), prob)
  expect_identical(nrow(tidy(fit)), 2L)
  expect_output(print(spec), "bert classifier Model Specification", ignore.case = TRUE)
  expect_identical(rlang::eval_tidy(update(spec, epochs = 7)$args$epochs), 7)
})

test_that("a regressor of parsnip predicts numbers, of one or two outcomes", {
  skip_if_not_installed("parsnip")
  data <- transform(faq(), n = nchar(text) / 100, m = nchar(label) / 10)
  spec <- parsnip::set_engine(bert_regressor(model = the_model(), train = "head", epochs = 2), "bertr", seed = 1)
  one <- parsnip::fit(spec, n ~ text, data)
  expect_equal(predict(one, data), bert_predict(quick_fit(n ~ text, data), data))
  two <- parsnip::fit(spec, cbind(n, m) ~ text, data)
  expect_named(predict(two, data), c(".pred_n", ".pred_m"))
  expect_identical(predict(parsnip::fit_xy(spec, data["text"], data[c("n", "m")]), data), predict(two, data))
})

test_that("workflows can be tuned and resampled", {
  for (package in c("parsnip", "workflows", "tune", "dials", "rsample")) {
    skip_if_not_installed(package)
  }
  withr::local_seed(1)
  data <- droplevels(labelled())
  spec <- bert_classifier(model = the_model(), train = tune::tune(), epochs = tune::tune(), learn_rate = 0.002)
  flow <- workflows::add_formula(workflows::add_model(workflows::workflow(), spec), label ~ text)
  set <- tune::extract_parameter_set_dials(flow)
  expect_setequal(set$id, c("train", "epochs"))
  expect_identical(set$object[[match("epochs", set$id)]]$range, list(lower = 2L, upper = 10L))
  folds <- rsample::vfold_cv(data, 2, strata = label)
  grid <- data.frame(train = c("head", "top:1"), epochs = c(3, 1))
  tuned <- tune::tune_grid(flow, folds, grid = grid)
  expect_identical(nrow(tuned$.notes[[1]]), 0L)
  measured <- table(tune::collect_metrics(tuned)$.metric) # newer versions of tune also measure the Brier score
  expect_identical(as.vector(measured[c("accuracy", "roc_auc")]), c(2L, 2L))
  best <- tune::finalize_workflow(flow, tune::select_best(tuned, metric = "accuracy"))
  fit <- parsnip::fit(best, data)
  expect_true(all(predict(fit, data)$.pred_class %in% levels(data$label)))
})
