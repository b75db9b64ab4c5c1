# Through plain reticulate: the Keras model is the same one that the package keras3 gets.
keras <- function() reticulate::import("keras")

# A classifier of the first class of faq() on the pooled state
classifier <- function(bert) {
  start <- keras()$initializers$GlorotUniform(1L)
  score <- keras()$layers$Dense(1L, "sigmoid", kernel_initializer = start)(bert$output$pooled)
  keras()$Model(bert$inputs, score)
}

first_class <- function(data) matrix(as.numeric(data$label == data$label[1]))

trained_classifier <- function(bert, data, epochs = 3L) {
  out <- classifier(bert)
  out$compile(bert_optimizer(nrow(data), 8, epochs, learning_rate = 1e-3), "binary_crossentropy")
  x <- as.list(bert_tokenize(the_model(), data$text))
  history <- out$fit(x, first_class(data), batch_size = 8L, epochs = epochs, verbose = 0L)
  list(model = out, loss = as.numeric(history$history$loss), x = x)
}

test_that("as.list() gives the three matrices", {
  tokens <- bert_tokenize(the_model(), c("A cat.", NA, "Two cats and a dog."))
  x <- as.list(tokens)
  expect_identical(x, unclass(tokens)[c("token_ids", "segment_ids", "mask")])
  wide <- as.list(tokens, width = 12)
  expect_identical(lapply(wide, dim), lapply(x, function(m) c(3L, 12L)))
  expect_identical(lapply(wide, function(m) m[, seq_len(ncol(x$mask))]), x)
  expect_identical(unique(unlist(lapply(wide, function(m) m[, 9:12]))), 0L)
})

test_that("the outputs are those of bert_embed(), with NA rows zero", {
  texts <- c("A cat.", NA, "Two cats and a dog.")
  tokens <- bert_tokenize(the_model(), texts)
  x <- as.list(tokens)
  for (pool in c("mean", "cls", "pooler")) {
    bert <- bert_keras(the_model(), pool = pool)
    expect_identical(vapply(bert$inputs, function(input) input$name, ""), c("token_ids", "segment_ids", "mask"))
    out <- bert$predict(x, verbose = 0L)
    expect_setequal(names(out), c("sequence", "pooled"))
    expect_equal(dim(out$sequence), c(dim(x$mask), 384L))
    expected <- bert_embed(the_model(), texts, pool = pool)
    expect_lt(max(abs(out$pooled - expected)[-2, ]), 1e-6)
    expect_identical(range(out$pooled[2, ], out$sequence[2, , ]), c(0, 0))
    expect_identical(bert$predict(unname(x), verbose = 0L), out)
  }
  default <- bert_keras(the_fit(), max_len = 20)$predict(as.list(tokens, width = 20), verbose = 0L)
  expect_lt(max(abs(default$pooled - bert_embed(the_fit(), texts))[-2, ]), 1e-6)
})

test_that("a model is trained, saved, loaded in another session, served and taken back", {
  data <- faq(2)
  trained <- trained_classifier(bert_keras(the_model(), train = "top:2", dropout = 0), data, 4L)
  expect_lt(trained$loss[[4]], trained$loss[[1]])
  expected <- trained$model$predict(trained$x, verbose = 0L)

  file <- withr::local_tempfile(fileext = ".keras")
  trained$model$save(file)
  expect_identical(keras()$models$load_model(file)$predict(trained$x, verbose = 0L), expected)
  again <- fresh(function(file, x) {
    library(bertr)
    bert_load() # the class of the layer is known as soon as bertr has started Python
    reticulate::import("keras")$models$load_model(file)$predict(x, verbose = 0L)
  }, list(file, trained$x))
  expect_identical(again, expected)

  folder <- withr::local_tempdir()
  trained$model$export(folder, verbose = FALSE)
  tf <- reticulate::import("tensorflow")
  x <- lapply(unname(trained$x), tf$constant)
  expect_identical(as.array(tf$saved_model$load(folder)$serve(x)$numpy()), expected)

  back <- bert_from_keras(trained$model, the_model())
  expect_s3_class(back, "bert_model")
  same <- bert_keras(back)$predict(trained$x, verbose = 0L)$pooled
  vectors <- bert_embed(back, data$text) # not of length 1, so the difference is compared with their lengths
  expect_lt(max(abs(vectors - same) / sqrt(rowSums(same^2))), 1e-6)
  moved <- abs(bert_embed(back, data$text) - bert_embed(the_model(), data$text, normalise = FALSE))
  expect_gt(max(moved), 1e-3)
  saved <- withr::local_tempdir()
  bert_save(back, saved)
  expect_equal(bert_embed(bert_load(saved), data$text), bert_embed(back, data$text), tolerance = 1e-6)
  fit <- bert_fit(back, label ~ text, data, train = "head", epochs = 2, seed = 1, verbose = FALSE)
  expect_equal(bert_predict(unserialize(serialize(fit, NULL)), data$text), bert_predict(fit, data$text))
  expect_output(print(back), "trained in Keras, from ")
})

test_that("Keras imported by somebody else learns of the layer", {
  skip_if_not("py_register_load_hook" %in% getNamespaceExports("reticulate"), "reticulate has no such hook")
  file <- withr::local_tempfile(fileext = ".keras")
  bert_keras(the_model())$save(file)
  x <- as.list(bert_tokenize(the_model(), "A cat."))
  width <- fresh(function(file, x) {
    library(bertr)
    dim(reticulate::import("keras")$models$load_model(file)$predict(x, verbose = 0L)$pooled)
  }, list(file, x))
  expect_identical(width, c(1L, 384L))
})

test_that("summary() has a row for each layer", {
  layers <- summary(the_model())$layers
  expect_identical(layers$layer, c("embeddings", paste("layer", 1:6), "pooler"))
  expect_identical(sum(layers$parameters), the_model()$info$parameters)
  config <- bert_config(the_model())
  h <- config$hidden_size
  expect_identical(layers$parameters[[1]], (config$vocab_size + config$max_positions + config$num_segments + 2) * h)
  expect_identical(layers$parameters[[2]], 4 * h * (h + 1) + 2 * h * config$intermediate_size +
    config$intermediate_size + h + 4 * h)
  expect_identical(layers$trained, c(rep(TRUE, 7), FALSE)) # its pooling is "mean"
  albert <- summary(bert_load(tiny_folder(kind = "albert")))$layers
  expect_identical(albert$layer, c("embeddings", "layers 1-2"))
})
