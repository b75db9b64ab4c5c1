test_that("bert_save() says what it cannot write", {
  folder <- withr::local_tempdir()
  file <- file.path(folder, "notes.txt")
  writeLines("precious", file)
  tiny <- bert_load(tiny_folder())
  accented <- "mod\u00e8le"
  expect_said({
    bert_save(faq(), folder)
    bert_save(tiny, "")
    bert_save(tiny, 1)
    bert_save(tiny, folder)
    bert_save(tiny, file)
    bert_save(tiny, getwd())
    withr::with_locale(c(LC_CTYPE = "C"), bert_save(tiny, accented))
  })
})

# As another session has it
revived <- function(object) unserialize(serialize(object, NULL))

test_that("an object of an earlier session that cannot be used says so", {
  model_folder <- tiny_folder()
  model <- bert_load(model_folder)
  made <- head_fit(model)
  fit_folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(made, fit_folder)
  model <- revived(model)
  loaded <- revived(bert_load(fit_folder))
  head <- revived(made)
  newer <- revived(made)
  newer$handle$version <- "99.0"
  bare <- revived(made)
  bare$weights <- NULL
  cut_short <- revived(made)
  cut_short$weights <- list(cut_short$weights[[1]][1:500])
  unlink(c(model_folder, fit_folder), recursive = TRUE)
  file.rename(tiny_folder(segments = 1L), model_folder)
  expect_said({
    bert_embed(model, "a")
    bert_predict(loaded, "a")
    bert_predict(head, "a")
    bert_predict(newer, "a")
    bert_predict(bare, "a")
    bert_predict(cut_short, "a")
  })
})

test_that("a model whose folder changed says so", {
  folder <- tiny_folder()
  changed <- bert_load(folder)
  gone <- bert_load(folder)
  for (model in list(changed, gone)) {
    live(model)$release() # as training does: the weights are read again when they are needed
  }
  unlink(folder, recursive = TRUE)
  expect_said(bert_embed(gone, "a"))
  file.rename(tiny_folder(segments = 1L), folder)
  expect_said(bert_embed(changed, "a"))
})
