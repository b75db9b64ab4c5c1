data <- data.frame(label = c("a", "b"), text = c("x", "y"), other = c("u", "v"), n = 1:2)

test_that("a formula says the outcome and the text columns", {
  spec <- read_formula(label ~ text, data)
  expect_identical(spec,
    list(task = "classification", text = "text", lhs = "label", outcome = "label", type = "character"))
  expect_identical(read_formula(label ~ text + other, data)$text, c("text", "other"))
  expect_identical(read_formula(`my label` ~ text, data.frame(`my label` = TRUE, text = "x", check.names = FALSE))$type,
    "logical")
})

test_that("no left-hand side asks for the texts themselves", {
  expect_identical(read_formula(~text, data), list(task = "mlm", text = "text", lhs = ""))
  expect_identical(read_formula(~ text + other, data)$text, c("text", "other"))
  expect_error(read_formula(~text, data, task = "classification"), "no left-hand side, but it must be a factor",
    class = "bertr_error_outcome")
  expect_error(read_formula(label ~ text, data, task = "mlm"), "must be nothing", class = "bertr_error_outcome")
})

test_that("what cannot be read from a formula gives a one-sentence error", {
  expect_error(read_formula("label ~ text", data), "must be a formula", class = "bertr_error_formula")
  expect_error(read_formula(label ~ ., data), "not `.`", class = "bertr_error_formula")
  expect_error(read_formula(label ~ text * other, data), "joined by `\\+`, not `text \\* other`")
  expect_error(read_formula(label ~ tolower(text), data), "joined by `\\+`")
  expect_error(read_formula(label ~ text + other + n, data), "3 text columns.*one or two",
    class = "bertr_error_formula")
  expect_error(read_formula(label ~ text + text, data), "names \"text\" twice", class = "bertr_error_formula")
  expect_error(read_formula(label ~ tolower(text), data), "data\\$text <- tolower\\(text\\)")
  expect_error(read_formula(label ~ text - 1, data), "Use column names")
  expect_error(read_formula(cbind(n, n) ~ text, data), "\"n\" more than once", class = "bertr_error_formula")
})

test_that("a dot is the only other column of texts", {
  dot <- function(formula, data) without_dot(formula, data, NULL)
  expect_identical(dot(label ~ ., data[-3])[[3]], quote(text))
  expect_identical(dot(label ~ ., transform(data, other = NULL, text = factor(text)))[[3]], quote(text))
  expect_identical(dot(cbind(bad = label == "a", other) ~ ., data)[[3]], quote(text)) # what it uses is not a text
  expect_identical(dot(~., data["text"]), ~text)
  expect_identical(environment(dot(label ~ ., data[-3])), environment())
  expect_identical(dot(label ~ text, data), label ~ text)
  expect_error(dot(label ~ ., data), "2 others: \"text\" and \"other\"", class = "bertr_error_formula")
  expect_error(dot(label ~ ., data[c("label", "n")]), "no other column", class = "bertr_error_formula")
  fit <- quick_fit(label ~ ., data.frame(id = 1, faq()), epochs = 1)
  expect_identical(format(formula(fit)), "label ~ text")
})

test_that("missing columns are named, with those there are", {
  expect_error(read_formula(label ~ txt, data), "no column \"txt\"", class = "bertr_error_column")
  expect_error(read_formula(class ~ text, data), "columns are \"label\", \"text\"", class = "bertr_error_column")
})

test_that("outcomes and texts of other types are refused", {
  data$when <- Sys.Date()
  expect_error(read_formula(when ~ text, data), "`when` is a <Date> object.*factor, character or logical.*numeric",
    class = "bertr_error_outcome")
  expect_error(read_formula(cbind(label, n) ~ text, data), "must be a factor", class = "bertr_error_outcome")
  expect_error(read_formula(label ~ text, data, task = "spans"), "classification", class = "bertr_error_argument")
  expect_error(text_columns("n", data), "Column \"n\" of `data` must be text", class = "bertr_error_text")
})

test_that("a factor column is text, too", {
  data$text <- factor(data$text)
  expect_identical(text_columns("text", data)$a, c("x", "y"))
})
