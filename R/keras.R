#' BERT in a Keras model
#'
#' `bert_keras()` gives a functional Keras model that you can train, extend and save with the package keras3, or with
#' Keras through reticulate. `bert_from_keras()` takes the trained encoder back, for [bert_embed()], [bert_fit()],
#' [bert_save()] and all other functions. `bert_optimizer()` gives the optimizer and the learning rate schedule of the
#' BERT paper for `compile()`.
#'
#' The model's one layer `"bert"` (class `BertEncoder`) is the encoder that [bert_fit()] trains. Its inputs are the
#' matrices of [bert_tokenize()]: `as.list()` of its result is the `x` of Keras' `fit()` and `predict()`. Rows that are
#' NA have no tokens, and zeros in both outputs.
#'
#' Models are saved with Keras: `save_model()` writes a `.keras` file, `export_savedmodel()` a folder for TensorFlow
#' Serving. To load a `.keras` file in another session, load bertr before the file.
#'
#' @param model A model from [bert_load()] or a fit from [bert_fit()]. For `bert_from_keras()` the one that
#'   `bert_keras()` was called with, whose tokenizer is kept.
#' @param pool How the output `pooled` is made from the hidden states: `"mean"`, `"cls"`, `"max"` or `"pooler"`, as in
#'   [bert_embed()]. `NULL` (default) uses the model's.
#' @param train Which layers are trained: `"all"` (default), `"head"` (none of the encoder: only what you add) or
#'   `"top:k"` (the upper k layers, for example `"top:2"`). Frozen layers have no dropout. Setting `trainable` in Keras
#'   can freeze more, but thaws only these.
#' @param max_len Number of columns of the inputs, at most the model's number of positions (512 for BERT). `NULL`
#'   (default) takes matrices of any width, which is faster for short texts.
#' @param dropout Dropout in the encoder while training, from 0 to below 1. `NULL` (default) uses the model's.
#' @param precision `"float32"` (default), `"mixed_bfloat16"` or `"mixed_float16"`. With the last two the encoder
#'   computes in half precision, which is faster on GPUs; weights and outputs are float32.
#' @return `bert_keras()`: a Keras model. It needs Keras 3.7 or later: earlier versions mix up inputs given by name.
#'   `inputs` is a list of three int32 tensors `[batch, length]`: `token_ids`,
#'   `segment_ids` and `mask`. `output` is a list of two float32 tensors: `sequence` `[batch, length, hidden]`, the
#'   hidden states of the last layer, zero at padding; and `pooled` `[batch, hidden]`, the vectors of
#'   `bert_embed(model, pool = )`.
#'
#'   `bert_from_keras()`: a list of class `bert_model`. Its pooling is that of the layer. The model's heads for masked
#'   words and next sentences and the steps after its pooling are left out: they belong to the weights before training.
#'   Save it with [bert_save()]: `saveRDS()` does not keep its weights.
#'
#'   `bert_optimizer()`: a Keras optimizer, AdamW with weight decay 0.01 except for biases and layer normalization,
#'   gradients clipped to norm 1, and a learning rate that rises linearly during the warmup and then falls to 0. With
#'   the same gradients it takes the steps of [bert_fit()].
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}; Loshchilov and Hutter (2019), Decoupled Weight Decay
#'   Regularization, <https://arxiv.org/abs/1711.05101>; <https://github.com/google-research/bert> (`optimization.py`);
#'   Keras: <https://keras.io>.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' x <- as.list(bert_tokenize(model, faq$text))
#' y <- matrix(as.numeric(faq$label == faq$label[1]))
#'
#' # with keras3: outputs <- bert$output$pooled |> layer_dense(1, "sigmoid")
#' keras <- reticulate::import("keras")
#' bert <- bert_keras(model, train = "top:1")
#' score <- keras$layers$Dense(1L, "sigmoid")(bert$output$pooled)
#' classifier <- keras$Model(bert$inputs, score)
#' classifier$compile(bert_optimizer(rows = nrow(faq), epochs = 2), "binary_crossentropy")
#' history <- classifier$fit(x, y, batch_size = 16L, epochs = 2L, verbose = 0L)
#' history$history$loss
#'
#' trained <- bert_from_keras(classifier, model)
#' dim(bert_embed(trained, faq$text))
#' @export
bert_keras <- function(model, pool = NULL, train = "all", max_len = NULL, dropout = NULL, precision = "float32") {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  info <- encoder_info(model)
  if (!is.null(pool)) {
    check_choice(pool, pools, "pool")
  }
  check_train(train, info$config$num_layers)
  check_max_len(max_len, model)
  if (!is.null(dropout)) {
    check_number(dropout, "dropout", 0, 0.999)
  }
  check_choice(precision, c("float32", "mixed_bfloat16", "mixed_float16"), "precision")
  py_for_user(py_call("keras_model", live(model, call), pool, train, to_int(max_len), to_float(dropout), precision,
    call = call))
}

#' @rdname bert_keras
#' @param keras_model A Keras model with the layer of `bert_keras()`: the model itself, or one built on its inputs and
#'   outputs.
#' @export
bert_from_keras <- function(keras_model, model) {
  call <- rlang::current_env()
  if (!inherits(keras_model, "python.builtin.object")) {
    abort("argument", "{.arg keras_model} must be a Keras model, not {.obj_type_friendly {keras_model}}.", call = call)
  }
  check_class(model, c("bert_model", "bert_fit"), "model")
  new_model(py_call("from_keras", keras_model, live(model, call), call = call), list())
}

#' @rdname bert_keras
#' @param rows Number of rows in training, without those for validation: a whole number.
#' @param batch_size,epochs Those of Keras' `fit()`: whole numbers.
#' @param learning_rate Peak learning rate: a number above 0. The default suits BERT-base; [bert_fit()] uses 1e-4 for
#'   the smaller default model.
#' @param warmup Fraction of the steps in which the learning rate rises: a number from 0 to 1.
#' @export
bert_optimizer <- function(rows, batch_size = 16, epochs = 3, learning_rate = 5e-5, warmup = 0.1) {
  check_whole(rows, "rows")
  check_whole(batch_size, "batch_size")
  check_whole(epochs, "epochs")
  check_number(learning_rate, "learning_rate", 0, open = TRUE)
  check_number(warmup, "warmup", 0, 1)
  py_for_user(py_call("keras_optimizer", to_int(rows), to_int(batch_size), to_int(epochs), to_float(learning_rate),
    to_float(warmup)))
}
