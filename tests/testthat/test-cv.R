cv_of <- function(formula, data, ..., v = 3, epochs = 2) {
  bert_cv(the_model(), formula, data, v = v, ..., train = "head", epochs = epochs, seed = 1, verbose = FALSE)
}

test_that("the folds' predictions are those of separate fits on the same rows", {
  data <- faq()
  data$label[[4]] <- NA
  data$text[[7]] <- NA
  cv <- cv_of(label ~ text, data)
  expect_identical(cv$predictions[names(data)], as_tibble(data))
  expect_identical(which(is.na(cv$predictions$.fold)), c(4L, 7L))
  expect_true(all(is.na(cv$predictions[c(4, 7), c(".pred_class", ".pred_card_arrival")])))
  for (k in 1:3) {
    held <- which(cv$predictions$.fold == k)
    fit <- quick_fit(label ~ text, data[!is.na(cv$predictions$.fold) & cv$predictions$.fold != k, ])
    expected <- bert_predict(fit, data[held, ])
    expect_equal(cv$predictions[held, names(expected)], expected, tolerance = 1e-4)
    metrics <- bert_evaluate(fit, data[held, ])
    expect_equal(cv$metrics[cv$metrics$.fold == k, -1], metrics, tolerance = 1e-4)
  }
  expect_true(all(table(cv$predictions$.fold, data$label) >= 2)) # stratified
})

test_that("the head of a fit is not trained further, because it has seen the rows", {
  cross <- function(model) {
    bert_cv(model, label ~ text, faq(), v = 2, train = "head", epochs = 1, seed = 1, verbose = FALSE)$metrics
  }
  expect_equal(cross(the_fit()), cross(the_model()), tolerance = 1e-6)
})

test_that("relations without positions are found in their texts, and ambiguous ones are said once", {
  of <- function(word) tibble(head = "Ann", relation = "visits", tail = word)
  places <- c("Rome", "Paris", "Lima", "Oslo")
  data <- tibble(text = paste("Ann visits", places, "and Ann stays."), relations = lapply(places, of))
  said <- list()
  cv <- withCallingHandlers(cv_of(relations ~ text, data, v = 2), warning = function(w) {
    said <<- c(said, list(w))
    rlang::cnd_muffle(w)
  })
  expect_length(said, 1)
  expect_match(conditionMessage(said[[1]]), "has 4 heads or tails without positions")
  expect_identical(cv$predictions[names(data)], data)
  expect_identical(sort(cv$predictions$.fold), c(1L, 1L, 2L, 2L))
  single <- transform(data, text = sub(" and Ann stays.", ".", text, fixed = TRUE))
  expect_warning(cv_of(relations ~ text, single, v = 2, validation = data), "of `validation` has 4 heads or tails")
})

test_that("means and standard deviations are those of the folds", {
  cv <- cv_of(label ~ text, faq())
  cv$metrics$.estimate[cv$metrics$.metric == "kap"] <- c(0.5, NA, 0.7)
  summary <- tidy(cv)
  accuracy <- cv$metrics$.estimate[cv$metrics$.metric == "accuracy"]
  expect_identical(unlist(summary[summary$.metric == "accuracy", c("mean", "sd", "n")]),
    c(mean = mean(accuracy), sd = sd(accuracy), n = 3))
  expect_equal(unlist(summary[summary$.metric == "kap", c("mean", "sd", "n")]),
    c(mean = 0.6, sd = sd(c(0.5, 0.7)), n = 2))
})

test_that("other tasks, computed outcomes and groups", {
  data <- faq()
  data$author <- rep(1:6, length.out = nrow(data))
  cv <- cv_of(nchar(text) / max(nchar(text)) ~ text, data, groups = author)
  expect_identical(unname(tapply(cv$predictions$.fold, data$author, function(x) length(unique(x)))[1:6]), array(1L, 6))
  expect_type(cv$predictions$.pred, "double")
  expect_identical(unique(tidy(cv)$n), 3L)
  data$labels <- strsplit(paste(data$label, ifelse(nchar(data$text) > 50, "long", "short")), " ")
  cv <- cv_of(labels ~ text, data, groups = "author")
  expect_true(is.list(cv$predictions$.pred_labels) && !any(vapply(cv$predictions$.pred_labels, is.null, NA)))
  data$answer <- "card"
  answers <- data[grepl("card", data$text), ]
  answers <- answers[lengths(gregexpr("card", answers$text)) == 1, ]
  cv <- cv_of(span(answer) ~ label + text, answers, v = 2, epochs = 1)
  expect_type(cv$predictions$.pred_text, "character")
  expect_identical(anyNA(cv$predictions$.fold), FALSE)
})

test_that("a class that a fold cannot learn has probability 0 there", {
  data <- faq()
  rare <- c(which(data$label == "card_arrival")[-1])
  data <- data[-rare, ]
  expect_warning(expect_warning(cv <- cv_of(label ~ text, data), class = "bertr_warning_folds"),
    class = "bertr_warning_single")
  at <- which(data$label == "card_arrival")
  k <- cv$predictions$.fold[[at]]
  expect_true(all(cv$predictions$.pred_card_arrival[cv$predictions$.fold == k] == 0))
  expect_identical(levels(cv$predictions$.pred_class), sort(unique(data$label)))
  expect_false(anyNA(cv$predictions$.pred_class))
})

