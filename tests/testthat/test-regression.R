measured <- function() {
  data <- faq(4)
  data$size <- 1000 + 3 * nchar(data$text)
  data$card <- 5 - 10 * grepl("card", data$text)
  data
}

test_that("numbers are learned and given back in their unit", {
  data <- measured()
  fit <- quick_fit(cbind(size, card) ~ text, data, epochs = 60)
  expect_identical(fit$spec$task, "regression")
  out <- bert_predict(fit, c(data$text, NA))
  expect_named(out, c(".pred_size", ".pred_card"))
  expect_identical(which(is.na(out$.pred_size)), nrow(data) + 1L)
  out <- out[seq_len(nrow(data)), ]
  expect_gt(cor(out$.pred_size, data$size), 0.7)
  expect_lt(abs(mean(out$.pred_size) - mean(data$size)), sd(data$size))
  metrics <- bert_evaluate(fit, data)
  value <- function(outcome, metric) metrics$.estimate[metrics$.outcome == outcome & metrics$.metric == metric]
  expect_equal(value("size", "rmse"), sqrt(mean((out$.pred_size - data$size)^2)))
  expect_equal(value("card", "spearman"), cor(out$.pred_card, data$card, method = "spearman"))
  one <- quick_fit(size ~ text, data, epochs = 2)
  expect_named(bert_predict(one, data), ".pred")
  expect_named(bert_evaluate(one, data), c(".metric", ".estimator", ".estimate"))
  expect_output(print(one), "regression (1 outcome): size ~ text", fixed = TRUE)
})

test_that("the cosine of a pair can be the outcome", {
  data <- data.frame(a = faq()$text, b = rev(faq()$text))
  unit <- function(x) bert_embed(the_model(), x, normalise = TRUE)
  data$score <- 100 * rowSums(unit(data$a) * unit(data$b))
  fit <- quick_fit(score ~ a + b, data, head = bert_head(pair = "cosine"), epochs = 1)
  expect_equal(bert_predict(fit, data)$.pred, data$score, tolerance = 0.05)
  expect_error(quick_fit(score ~ a, data, head = bert_head(pair = "cosine")), "two text columns",
    class = "bertr_error_pairs")
})

test_that("numbers that cannot be learned are refused", {
  data <- measured()
  data$same <- 1
  data$infinite <- c(Inf, rep(0, nrow(data) - 1))
  data$yes <- as.integer(data$card > 0)
  expect_error(quick_fit(same ~ text, data), "same number in \"same\"", class = "bertr_error_one_value")
  expect_error(quick_fit(infinite ~ text, data), "\"infinite\" of `data` is infinite in row 1",
    class = "bertr_error_outcome")
  expect_message(bert_fit(the_model(), yes ~ text, data, train = "head", epochs = 1),
    "for classes, write `factor(yes)`", fixed = TRUE)
  expect_message(bert_fit(the_model(), yes + 1 ~ text, data, train = "head", epochs = 1), "factor(yes + 1)",
    fixed = TRUE)
})

test_that("numbers with a class of their own are numbers", {
  labelled <- structure(1:4, labels = c(bad = 1L), class = c("haven_labelled", "vctrs_vctr", "integer"))
  data <- tibble(text = "a", stars = labelled)
  expect_identical(numeric_outcome(list(outcome = "stars"), data, "data", NULL)$stars, as.double(1:4))
})

test_that("numbers that may mean something else are reported to be numbers", {
  said <- function(...) {
    outcome <- tibble(...)
    out <- character()
    spec <- list(outcome = names(outcome), lhs = formula_label(as.symbol(names(outcome)[[1]])))
    settle_numeric(spec, outcome, function(message, envir = parent.frame()) {
      out <<- cli::ansi_strip(cli::format_inline(message, .envir = envir))
    }, NULL)
    out
  }
  expect_match(said(stars = rep(1:5, 4)), "stars contains 5 different whole numbers from 1 to 5, treated as numbers")
  expect_match(said(stars = rep(1:5, 4)), "factor(stars)", fixed = TRUE)
  expect_match(said(code = rep(1:30, 3)), "30 different whole numbers from 1 to 30")
  expect_match(said(`my code` = rep(0:1, 3)), "only 0 and 1.*factor\\(`my code`\\)")
  expect_match(said(toxic = c(0, 0.5, 1)), "toxic contains fractions from 0 to 1.*link = \"logit\"")
  expect_match(said(toxic = c(0, 0.5), mild = c(0.1, 1)), "contain fractions")
  expect_identical(said(size = 1:100), character())
  expect_identical(said(size = c(1, 2, 3, 4)), character()) # every value once
  expect_identical(said(size = rep(c(1.5, 2, 3), 4)), character())
  expect_identical(said(a = rep(1:5, 4), b = rep(1:5, 4)), character())
})

test_that("numbers from 0 to 1 are learned as probabilities", {
  data <- measured()
  data$share <- ifelse(data$card > 0, 0.9, 0)
  data$half <- data$share / 2
  fit <- quick_fit(share ~ text, data, epochs = 200, head = bert_head(link = "logit"), validation = data)
  p <- bert_predict(fit, data)$.pred
  expect_true(all(p > 0 & p < 1))
  expect_gt(cor(p, data$share), 0.8)
  out <- bert_evaluate(fit, data)
  loss <- -mean(data$share * log(p) + (1 - data$share) * log(1 - p))
  expect_identical(out$.metric, c("rmse", "mae", "rsq", "pearson", "spearman", "mn_log_loss"))
  expect_equal(out$.estimate[[6]], loss, tolerance = 1e-6)
  expect_equal(tail(tidy(fit)$val_loss, 1), loss, tolerance = 1e-4)
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(fit, folder)
  expect_equal(bert_predict(bert_load(folder), data)$.pred, p, tolerance = 1e-6)
  expect_equal(bert_evaluate(bert_load(folder), data), out, tolerance = 1e-5)
  two <- bert_evaluate(quick_fit(cbind(share, half) ~ text, data, head = bert_head(link = "logit")), data)
  expect_identical(two$.outcome, rep(c("share", "half"), each = 6))
  expect_identical(two$.metric[c(6, 12)], rep("mn_log_loss", 2))
})

test_that("a link needs numbers from 0 to 1", {
  data <- measured()
  logit <- bert_head(link = "logit")
  expect_error(quick_fit(size ~ text, data, head = logit), "\"size\" of `data` must be between 0 and 1.*row",
    class = "bertr_error_outcome")
  data$share <- 0.5 + (data$card > 0) / 10
  wrong <- data
  wrong$share[[3]] <- -1
  expect_error(quick_fit(share ~ text, data, head = logit, validation = wrong), "`validation` must be .* in row 3",
    class = "bertr_error_outcome")
  expect_error(quick_fit(label ~ text, data, head = logit), "only for regression", class = "bertr_error_argument")
  expect_error(bert_head(link = "log"), "\"identity\" or \"logit\", not \"log\"", class = "bertr_error_argument")
})
