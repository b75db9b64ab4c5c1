#' Advanced training settings
#'
#' The defaults are those of the BERT paper. Everything that is off by default costs nothing.
#'
#' @param warmup Fraction of the steps over which the learning rate rises from 0 to its full value. A number from 0 to
#'   1, by default 0.1.
#' @param schedule Learning rate after the warmup: `"linear"` (default) decays to 0 at the end, `"constant"` stays.
#'   `"keras_bert"` is `AdamWarmup` from keras-bert. With W warmup steps of D steps in total, step t has `rate * t / W`
#'   up to W and `rate * (1 - t / D)` after it, so the rate drops after the warmup. It also uses the epsilon of that
#'   optimizer: 1e-7, added to the root of the uncorrected second moment.
#' @param weight_decay Decoupled weight decay of AdamW, not applied to biases and layer normalization. A number of at
#'   least 0, by default 0.01.
#' @param layer_decay Learning rate decay towards lower layers. With L layers, the learning rate and weight decay of
#'   layer i (from 1) are multiplied by `layer_decay^(L + 1 - i)`, those of the embeddings by `layer_decay^(L + 1)`, and
#'   those of the head are unchanged. A number above 0 and at most 1; the default 1 uses the same rate for all. Typical
#'   values are 0.8 to 0.95.
#' @param clip Maximum norm of the whole gradient; larger gradients are scaled down to it. A number above 0, by default
#'   1.
#' @param dropout Dropout in the encoder, from 0 to below 1. `NULL` (default) uses the value from the checkpoint (0.1
#'   for BERT).
#' @param accumulate Number of batches per optimizer step: `batch_size = 8` with `accumulate = 4` is equivalent to
#'   `batch_size = 32` with a quarter of the memory. A whole number, by default 1.
#' @param ema Decay of an exponential moving average of the weights, such as 0.999. The averaged weights are used for
#'   validation and for the final fit. After step t the average is the mean of the weights after steps 1 to t, weighted
#'   by `ema^(t - i)`; the initial weights are not included. A number above 0 and below 1, or `NULL` (default) for none.
#' @param adversarial Epsilon of adversarial training (fast gradient method), such as 0.5. Every batch is run a second
#'   time with the word vectors moved by `epsilon * g / |g|`, where g is their gradient, and both gradients are added. A
#'   step takes twice as long. A number above 0, or `NULL` (default) for none; needs `train = "all"`.
#' @param class_weights For classification: weight of each class in the loss. A numeric vector named by all levels, or
#'   `"balanced"` for rows / (classes * rows of the class), so that rare classes count as much as frequent ones. `NULL`
#'   (default) weights all rows equally.
#' @param label_smoothing For classification: the part of the target that is spread evenly over all classes, from 0
#'   (default) to below 1. A typical value is 0.1. The validation loss uses neither label smoothing nor class weights.
#' @param early_stopping Stop after this many epochs in a row without improvement and return the weights of the best
#'   epoch. Better means a higher validation metric (accuracy for classification), or a lower validation loss if it is
#'   equal. A whole number, or `NULL` (default) to train all epochs and keep the last; needs `validation`.
#' @param devices Number of devices, such as GPUs, to train on: each gets the same part of the rows of every batch and
#'   holds all weights. Losses and weights are those of one device up to rounding. Choose a `batch_size` that is a
#'   multiple of it; other batches are filled up with rows that do not count. Only the JAX backend can do this
#'   (`KERAS_BACKEND`, see [bertr][bertr-package]): Keras 3 itself distributes over devices only there, and says of
#'   what it has for TensorFlow that it must not be used. Needs `train = "all"` or `"top:k"`; predictions are computed
#'   on one device. On several machines run the same script with the same `seed` on each, after
#'   `jax.distributed.initialize()` in Python, and give the number of devices of all of them. A whole number, or `NULL`
#'   (default) for one device.
#' @param precision Type of the numbers that the encoder's layers compute with: `"float32"`, or `"bfloat16"` or
#'   `"float16"`, which are faster on GPUs and TPUs and need half of the memory, but are slow on CPUs. Weights, the
#'   optimizer, softmax, layer normalization, head and loss are float32 with each, and so is the saved fit. With
#'   `"float16"` the loss is scaled so that small gradients do not become 0: a step whose gradients overflow is left
#'   out, and the scale is halved; after 2,000 steps without overflow it is doubled. `"auto"` (default) is
#'   `options(bertr.precision = )` if that is set (see [bertr][bertr-package]), or else what suits the device: float32
#'   on CPUs, bfloat16 on TPUs and on NVIDIA GPUs of compute capability 8.0 or more, float16 on older ones, float32 on
#'   other GPUs. The precision of a fit is in `fit$info$precision`.
#' @param checkpoint Folder in which to save the run after every epoch (with `train = "head"`, every few tenths of a
#'   second). Calling [bert_fit()] again with the same arguments resumes after the last complete epoch. On one machine
#'   the result is, bit for bit, the fit of an uninterrupted run. If the run is complete, its fit is returned without
#'   training. If you do not set `seed`, the seed of the saved run is used. A run with different data or settings is
#'   refused; delete the folder to start again. A second fit is also refused while the first one is using the folder.
#'   Only `epochs` may differ with `schedule = "constant"`, where the learning rate does not depend on it: the run
#'   continues up to the new number of epochs, with the warmup of the first call. If the folder disappears or the disk
#'   is full, the run continues and warns at the end. `NULL` (default) saves nothing.
#' @param keep Which epochs stay in the `checkpoint` folder: `"last"` (default) keeps only what is needed to resume,
#'   `"all"` also writes the fit of every epoch to the folders `epoch-001`, `epoch-002` and so on, for [bert_load()].
#'   Each is as large as the output of [bert_save()]; with `train = "head"` they share the encoder's file.
#' @param long How to handle texts longer than `max_len`: `"truncate"` (default) cuts off the end, `"head_tail"` keeps a
#'   quarter of the tokens from the beginning and the rest from the end, and `"window"` reads the whole text in
#'   overlapping windows that are combined into one vector (see `windows` of [bert_head()]). In a pair, the second text
#'   is shortened. Entities, spans and relations always read texts in windows.
#' @param threshold For multi-label classification: the probability above which a label is predicted, from 0 to 1.
#'   `NULL` (default) chooses the threshold with the best F1 on the validation rows, else on held-out rows (see
#'   [bert_fit()]), else on the training rows. A label gets its own threshold if enough of these rows have it (20, or a
#'   tenth of fewer than 200 rows, but at least 5). The other labels share one.
#' @param calibrate Calibrate probabilities and thresholds on rows that are held out of training, a tenth of the rows if
#'   there are enough (see [bert_fit()])? With `FALSE` all rows are used for training and probabilities are not changed.
#'   `TRUE` by default.
#' @param whole_words For `~ text`: mask whole words, that is, all tokens of a word or none? `FALSE` (default) masks
#'   single tokens.
#' @param serialize Store the trained weights inside the fit (default `TRUE`), so that `saveRDS()` and other R sessions
#'   can use it? With `FALSE` the fit is small and only usable in its session, unless it is saved with [bert_save()].
#' @return A list of class `bert_control` for the `control` argument of [bert_fit()].
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}; Loshchilov and Hutter (2019), Decoupled Weight Decay
#'   Regularization, <https://arxiv.org/abs/1711.05101>; schedule of keras-bert:
#'   <https://github.com/CyberZHG/keras-bert>; rates by layer: Howard and Ruder (2018),
#'   <https://arxiv.org/abs/1801.06146>, Clark et al. (2020), <https://arxiv.org/abs/2003.10555>; averaged weights:
#'   Polyak and Juditsky (1992), \doi{10.1137/0330046}; adversarial: Miyato et al. (2017),
#'   <https://arxiv.org/abs/1605.07725>; half precision and loss scaling: Micikevicius et al. (2018),
#'   <https://arxiv.org/abs/1710.03740>; label smoothing: Szegedy et al. (2016), <https://arxiv.org/abs/1512.00567>;
#'   for long texts Sun et al. (2019), <https://arxiv.org/abs/1905.05583>, and Pappagari et al. (2019),
#'   <https://arxiv.org/abs/1910.10781>.
#' @examples
#' bert_control(warmup = 0.2, dropout = 0)
#' bert_control(accumulate = 4, ema = 0.99, early_stopping = 2, class_weights = c(no = 1, yes = 5))
#' @export
bert_control <- function(warmup = 0.1, schedule = c("linear", "constant", "keras_bert"), weight_decay = 0.01,
                         layer_decay = 1, clip = 1, dropout = NULL, accumulate = 1, ema = NULL, adversarial = NULL,
                         class_weights = NULL, label_smoothing = 0, early_stopping = NULL, devices = NULL,
                         precision = c("auto", "float32", "bfloat16", "float16"), checkpoint = NULL,
                         keep = c("last", "all"), long = c("truncate", "head_tail", "window"), threshold = NULL,
                         calibrate = TRUE, whole_words = FALSE, serialize = TRUE) {
  call <- rlang::current_env()
  values <- checked_settings(mget(names(formals())), control_settings(), call)
  if (values$keep == "all" && is.null(checkpoint)) {
    abort("argument", "{.code keep = \"all\"} needs a folder to save the epochs in.",
      "Set one, as in {.code bert_control(checkpoint = \"run\", keep = \"all\")}.", call = call)
  }
  structure(values, class = "bert_control")
}

check_class_weights <- function(x, arg, call = caller_env()) {
  if (!identical(x, "balanced") && !are_weights(x)) {
    abort("argument", "{.arg class_weights} must be {.val balanced} or numbers above 0 named by level, not
      {got_value(x)}.",
      "For example {.code c(no = 1, yes = 5)}.", call = call)
  }
}

# Numbers above 0 with unique names
are_weights <- function(x) {
  named <- is.numeric(x) && length(x) > 0 && rlang::is_named(x) && !anyDuplicated(names(x))
  named && all(is.finite(x) & x > 0)
}

#' @export
print.bert_control <- function(x, ...) {
  check_dots(...)
  check_class(x, "bert_control", "x")
  print_settings(x, "bert_control", control_settings())
}
