#' Settings of the training that seldom change
#'
#' The defaults are those of the BERT paper. All that is off by default costs nothing.
#'
#' @param warmup Share of the steps over which the learning rate rises from 0 to its full value. A number from 0 to
#'   1, by default 0.1.
#' @param schedule The learning rate after the warmup: `"linear"` (default) falls to 0 at the end, `"constant"` stays.
#'   `"keras_bert"` is keras-bert's `AdamWarmup`, with W warmup steps of D in all: step t has `rate * t / W` up to W,
#'   then `rate * (1 - t / D)`, which jumps down after the warmup; with it goes that optimiser's epsilon, 1e-7 beside
#'   the uncorrected root.
#' @param weight_decay Decoupled weight decay of AdamW, not applied to biases and layer
#'   normalisation. A number of at least 0, by default 0.01.
#' @param layer_decay Lower layers learn more slowly: of L layers, layer i (from 1) has the learning rate, and with it
#'   the weight decay, times `layer_decay^(L + 1 - i)`, the embeddings times `layer_decay^(L + 1)`, and the head all
#'   of it. A number above 0, at most 1; by default 1, the same rate for all. Customary are 0.8 to 0.95.
#' @param clip Largest norm of the whole gradient; larger ones are scaled down to it. A number above 0,
#'   by default 1.
#' @param dropout Dropout in the encoder, from 0 to below 1. `NULL` (default) takes the checkpoint's
#'   own (0.1 for BERT).
#' @param accumulate Batches whose gradients make one step, as if they were one batch: `batch_size = 8` with
#'   `accumulate = 4` is `batch_size = 32` in a quarter of the memory. A whole number, by default 1.
#' @param ema Decay of an exponential moving average of the weights, such as 0.999: the averaged weights are
#'   validated and make the fit. After step t the average is the mean of the weights after the steps 1 to t, with
#'   weights `ema^(t - i)`; those before training have no part in it. A number above 0 and below 1, or
#'   `NULL` (default) for none.
#' @param adversarial Epsilon of adversarial training (fast gradient method), such as 0.5: every batch passes a second
#'   time with the word vectors moved by `epsilon * g / |g|`, g being their gradient, and both gradients are added. A
#'   step takes twice as long. A number above 0, or `NULL` (default) for none; needs `train = "all"`.
#' @param class_weights For classification: what the loss of a row counts, by its class. A numeric vector named by
#'   all levels, or `"balanced"` for rows / (classes * rows of the class), so that rare classes count as
#'   much as frequent ones. `NULL` (default): every row counts the same.
#' @param label_smoothing For classification: the share of the target spread evenly over all classes instead of the
#'   right one, from 0 (default) to below 1; customary is 0.1. The validation loss knows neither smoothing nor weights.
#' @param early_stopping Stop after so many epochs in a row without a better one, and give back the weights of the best
#'   epoch. Better is a larger validation measure (accuracy; of equal ones the smaller validation loss). A
#'   whole number, or `NULL` (default) to train all epochs and keep the last; needs `validation`.
#' @param checkpoint Folder to keep the run in after every epoch (with `train = "head"`, every few tenths of a second).
#'   The same [bert_fit()] called again goes on after the last whole epoch and gives, bit for bit on one machine, the
#'   fit that an unbroken run would have given; called after the end, it gives that fit without training. Without
#'   `seed` the one of the kept run is taken. A run of other data or settings is refused; delete the folder to start
#'   anew. So is a second fit while the first is still using the folder. Only `epochs` may be another, with
#'   `schedule = "constant"`, whose rate does not depend on their number: the run goes on to them, the warmup being that
#'   of the first call. A folder that goes away in mid-run, or a full disk, does not end the run: a warning tells of it
#'   at the end. `NULL` (default) keeps nothing.
#' @param keep What of the epochs stays in the folder of `checkpoint`: `"last"` (default) only what the run needs to go
#'   on, `"all"` also a folder `epoch-001`, `epoch-002` and so on with the fit of every epoch, for [bert_load()]. Each
#'   is as large as what [bert_save()] writes; with `train = "head"` they share the file of the encoder.
#' @param long What becomes of texts longer than `max_len`: `"truncate"` (default) cuts their end off, `"head_tail"`
#'   keeps a quarter of the room from the beginning and the rest from the end, `"window"` reads
#'   all of it in overlapping windows that are joined to one vector (see `windows` of [bert_head()]). Of
#'   a pair the second text is cut. Entities, spans and relations always read texts in windows.
#' @param threshold For multi-label tasks: the probability above which a label is given, from 0 to 1. `NULL` (default)
#'   chooses the one with the best F1 on the validation rows, else on held-out rows (see [bert_fit()]), else on the
#'   training rows: each label its own if enough of these rows have it (20, or a tenth of fewer than 200 rows, but at
#'   least 5), the others one for all labels together.
#' @param calibrate Set probabilities and thresholds by rows that were not trained on, a tenth of the rows where there
#'   are many (see [bert_fit()])? With `FALSE` all rows are trained on and probabilities stay as they are. By default
#'   `TRUE`.
#' @param whole_words For `~ text`: hide whole words, all pieces of them or none? `FALSE` (default) hides pieces.
#' @param serialize Keep the trained weights inside the fit (default `TRUE`), so that `saveRDS()`
#'   and other R sessions can use it? With `FALSE` the fit is small and lives only in its session,
#'   unless it is kept with [bert_save()].
#' @return A list of class `bert_control` for the `control` argument of [bert_fit()].
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}; Loshchilov and Hutter (2019), Decoupled Weight Decay
#'   Regularization, <https://arxiv.org/abs/1711.05101>; schedule of keras-bert:
#'   <https://github.com/CyberZHG/keras-bert>; rates by layer: Howard and Ruder (2018),
#'   <https://arxiv.org/abs/1801.06146>, Clark et al. (2020), <https://arxiv.org/abs/2003.10555>; averaged weights:
#'   Polyak and Juditsky (1992), \doi{10.1137/0330046}; adversarial: Miyato et al. (2017),
#'   <https://arxiv.org/abs/1605.07725>; label smoothing: Szegedy et al. (2016), <https://arxiv.org/abs/1512.00567>;
#'   for long texts Sun et al. (2019), <https://arxiv.org/abs/1905.05583>, and Pappagari et al. (2019),
#'   <https://arxiv.org/abs/1910.10781>.
#' @examples
#' bert_control(warmup = 0.2, dropout = 0)
#' bert_control(accumulate = 4, ema = 0.99, early_stopping = 2, class_weights = c(no = 1, yes = 5))
#' @export
bert_control <- function(warmup = 0.1, schedule = c("linear", "constant", "keras_bert"), weight_decay = 0.01,
                         layer_decay = 1, clip = 1, dropout = NULL, accumulate = 1, ema = NULL, adversarial = NULL,
                         class_weights = NULL, label_smoothing = 0, early_stopping = NULL, checkpoint = NULL,
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

# Numbers above 0, each with a name of its own
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