# Calls of fit_fold() from now on, of which the `stop_at`th fails
local_count <- function(stop_at = Inf, env = parent.frame()) {
  count <- new.env()
  count$n <- 0
  original <- get("fit_fold", asNamespace("bertr"))
  local_binding("fit_fold", function(...) {
    count$n <- count$n + 1
    if (count$n == stop_at) stop("killed")
    original(...)
  }, env)
  count
}

test_that("a cross-validation continues after the last finished fold", {
  folder <- file.path(withr::local_tempdir(), "run")
  whole <- cv_of(label ~ text, faq())
  local({
    local_count(stop_at = 3)
    expect_error(cv_of(label ~ text, faq(), checkpoint = folder), "killed")
  })
  expect_setequal(list.files(folder), c("cv.rds", "fold-1.rds", "fold-2.rds"))
  count <- local_count()
  again <- bert_cv(the_model(), label ~ text, faq(), v = 3, train = "head", epochs = 2, checkpoint = folder,
    verbose = FALSE) # the seed is that of the folder
  expect_identical(count$n, 1)
  expect_equal(again, whole, tolerance = 1e-4)
  other <- faq()
  other$text[[1]] <- "something else"
  expect_error(cv_of(label ~ text, other, checkpoint = folder), "differs in the data", class = "bertr_error_checkpoint")
  expect_error(cv_of(label ~ text, faq(), checkpoint = folder, batch_size = 8), "differs in the settings")
  writeLines("damaged", file.path(folder, "fold-1.rds"))
  count$n <- 0
  expect_equal(cv_of(label ~ text, faq(), checkpoint = folder), whole, tolerance = 1e-4)
  expect_identical(count$n, 1)
})

test_that("an interrupt in a fold ends the cross-validation", {
  local_binding("bert_fit", function(...) {
    rlang::warn("interrupted", class = "bertr_warning_interrupted")
    list(info = list(interrupted = TRUE))
  }, environment())
  expect_error(cv_of(label ~ text, faq()), "Interrupted in fold 1 of 3", class = "bertr_error_interrupted")
  folder <- withr::local_tempdir()
  expect_error(cv_of(label ~ text, faq(), checkpoint = folder), "Interrupted", class = "bertr_error_interrupted")
})

test_that("the folds may be those of an rset", {
  data <- faq()
  half <- seq_len(nrow(data)) %% 2 == 0
  split <- function(rows) list(data = data, in_id = which(rows), out_id = NA)
  cv <- cv_of(label ~ text, data, v = tibble(splits = list(split(half), split(!half))))
  expect_identical(cv$predictions$.fold, ifelse(half, 2L, 1L))
})

test_that("label errors are those off the diagonal of the confident joint", {
  prob <- rbind(c(0.9, 0.1), c(0.7, 0.3), c(0.2, 0.8), c(0.55, 0.45), c(0.1, 0.9), c(0.3, 0.7), c(0.95, 0.05))
  label <- c(1, 1, 1, 1, 2, 2, 2)
  # the means of the own probabilities are 0.5875 and 0.55
  expect_identical(confident_errors(label, prob), list(row = c(7L, 3L), label = c(2, 1), suggested = c(1L, 2L),
    own = c(0.05, 0.2), other = c(0.95, 0.8)))
})

test_that("wrong labels are found in real texts", {
  data <- faq(6)
  wrong <- which(data$label == "card_swallowed")[[2]]
  data$label[[wrong]] <- "cancel_transfer"
  cv <- cv_of(factor(label) ~ text, data, epochs = 20)
  found <- bert_label_errors(cv)
  expect_identical(found$.row[[1]], wrong)
  expect_identical(as.character(found$.suggested[[1]]), "card_swallowed")
  expect_identical(found$text, data$text[found$.row])
})

test_that("shares are drawn from 0 to 1, losses from 0", {
  metrics <- tibble(.fold = rep(1:3, each = 2), .metric = rep(c("accuracy", "mn_log_loss"), 3),
    .estimator = "multiclass", .estimate = c(0.8, 0.6, 0.9, 0.5, 0.7, 1.3))
  cv <- structure(list(predictions = list(), metrics = metrics, spec = the_fit()$spec, seed = 1,
    info = list(rows = 9, folds = c(3, 3, 3), train = "head")), class = "bert_cv")
  drawn <- cv_drawn(cv)
  expect_identical(as.character(drawn$metrics$name), c("accuracy", "mn_log_loss"))
  expect_equal(drawn$metrics$mean, c(0.8, 0.8))
  expect_identical(c(drawn$metrics$from[[1]], drawn$metrics$to[[1]]), c(0, 1))
  expect_equal(c(drawn$metrics$from[[2]], drawn$metrics$to[[2]]), c(0, 1.3))
  expect_identical(drawn$folds$value[drawn$folds$name == "accuracy"], c(0.8, 0.9, 0.7))
})
