test_that("bert_keras() and bert_from_keras() say what each argument must be", {
  tiny <- bert_load(tiny_folder())
  keras <- reticulate::import("keras")
  albert <- bert_load(tiny_folder(kind = "albert"))
  bert <- bert_keras(tiny)
  tokens <- bert_tokenize(tiny, "A cat.")
  back <- bert_from_keras(bert, tiny)
  back$info$name <- "tiny"
  expect_said({
    bert_keras("bert")
    bert_keras(tiny, pool = "sum")
    bert_keras(tiny, pool = "pooler")
    bert_keras(tiny, train = "body")
    bert_keras(tiny, train = "top:3")
    bert_keras(albert, train = "top:1")
    bert_keras(tiny, max_len = 33)
    bert_keras(tiny, dropout = 1)
    bert_keras(tiny, precision = "float16")
    bert_from_keras(1, tiny)
    bert_from_keras(bert, "tiny")
    bert_from_keras(keras$Sequential(), tiny)
    bert_from_keras(bert, albert)
    bert_embed(unserialize(serialize(back, NULL)), "a")
    back
    as.list(tokens, width = 3)
    as.list(tokens, wide = 3)
  })
})

test_that("bert_optimizer() says what each argument must be", {
  expect_said({
    bert_optimizer(0)
    bert_optimizer(10, batch_size = 0.5)
    bert_optimizer(10, epochs = -1)
    bert_optimizer(10, learning_rate = 0)
    bert_optimizer(10, warmup = 2)
  })
})
