test_that("bert_load() says what each argument must be", {
  tiny <- tiny_folder()
  expect_said({
    bert_load(1)
    bert_load("")
    bert_load(latin1)
    bert_load(layers = 0)
    bert_load(layers = 1.5)
    bert_load(tiny, layers = 9)
    bert_load(tokens = "letters")
    bert_load(lower_case = NA)
    bert_load(max_len = 2)
    bert_load(tiny, max_len = 1000)
    bert_load(activation = "gelu")
    bert_load(revision = 1)
    bert_load(verbose = NULL)
    bert_config("bert")
    bert_vocab(NULL)
  })
})

test_that("a name or place without a model is reported", {
  file <- withr::local_tempfile(lines = "text")
  empty <- withr::local_tempdir()
  expect_said({
    bert_load("bert-base-german")
    bert_load("nothing like it")
    bert_load("./nowhere")
    bert_load(file)
    bert_load(empty)
    bert_load(empty, revision = "main")
  })
})

# A tiny model whose config.json says something else
with_config <- function(from, to, env = parent.frame()) {
  folder <- tiny_folder(env = env)
  path <- file.path(folder, "config.json")
  writeLines(sub(paste0('"', from, '": [^,]*'), paste0('"', from, '": ', to), readLines(path)), path)
  folder
}

test_that("a folder with another kind of model is reported", {
  decoder <- with_config("model_type", '"bert", "is_decoder": true')
  other_weights <- tiny_folder(model.safetensors = NULL, tf_model.h5 = "")
  other_tokenizer <- tiny_folder(tokenizer_config.json = '{"tokenizer_class": "RobertaTokenizer"}')
  newer <- tiny_folder(bertr.json = '{"format": 99}')
  expect_said({
    bert_load(with_config("model_type", '"gpt2"'))
    bert_load(with_config("position_embedding_type", '"relative_key"'))
    bert_load(decoder)
    bert_load(other_weights)
    bert_load(other_tokenizer)
    bert_load(newer)
  })
})

test_that("a folder that is damaged is reported", {
  no_json <- tiny_folder(config.json = "")
  no_config <- tiny_folder(config.json = NULL)
  no_weights <- tiny_folder(model.safetensors = NULL)
  cut_short <- tiny_folder()
  path <- file.path(cut_short, "model.safetensors")
  writeBin(readBin(path, "raw", 5000), path)
  no_words <- tiny_folder(vocab.txt = NULL)
  few_words <- tiny_folder(vocab.txt = c("[PAD]", "[UNK]", "[CLS]"), tokenizer_config.json = NULL)
  many_words <- tiny_folder(vocab.txt = c(bert_vocab(the_model())[1:3000], "one", "more"))
  expect_said({
    bert_load(no_json)
    bert_load(no_config)
    bert_load(no_weights)
    bert_load(cut_short)
    bert_load(no_words)
    bert_load(few_words)
    bert_load(many_words)
    bert_load(with_config("hidden_size", "null"))
    bert_load(with_config("num_attention_heads", 3))
    bert_load(with_config("hidden_act", '"swoosh"'))
    bert_load(with_config("num_hidden_layers", 5))
    bert_load(with_config("intermediate_size", 32))
  })
})

test_that("what an ALBERT cannot do, or lacks, is reported", {
  albert <- bert_load(tiny_folder(kind = "albert"))
  no_pieces <- tiny_folder(kind = "albert", vocab.txt = NULL, tokenizer.json = "{}")
  pieces <- tiny_folder(kind = "albert", vocab.txt = NULL, spiece.model = "")
  modules <- reticulate::import("sys", convert = FALSE)$modules
  had <- reticulate::py_module_available("sentencepiece")
  package <- if (had) reticulate::import("sentencepiece", convert = FALSE)
  reticulate::py_set_item(modules, "sentencepiece", NULL)
  withr::defer(
    if (had) {
      reticulate::py_set_item(modules, "sentencepiece", package)
    } else {
      reticulate::py_del_item(modules, "sentencepiece")
    }
  )
  expect_said({
    bert_load(no_pieces)
    bert_load(pieces)
    bert_fit(albert, label ~ text, faq(), train = "top:1")
  })
})

test_that("a folder with a fit or a run is distinguished from one with a model", {
  kept <- file.path(withr::local_tempdir(), "fit")
  run <- file.path(withr::local_tempdir(), "run")
  tiny <- bert_load(tiny_folder())
  bert_save(head_fit(tiny), kept)
  head_fit(tiny, control = bert_control(checkpoint = run))
  change <- function(pattern, to) {
    path <- file.path(kept, "bertr.json")
    writeLines(sub(pattern, to, readLines(path, encoding = "UTF-8", warn = FALSE)), path, useBytes = TRUE)
  }
  expect_said({
    bert_load(kept, max_len = 10)
    bert_load(kept, layers = 1)
    bert_load(run)
    change('classification\\\\"', 'charades\\\\"')
    bert_load(kept)
    change('"spec": "[{]', '"spec": "')
    bert_load(kept)
    unlink(file.path(kept, "head.safetensors"))
    bert_load(kept)
  })
})
