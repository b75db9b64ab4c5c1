# A folder with a small random ALBERT whose pieces are learnt from the FAQ
albert_folder <- function(env = parent.frame()) {
  skip_if_not(reticulate::py_module_available("sentencepiece"), "the Python package sentencepiece is installed")
  the_model() # so that Python knows the module bertr
  folder <- withr::local_tempdir(.local_envir = env)
  make <- reticulate::py_run_string("
def make(folder, texts):
    import io
    import numpy as np
    import sentencepiece
    from bertr.checkpoints.checkpoint import Checkpoint
    from bertr.checkpoints.huggingface import write_huggingface
    from bertr.checkpoints.weight_names import tensor_shapes
    from bertr.families.albert import AlbertConfig
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(t.lower() for t in texts), model_writer=out, vocab_size=300, hard_vocab_limit=False,
        pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=['[CLS]', '[SEP]', '[MASK]'], num_threads=1,
        minloglevel=2)
    size = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue()).get_piece_size()
    config = AlbertConfig(size, 32, 3, 4, 64, 64, embedding_size=16)
    rng = np.random.default_rng(1)
    tensors = {name: 0.1 * rng.normal(size=shape).astype(np.float32)
               for name, shape in tensor_shapes(config).items()}
    for name in tensors:
        if name.endswith('gamma'):
            tensors[name] += 1
    settings = {'lower_case': True, 'keep_accents': False, 'quotes': True, 'keep_special': True,
                'mode': 'sentencepiece'}
    write_huggingface(folder, Checkpoint(config, tensors, [], settings, 'mean', 64, '', '', {}, {}, out.getvalue()))
", local = TRUE, convert = FALSE)$make
  make(folder, as.list(faq(6)$text))
  folder
}

test_that("an ALBERT is loaded, printed and tokenized", {
  model <- bert_load(albert_folder())
  config <- bert_config(model)
  expect_identical(config[c("num_layers", "embedding_size", "num_groups")],
    list(num_layers = 3L, embedding_size = 16L, num_groups = 1L))
  expect_output(print(model), "3 layers, hidden size 32.*lower-cased sentencepiece, texts up to 64 tokens")
  expect_output(print(summary(model)), "embedding_size")
  expect_identical(bert_vocab(model)[1:5], c("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"))
  texts <- c("My caf\u00e9 card (old)", NA, "``so'' \U0001F600 it is")
  expect_warning(tokens <- bert_tokenize(model, texts), "unknown to the model")
  expect_identical(tokens$token_ids[1, 1], 2L)
  table <- as_tibble(tokens)
  words <- table[!is.na(table$start), ]
  cut <- substr(texts[words$row], words$start, words$end)
  expect_identical(paste(unique(cut[words$row == 1]), collapse = ""), gsub(" ", "", texts[[1]]))
  expect_true("\U0001F600" %in% cut)
  expect_true("``" %in% cut)
  expect_identical(bert_detokenize(model, bert_tokenize(model, "my card is lost")), "my card is lost")
})

test_that("an ALBERT is fitted, saved and kept like any other model", {
  model <- bert_load(albert_folder())
  data <- faq(2)
  expect_identical(dim(bert_embed(model, data$text[1:3])), c(3L, 32L))
  for (train in c("all", "head")) {
    fit <- bert_fit(model, label ~ text, data, train = train, epochs = 1, seed = 1, verbose = FALSE)
    expected <- bert_predict(fit, data)
    expect_identical(nrow(expected), nrow(data))
    expect_identical(bert_predict(unserialize(serialize(fit, NULL)), data), expected)
    folder <- file.path(withr::local_tempdir(), "fit")
    bert_save(fit, folder)
    expect_true("spiece.model" %in% list.files(folder))
    expect_identical(bert_predict(bert_load(folder), data), expected)
  }
  expect_error(bert_fit(model, label ~ text, data, train = "top:1", epochs = 1, verbose = FALSE),
    "share their weights", class = "bertr_error_train")
})

test_that("what an ALBERT cannot do is one sentence", {
  folder <- albert_folder()
  expect_error(bert_load(folder, tokens = "characters"), "only knows the pieces", class = "bertr_error_tokenizer")
  expect_identical(bert_config(bert_load(folder, layers = 2))$num_layers, 2L)
  modules <- reticulate::import("sys", convert = FALSE)$modules
  package <- reticulate::import("sentencepiece", convert = FALSE)
  withr::defer(reticulate::py_set_item(modules, "sentencepiece", package))
  reticulate::py_set_item(modules, "sentencepiece", NULL)
  expect_error(bert_load(folder), "needs the Python package sentencepiece", class = "bertr_error_sentencepiece")
})

test_that("entities of an ALBERT are whole words", {
  model <- bert_load(albert_folder())
  data <- bert_entities(
    list(c("Transferring", "(", "Washington", ")", "it", "is", "."), c("It", "is", "Washington", ",", "declined")),
    list(c("O", "O", "B-LOC", "O", "O", "O", "O"), c("O", "O", "B-LOC", "O", "O"))
  )[rep(1:2, 8), ]
  fit <- bert_fit(model, entities ~ text, data, epochs = 30, learning_rate = 5e-3, seed = 1, verbose = FALSE)
  found <- bert_predict(fit, c("Transferring (Washington) it is.", "It is Washington, declined"))$.pred_entities
  expect_identical(lapply(found, function(x) x$text), list("Washington", "Washington"))
  expect_identical(bert_evaluate(fit, data)$.estimate[1:3], c(1, 1, 1))
})
