# What a formula cannot mean, or its columns do not hold
data <- data.frame(label = c("a", "b"), text = c("x", "y"), other = c("u", "v"), n = 1:2)
fit <- function(formula, data, ...) bert_fit(the_model(), formula, data, ..., verbose = FALSE)

test_that("what is not a formula, or has no text column, is reported", {
  expect_said({
    fit("label ~ text", data)
    fit(label ~ ., data)
    fit(factor(n) ~ ., data["n"])
    fit(label ~ text * other, data)
    fit(label ~ tolower(text), data)
    fit(label ~ text + other + n, data)
    fit(label ~ text + text, data)
    fit(label ~ text + label, data)
    fit(label ~ txt, data)
    fit(class ~ text, data)
    fit(cbind(n, n) ~ text, data)
    fit(label ~ text, cbind(data, text = "z"))
    fit(label ~ n, data)
  })
})

test_that("what no task can learn is reported", {
  data$when <- as.Date("2024-01-01")
  expect_said({
    fit(when ~ text, data)
    fit(cbind(label, n) ~ text, data)
    fit(label ~ text, data, task = "spans")
    fit(label ~ text, data, task = "span")
    fit(label ~ text, data, task = "mlm")
    fit(~text, data, task = "classification")
    fit(label ~ text, data, head = bert_head(link = "logit"))
  })
})

test_that("an outcome that cannot be computed is reported", {
  expect_said({
    fit(data$label ~ text, data)
    fit(log(prize) ~ text, data)
    fit(log(label) ~ text, data)
    fit(label[1] ~ text, data)
    fit(cbind(a = poly(n, 1), b = cbind(n, n)) ~ text, data)
    fit(log(n) ~ text, data, validation = data["text"])
  })
})

test_that("an outcome of several columns is reported", {
  data$wide <- matrix(1:4, 2)
  expect_said(fit(wide ~ text, data))
})

test_that("texts that are not text are reported", {
  data$bytes <- c(latin1, "b")
  data$list <- list("a", "b")
  data$wide <- matrix(letters[1:4], 2)
  data$frame <- data[c("text", "other")]
  expect_said({
    fit(label ~ n, data)
    fit(label ~ list, data)
    fit(label ~ wide, data)
    fit(label ~ frame, data)
    fit(label ~ bytes, data)
    fit(bytes ~ text, data)
  })
})
