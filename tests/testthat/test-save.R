test_that("a saved fit predicts the same, a saved model embeds the same", {
  folder <- file.path(withr::local_tempdir(), "m\u00f6del")
  for (fit in list(the_fit(), quick_fit(label ~ text, faq(), train = "top:1", epochs = 1))) {
    expect_identical(bert_save(fit, folder), folder)
    loaded <- bert_load(folder)
    expect_s3_class(loaded, "bert_fit")
    expect_identical(loaded$spec, fit$spec)
    expect_identical(bert_predict(loaded, faq()), bert_predict(fit, faq()))
    expect_identical(glance(loaded), glance(fit))
  }
  bert_save(the_model(), folder)
  loaded <- bert_load(folder)
  expect_s3_class(loaded, "bert_model")
  expect_identical(bert_embed(loaded, "some text"), bert_embed(the_model(), "some text"))
  expect_true(all(c("config.json", "vocab.txt", "model.safetensors", "bertr.json") %in% list.files(folder)))
})

test_that("only what bert_save() wrote is replaced", {
  folder <- withr::local_tempdir()
  writeLines("precious", file.path(folder, "notes.txt"))
  expect_error(bert_save(the_fit(), folder), "holds other files", class = "bertr_error_folder")
  expect_identical(list.files(folder), "notes.txt")
  expect_error(bert_save(the_fit(), file.path(folder, "notes.txt")), "is a file", class = "bertr_error_folder")
  expect_error(bert_save(faq(), folder), "bert_fit\\(\\)", class = "bertr_error_argument")
})

test_that("a fit's folder takes no options", {
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_fit(), folder)
  expect_error(bert_load(folder, max_len = 10), "settings cannot be changed", class = "bertr_error_argument")
})

test_that("a full disk leaves the old folder whole", {
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_fit(), folder)
  before <- tools::md5sum(list.files(folder, full.names = TRUE, recursive = TRUE))
  # the disk is full as soon as the first file is written
  store <- reticulate::import("bertr.checkpoints.huggingface", convert = FALSE)
  full <- reticulate::py_run_string("def full(*args):\n    raise OSError(28, 'No space left on device')", local = TRUE)
  old <- store$write_huggingface
  store$write_huggingface <- full$full
  withr::defer(store$write_huggingface <- old)
  expect_error(bert_save(the_fit(), folder), "disk is full.*unchanged", class = "bertr_error_save")
  expect_identical(tools::md5sum(list.files(folder, full.names = TRUE, recursive = TRUE)), before)
  expect_identical(list.files(dirname(folder), all.files = TRUE, no.. = TRUE), "fit")
})

test_that("a fit from a folder is found there again, if it is still the same", {
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_fit(), folder)
  again <- function() unserialize(serialize(bert_load(folder), NULL))
  expect_identical(bert_predict(again(), "a"), bert_predict(the_fit(), "a"))
  kept <- again()
  other <- again()
  # the same encoder under another head
  bert_save(quick_fit(label ~ text, faq(), epochs = 3), folder)
  expect_error(bert_predict(kept, "a"), "is missing or has changed", class = "bertr_error_changed")
  unlink(folder, recursive = TRUE)
  expect_error(bert_predict(other, "a"), "is missing or has changed", class = "bertr_error_changed")
})

test_that("other files in a folder of bertr's are named, not deleted", {
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_fit(), folder)
  writeLines("precious", file.path(folder, "notes.txt"))
  expect_error(bert_save(the_fit(), folder), "notes.txt", class = "bertr_error_folder")
  expect_true(file.exists(file.path(folder, "notes.txt")))
})
