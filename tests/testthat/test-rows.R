spec <- function(data) read_formula(y ~ x, data)
quiet <- speaker(FALSE)

test_that("incomplete rows are dropped, with a message", {
  data <- data.frame(y = c("a", NA, "b", "a"), x = c("1", "2", NA, "4"))
  expect_message(rows <- complete_rows(spec(data), data, "data", speaker(TRUE), NULL), "Dropped 2 of 4 rows")
  expect_identical(rows$a, c("1", "4"))
  expect_identical(as.character(rows$outcome), c("a", "a"))
  expect_silent(complete_rows(spec(data), data, "data", quiet, NULL))
})

test_that("no rows to learn from is an error", {
  data <- data.frame(y = c("a", "b"), x = NA_character_)
  complete <- function(data) complete_rows(spec(data), data, "data", quiet, NULL)
  expect_error(complete(data), "has no complete rows", class = "bertr_error_no_rows")
  expect_error(complete(data[0, ]), "has no rows", class = "bertr_error_no_rows")
})

test_that("a held-out share is proportional in every class, reproducible, and leaves the user's random numbers alone", {
  strata <- rep(1:4, c(40, 20, 11, 1))
  set.seed(1)
  before <- .Random.seed
  held <- with_seed(5, hold_out(strata, 0.25))
  expect_identical(.Random.seed, before)
  expect_identical(held, with_seed(5, hold_out(strata, 0.25)))
  expect_false(identical(held, with_seed(6, hold_out(strata, 0.25))))
  counts <- tabulate(strata[held], 4)
  expect_identical(counts[c(1, 2, 4)], c(10L, 5L, 0L))
  expect_true(counts[[3]] %in% 2:3)
})

test_that("every class keeps a row to learn from", {
  strata <- rep(1:10, each = 2)
  for (seed in 1:20) {
    held <- with_seed(seed, hold_out(strata, 0.9))
    expect_identical(sort(unique(strata[-held])), 1:10)
  }
})

test_that("validation must be a share or a data frame with known labels", {
  data <- data.frame(y = rep(c("a", "b"), 5), x = letters[1:10])
  rows <- complete_rows(spec(data), data, "data", quiet, NULL)
  settled <- settle_labels(spec(data), rows$outcome, quiet, NULL)
  rows$outcome <- settled$outcome
  split <- function(validation) split_rows(settled$spec, rows, validation, 1, quiet, NULL)
  expect_null(split(NULL)$valid)
  expect_length(split(0.2)$valid$a, 2)
  expect_length(split(0.2)$train$a, 8)
  expect_identical(split(data[1:3, ])$valid$a, c("a", "b", "c"))
  expect_error(split(2), "between 0 and 1, not 2", class = "bertr_error_argument")
  expect_error(split("some"), "between 0 and 1, not a string", class = "bertr_error_argument")
  data$y[[1]] <- "new"
  expect_error(split(data), "1 label not seen in training, \"new\", in row 1", class = "bertr_error_unknown_label")
  data$x[[3]] <- NA
  data$y[c(5, 7)] <- c("new", "other")
  expect_error(split(data), "`validation` has 2 labels not seen in training, \"new\" and \"other\", in rows 1, 5, 7",
    class = "bertr_error_unknown_label")
  expect_error(split(data["x"]), "`validation` has no column \"y\"", class = "bertr_error_column")
})

test_that("an outcome that is several columns itself is reported", {
  data <- data.frame(text = c("a", "b"))
  for (value in list(matrix(c(1, 2, 3, 4), 2), matrix(letters[1:4], 2), matrix(c(TRUE, FALSE, TRUE, TRUE), 2))) {
    data$y <- value
    expect_error(complete_rows(read_formula(y ~ text, data), data, "data", speaker(FALSE), NULL),
      "\"y\" of `data` is a table of 2 columns", class = "bertr_error_outcome")
  }
  data$y <- matrix(1:2) # as scale() gives it
  expect_identical(complete_rows(read_formula(y ~ text, data), data, "data", speaker(FALSE), NULL)$outcome$y, c(1, 2))
})
