test_that("bert_info() says what bertr runs on", {
  info <- bert_info()
  expect_true(info$ready)
  expect_identical(info$bertr, as.character(packageVersion("bertr")))
  expect_output(print(info), "ready.*keras")
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
})
