test_that("rows of every stratum are spread evenly over the folds", {
  withr::local_seed(1)
  strata <- sample(c(rep(1L, 50), rep(2L, 23), rep(3L, 4)))
  fold <- deal_rows(strata, 5)
  counts <- table(fold, strata)
  expect_true(all(apply(counts, 2, function(n) diff(range(n))) <= 1))
  expect_lte(diff(range(table(fold))), 1)
  expect_false(identical(deal_rows(strata, 5), fold))
})

test_that("groups stay whole, and the strata about equal", {
  withr::local_seed(1)
  groups <- sample(rep(paste("author", 1:40), times = sample(1:9, 40, TRUE)))
  strata <- sample(1:2, length(groups), TRUE, c(0.8, 0.2))
  fold <- deal_groups(groups, strata, 4)
  expect_true(all(tapply(fold, groups, function(x) length(unique(x))) == 1))
  counts <- table(fold, strata)
  expect_lt(max(abs(sweep(counts, 2, colMeans(counts), "/") - 1)), 0.15)
  expect_identical(sort(unique(deal_groups(c("a", "b"), c(1L, 1L), 2))), 1:2)
})

test_that("folds hold out each row once, with a seed", {
  rows <- c(2L, 3L, 5L, 8L, 9L, 10L)
  folds <- make_folds(3, rows, 10, rep(1L, 6), NULL, 7, NULL)
  expect_identical(sort(unlist(lapply(folds, `[[`, "held"))), rows)
  for (fold in folds) {
    expect_identical(sort(c(fold$train, fold$held)), rows)
  }
  expect_identical(make_folds(3, rows, 10, rep(1L, 6), NULL, 7, NULL), folds)
})

# As rsample makes them: `out_id` is NA if all other rows are held out
as_rset <- function(data, ins, outs = NA_integer_) {
  splits <- Map(function(i, o) structure(list(data = data, in_id = i, out_id = o), class = "rsplit"), ins, outs)
  tibble(splits = splits, id = paste0("Fold", seq_along(splits)))
}

test_that("the folds of an rset are used, without incomplete rows", {
  data <- data.frame(x = 1:6)
  folds <- make_folds(as_rset(data, list(1:4, 3:6)), c(1L, 2L, 3L, 5L, 6L), 6, NULL, NULL, 1, NULL)
  expect_identical(folds, list(list(train = 1:3, held = 5:6), list(train = c(3L, 5L, 6L), held = 1:2)))
  folds <- make_folds(as_rset(data, list(c(1L, 1L, 2L)), list(4:5)), 1:6, 6, NULL, NULL, 1, NULL)
  expect_identical(folds, list(list(train = 1:2, held = 4:5)))
  skip_if_not_installed("rsample")
  folds <- make_folds(rsample::vfold_cv(data, v = 3), 1:6, 6, NULL, NULL, 1, NULL)
  expect_identical(sort(unlist(lapply(folds, `[[`, "held"))), 1:6)
})

test_that("a split stands for its analysis rows, a model's name for the model", {
  data <- faq()
  split <- as_rset(tibble::as_tibble(data), list(c(1:9, 3L, 15:20)))$splits[[1]]
  expect_identical(analysis_rows(split), tibble::as_tibble(data[c(1:9, 3, 15:20), ]))
  skip_if_not_installed("rsample")
  withr::local_seed(1)
  for (made in list(rsample::initial_split(data, strata = label), rsample::bootstraps(data, 1)$splits[[1]])) {
    rows <- list(analysis_rows(made), rsample::analysis(made))
    rows <- lapply(rows, `rownames<-`, NULL) # newer versions of rsample number them anew
    expect_identical(rows[[1]], rows[[2]])
  }
  fit <- bert_fit("all-MiniLM-L6-v2", label ~ text, made, train = "head", epochs = 2, seed = 1, verbose = FALSE)
  expect_equal(bert_predict(fit, data), bert_predict(quick_fit(label ~ text, rsample::analysis(made)), data))
})
