# What folders of sentence models say, and texts that a vocabulary does not fit

sentence_folder <- function(env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  unlink(folder, recursive = TRUE)
  bert_save(the_model(), folder)
  folder
}

test_that("the default model's vectors have length 1, as its folder says", {
  texts <- c("My card has not arrived.", "Where is it?", NA)
  own <- bert_embed(the_model(), texts, verbose = FALSE)
  expect_equal(rowSums(own^2), c(1, 1, NA), tolerance = 1e-6)
  raw <- bert_embed(the_model(), texts, normalise = FALSE, verbose = FALSE)
  expect_equal(raw, bert_embed(the_model(), texts, pool = "mean", verbose = FALSE))
  expect_equal(own, raw / sqrt(rowSums(raw^2)), tolerance = 1e-6)
  expect_equal(bert_embed(the_model(), texts, pool = "mean", normalise = TRUE, verbose = FALSE), own, tolerance = 1e-6)
  folder <- sentence_folder()
  expect_equal(bert_embed(bert_load(folder), texts, verbose = FALSE), own, tolerance = 1e-6)
})

test_that("prompts and several poolings of a folder are followed, and summary() shows them", {
  folder <- sentence_folder()
  writeLines('{"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "passage"}',
    file.path(folder, "config_sentence_transformers.json"))
  writeLines('{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}',
    file.path(folder, "1_Pooling", "config.json"))
  unlink(file.path(folder, "bertr.json")) # now any tool may have written it
  model <- bert_load(folder)
  texts <- c("My card has not arrived.", "Where is it?")
  vectors <- function(...) bert_embed(model, ..., verbose = FALSE)
  expect_equal(dim(vectors(texts)), c(2, 768))
  plain <- bert_embed(the_model(), paste0("query: ", texts), pool = "mean", verbose = FALSE)
  first <- bert_embed(the_model(), paste0("query: ", texts), pool = "cls", verbose = FALSE)
  both <- cbind(first, plain)
  expect_equal(unname(vectors(texts, prompt = "query")), unname(both / sqrt(rowSums(both^2))), tolerance = 1e-5)
  expect_equal(vectors(texts), vectors(texts, prompt = "passage"))
  expect_output(print(summary(model)), 'after pooling: normalize\n  prompt "query": "query: "\n  prompt "passage"')
  expect_error(vectors(texts, prompt = "search"), '`prompt` is "search", but this model has only "query", "passage"',
    class = "bertr_error")
  expect_error(vectors(texts, prompt = 1), "`prompt` must be", class = "bertr_error")
  expect_error(vectors(texts, texts, prompt = "query"), "not with pairs", class = "bertr_error")
})

test_that("a warning says once that a vocabulary does not fit the texts", {
  model <- bert_load()
  runes <- strrep("\u16a0\u16c7\u16bb \u16d2\u16e6\u16da ", 30)
  expect_warning(bert_count_tokens(model, runes), NA)
  expect_warning(bert_embed(model, runes, verbose = FALSE), "100% of the tokens of these texts are unknown",
    class = "bertr_warning")
  expect_no_warning(bert_embed(model, runes, verbose = FALSE))
  expect_no_warning(bert_embed(bert_load(), faq()$text[1:20], verbose = FALSE))
})

test_that("added tokens are one token from R, and survive saving", {
  folder <- sentence_folder()
  added <- '{"added_tokens_decoder": {"1": {"content": "[unused0]", "special": true}}, "do_lower_case": true}'
  writeLines(added, file.path(folder, "tokenizer_config.json"))
  unlink(file.path(folder, "bertr.json"))
  model <- bert_load(folder)
  words <- tibble::as_tibble(bert_tokenize(model, "see [unused0] now"))$token
  expect_equal(words, c("[CLS]", "see", "[unused0]", "now", "[SEP]"))
  again <- withr::local_tempdir()
  unlink(again, recursive = TRUE)
  bert_save(model, again)
  expect_equal(tibble::as_tibble(bert_tokenize(bert_load(again), "see [unused0] now"))$token, words)
})
