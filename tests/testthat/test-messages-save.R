test_that("bert_save() says what it cannot write", {
  folder <- withr::local_tempdir()
  file <- file.path(folder, "notes.txt")
  writeLines("precious", file)
  expect_said({
    bert_save(faq(), folder)
    bert_save(the_fit(), "")
    bert_save(the_fit(), 1)
    bert_save(the_fit(), folder)
    bert_save(the_fit(), file)
    bert_save(the_fit(), getwd())
  })
})

# As another session has it
revived <- function(object) unserialize(serialize(object, NULL))

test_that("an object of an earlier session that cannot be used says so", {
  model_folder <- file.path(withr::local_tempdir(), "model")
  bert_save(the_model(), model_folder)
  fit_folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_fit(), fit_folder)
  model <- revived(bert_load(model_folder))
  fit <- revived(bert_load(fit_folder))
  bert_save(the_fit(), model_folder)
  unlink(fit_folder, recursive = TRUE)
  newer <- revived(the_fit())
  newer$handle$version <- "99.0"
  bare <- revived(the_fit())
  bare$weights <- NULL
  cut_short <- revived(the_fit())
  cut_short$weights <- list(cut_short$weights[[1]][1:500])
  expect_said({
    bert_embed(model, "a")
    bert_predict(fit, "a")
    bert_predict(newer, "a")
    bert_predict(bare, "a")
    bert_predict(cut_short, "a")
  })
})

test_that("a model whose folder changed says so", {
  folder <- tiny_folder()
  gone <- tiny_folder()
  model <- bert_load(folder)
  lost <- bert_load(gone)
  learn <- function(model, train) bert_fit(model, label ~ text, faq(), train = train, epochs = 1, verbose = FALSE)
  head <- revived(learn(bert_load(folder), "head"))
  for (each in list(model, lost)) { # after which the weights are read again where they are needed
    learn(each, "all")
  }
  unlink(c(folder, gone), recursive = TRUE)
  file.rename(tiny_folder(segments = 1L), folder)
  expect_said({
    bert_embed(lost, "a")
    bert_embed(model, "a")
    bert_predict(head, "a")
  })
})
