test_that("the default model is all-MiniLM-L6-v2", {
  config <- bert_config(the_model())
  expect_identical(config[c("hidden_size", "num_layers", "num_heads", "vocab_size")],
    list(hidden_size = 384L, num_layers = 6L, num_heads = 12L, vocab_size = 30522L))
  expect_identical(bert_vocab(the_model())[c(1, 101, 102)], c("[PAD]", "[UNK]", "[CLS]"))
  expect_output(print(the_model()), "6 layers, hidden size 384.*22.7 million parameters.*pooling: mean")
  expect_output(print(summary(the_model())), "position_ids")
  expect_output(print(summary(the_model())), "sentence-transformers/all-MiniLM-L6-v2, commit 1110a243f[0-9a-f]{31}\n")
})

test_that("options change what is loaded", {
  expect_identical(bert_config(bert_load(layers = 2))$num_layers, 2L)
  cased <- bert_load(lower_case = FALSE, max_len = 64)
  expect_identical(bert_tokenize(cased, "HELLO")$token_ids, rbind(c(101L, 100L, 102L)))
  expect_identical(cased$info$max_len, 64L)
  expect_error(bert_load(layers = 9), "9", class = "bertr_error")
  expect_error(bert_load(layers = 0), "from 1 to", class = "bertr_error_argument")
  expect_error(bert_load(tokens = "letters"), "characters", class = "bertr_error_argument")
  expect_error(bert_load(max_len = 1000), "512", class = "bertr_error")
  expect_error(bert_load(1), "a single non-empty string", class = "bertr_error_argument")
  expect_error(bert_load(revision = 1), "a single non-empty string", class = "bertr_error_argument")
  expect_error(bert_load("bert-base-german"), "bert-base-german-cased", class = "bertr_error_source")
})

test_that("a model of lower layers does all that a whole one does", {
  low <- bert_load(layers = 2)
  fit <- bert_fit(low, label ~ text, faq(), train = "top:1", epochs = 1, seed = 1, verbose = FALSE)
  expect_identical(bert_config(fit)$num_layers, 2L)
  expect_identical(nrow(bert_predict(fit, c("My card?", NA))), 2L)
  expect_identical(dim(bert_attention(fit, "My card?"))[[1]], 2L)
  expect_error(bert_embed(fit, "My card?", layer = 3), "0 to 2, not 3", class = "bertr_error_argument")
  expect_error(bert_fit(low, label ~ text, faq(), train = "top:3"), "layers 1 to 2", class = "bertr_error_argument")
  kept <- unserialize(serialize(fit, NULL))
  expect_identical(bert_config(kept)$num_layers, 2L)
})

test_that("the table of models is complete", {
  models <- bert_models()
  expect_identical(names(models),
    c("name", "family", "source", "revision", "parameters", "description", "installed"))
  expect_setequal(models$family,
    c("BERT", "ALBERT", "RoBERTa", "XLM-RoBERTa", "CamemBERT", "DistilBERT", "ELECTRA", "MPNet"))
  expect_true(models$installed[models$name == "all-MiniLM-L6-v2"])
  expect_gt(nrow(models), 20)
  pinned <- !is.na(models$revision)
  expect_identical(nchar(models$revision[pinned]), rep(40L, 4))
  expect_false(anyNA(models$parameters[pinned]) || all(is.na(models$parameters[!pinned])))
})

# A folder with the default model's files, of which some are replaced
broken <- function(...) {
  folder <- withr::local_tempdir(.local_envir = parent.frame())
  from <- the_model()$info$folder
  file.copy(file.path(from, c("config.json", "vocab.txt", "tokenizer_config.json")), folder)
  file.symlink(file.path(from, "model.safetensors"), folder)
  files <- list(...)
  for (name in names(files)) {
    path <- file.path(folder, name)
    unlink(path)
    if (!is.null(files[[name]])) writeBin(files[[name]], path)
  }
  folder
}

test_that("a folder that is no checkpoint gives a one-sentence error", {
  expect_identical(bert_config(bert_load(broken()))$num_layers, 6L)
  empty <- withr::local_tempdir()
  expect_error(bert_load(empty), "config.json", class = "bertr_error")
  expect_error(bert_load(file.path(empty, "nowhere")), class = "bertr_error")
  expect_error(bert_load(broken(model.safetensors = readBin(file.path(the_model()$info$folder, "model.safetensors"),
    "raw", 5000))), "model.safetensors", class = "bertr_error")
  expect_error(bert_load(broken(vocab.txt = charToRaw("[PAD]\n[UNK]\n[CLS]\n"))), "vocabulary has no \\[SEP\\]",
    class = "bertr_error")
  expect_error(bert_load(broken(config.json = charToRaw("{"))), "config.json", class = "bertr_error")
  no_weights <- broken()
  unlink(file.path(no_weights, "model.safetensors"))
  writeBin(raw(10), file.path(no_weights, "pytorch_model.bin"))
  expect_error(bert_load(no_weights), "pytorch_model.bin|pickle", class = "bertr_error")
})

test_that("the activation can be chosen, from the known ones", {
  tanh <- bert_load(activation = "gelu_tanh")
  expect_identical(bert_config(tanh)$activation, "gelu_tanh")
  expect_identical(bert_config(the_model())$activation, "gelu_erf")
  difference <- max(abs(bert_embed(tanh, "Some text") - bert_embed(the_model(), "Some text")))
  expect_gt(difference, 1e-6)
  expect_lt(difference, 1e-2)
  expect_error(bert_load(activation = "gelu"), "gelu_erf", class = "bertr_error_argument")
})

test_that("a model whose folder is missing after a fit says so, and the fit lives on", {
  folder <- broken()
  model <- bert_load(folder)
  fit <- bert_fit(model, label ~ text, faq(), epochs = 1, seed = 1, verbose = FALSE)
  expected <- bert_predict(fit, faq()$text)
  unlink(folder, recursive = TRUE)
  expect_error(bert_embed(model, "A text"), "can no longer be read", class = "bertr_error_changed")
  expect_identical(bert_predict(fit, faq()$text), expected)
  expect_identical(bert_predict(unserialize(serialize(fit, NULL)), faq()$text), expected)
})
