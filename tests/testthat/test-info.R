test_that("bert_info() says what bertr runs on", {
  info <- bert_info()
  expect_true(info$ready)
  expect_identical(info$bertr, as.character(packageVersion("bertr")))
  expect_output(print(info), "ready.*keras")
  expect_identical(info$precision, "float32")
  expect_identical(bert_devices()$device[[1]], "CPU")
})

test_that("what is installed fits the machine", {
  expect_match(tensorflow_package(TRUE), "and-cuda")
  expect_match(tensorflow_package(FALSE), "^tensorflow(-cpu)?>=2[.][0-9]+$")
  expect_match(python_packages(FALSE), "^keras>=3[.][0-9]+$", all = FALSE)
  expect_match(oldest("Python"), "^3[.][0-9]+$")
  expect_true(any(grepl("^numpy", python_packages(FALSE))))
  expect_error(bert_install(envname = 1), "a single non-empty string", class = "bertr_error_argument")
  expect_error(bert_install(gpu = "yes"), "TRUE or FALSE", class = "bertr_error_argument")
  expect_error(bert_install(score = 1), "`score` must be TRUE or FALSE", class = "bertr_error_argument")
  expect_error(bert_install(spark = NA), "`spark` must be TRUE or FALSE", class = "bertr_error_argument")
})

test_that("bert_install() adds what bert_score() needs", {
  asked <- NULL
  local_binding("py_install", function(envname, packages, ...) asked <<- c(asked, packages), environment())
  suppressMessages(bert_install())
  expect_false(any(grepl("pyarrow|pyspark", asked)))
  suppressMessages(bert_install(score = TRUE))
  expect_true(any(grepl("^pyarrow", asked)) && !any(grepl("^pyspark", asked)))
  asked <- NULL
  suppressMessages(bert_install(spark = TRUE))
  added <- sub("[<>].*", "", grep("^py|^pandas", asked, value = TRUE))
  expect_setequal(added, c("pyarrow", "pyspark[connect]", "pandas"))
})
