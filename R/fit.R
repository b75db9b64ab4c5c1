#' Fine-tune BERT
#'
#' Trains a model to predict the left-hand side of a formula from the texts on its right-hand side. Rows with missing
#' values are dropped with a message. If you interrupt training (Esc or Ctrl-C), the fit so far is returned with a
#' warning.
#'
#' By default the number of epochs depends on the number of rows: 10 up to 500 rows, 8 up to 2,000, 4 up to 10,000, and
#' 3 above. The learning rate is 1e-4 for a model as wide as the default (384) and proportionally lower for wider ones.
#' The batch size is 16. With `train = "head"` an epoch costs almost nothing: it uses 20 times as many epochs, a
#' learning rate of 2e-3 and batches of 128. Printing the fit shows the values used. Some tasks have different defaults:
#' see [bert_tasks].
#'
#' @section Probabilities:
#' Fine-tuned networks are overconfident. With 1,000 rows or more, a tenth of the rows (at most 500) is therefore held
#' out of training; classification also requires 25 rows per class. Classification uses the held-out rows to fit a
#' temperature, by which the network's outputs are divided (Guo et al. 2017). This changes the probabilities but never
#' the predicted class. Multi-label classification uses them to choose the thresholds. If `validation` provides rows,
#' these are used instead and none are held out. With fewer rows, all are used for training: with few rows per class the
#' probabilities are well calibrated without it. Where `validation` provides only few rows, a prior keeps the
#' temperature near 1. `bert_control(calibrate = FALSE)` trains on all rows and does not change the probabilities. The
#' history shows losses before calibration.
#'
#' @section History:
#' `loss` is the mean loss of the training rows, `val_loss` that of the validation rows, and the other columns with
#' `val_` are metrics of the validation rows. For classification `accuracy` is the share of training rows that were
#' predicted correctly. It is measured as Keras does, on the batches of the epoch: with dropout, and each batch before
#' the step that learns from it. It can therefore be lower than `val_accuracy`, and than the accuracy of the finished
#' fit on the same rows.
#'
#' @param model A model from [bert_load()], a name or folder that it takes, such as `"all-MiniLM-L6-v2"`, or a fit for
#'   any task, whose encoder is trained further. If the fit is for the same task and the same labels (in any order), and
#'   `head` is not given, its head is trained further as well, which a message says; otherwise the head is a new one.
#' @param formula `outcome ~ text` for single texts, `outcome ~ a + b` for pairs. The outcome selects the task: a label,
#'   several labels, numbers, entities, answers, relations, or nothing at all. See [bert_tasks]. It may be computed, as
#'   in `factor(stars) ~ text`, `log(price) ~ text` or `cbind(toxic = score >= 0.5, insult) ~ text`. The texts must be
#'   columns. `outcome ~ .` takes the only other column of texts (strings or a factor).
#' @param data A data frame with the columns of the formula, or a split of the package rsample, for its analysis rows.
#' @param validation `NULL` (default) for no validation, a data frame like `data`, or the fraction of the rows of `data`
#'   to hold out, between 0 and 1. Rows are drawn at random with `seed`, stratified by class.
#' @param train What to train: `"all"` (default, fine-tuning), `"head"` (the encoder is frozen and runs once per text:
#'   fast) or `"top:k"` (the upper k layers and the head, for example `"top:4"`).
#' @param head The layers on top, from [bert_head()]. See `model` for what happens to the head of a fit.
#' @param epochs Passes over the data: a whole number, or `NULL` (default) to choose by the number of rows.
#' @param learning_rate Peak learning rate: a number above 0, or `NULL` (default) to choose automatically.
#' @param batch_size Rows per training step: a whole number, or `NULL` (default) to choose automatically.
#' @param max_len Maximum text length in tokens, including special tokens. Longer texts are truncated with a message. At
#'   most the model's number of positions (512 for BERT). `NULL` (default) uses the length recommended for the model.
#' @param task Name of the task: `"classification"`, `"multilabel"`, `"regression"`, `"entities"`, `"span"`,
#'   `"relations"` or `"mlm"`. `NULL` (default) infers it from the formula.
#' @param control Further settings from [bert_control()].
#' @param seed A whole number. On one machine the same seed gives the same fit, bit for bit. The default is random and
#'   depends on `set.seed()`.
#' @param verbose Show progress and messages? `TRUE` by default: one line per epoch (20 evenly spaced lines if there are
#'   more than 20 epochs), a progress bar in the console, and in scripts a line per minute during long epochs. Documents
#'   of R Markdown show at most 10 lines, without times, so that they render the same twice. Nothing is shown in tests.
#' @return A list of class `bert_fit`. `tidy()` returns its history as a tibble with one row per epoch, `glance()`
#'   returns one row with the settings and the final metrics, and `plot()` draws the history.
#' @seealso [bert_tasks], [bert_predict()], [bert_evaluate()], [bert_save()]
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}; for small data Mosbach et al. (2021), On the
#'   Stability of Fine-tuning BERT, <https://arxiv.org/abs/2006.04884>; for the initial classifier Qi et al.
#'   (2018), Low-Shot Learning with Imprinted Weights, <https://arxiv.org/abs/1712.07136>; for the temperature Guo et
#'   al. (2017), On Calibration of Modern Neural Networks, <https://arxiv.org/abs/1706.04599>. For the tasks:
#'   [bert_tasks].
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' fit
#' bert_predict(fit, "Where does this fee come from?")
#'
#' # relations: who wrote what (in practice, use a few hundred texts, not three)
#' books <- tibble::tibble(
#'   text = c("Ada wrote Notes.", "Notes was written by Ada.", "Ada was born in London."),
#'   relations = list(
#'     data.frame(head_start = 1, head_end = 3, relation = "wrote", tail_start = 11, tail_end = 15),
#'     data.frame(head_start = 22, head_end = 24, relation = "wrote", tail_start = 1, tail_end = 5),
#'     data.frame()
#'   )
#' )
#' fit <- bert_fit(bert_load(), relations ~ text, books, epochs = 2)
#' bert_predict(fit, "Ada wrote Notes.")$.pred_relations
#' @export
bert_fit <- function(model, formula, data, validation = NULL, train = "all", head = bert_head(),
                     epochs = NULL, learning_rate = NULL, batch_size = NULL, max_len = NULL, task = NULL,
                     control = bert_control(), seed = sample.int(.Machine$integer.max, 1), verbose = TRUE) {
  call <- rlang::current_env()
  given <- !missing(seed)
  further <- missing(head)
  check_flag(verbose, "verbose")
  data <- analysis_rows(data)
  check_data(data)
  check_class(head, "bert_head", "head")
  check_class(control, "bert_control", "control")
  model <- given_model(model, verbose, call)
  check_train(train, encoder_info(model)$config$num_layers)
  check_max_len(max_len, model)
  check_rates(epochs, learning_rate, batch_size)
  check_together(control, train, validation)
  if (!given && !is.null(control$checkpoint)) {
    seed <- kept_seed(control$checkpoint, seed, call)
  }
  check_whole(seed, "seed", from = 0)

  say <- speaker(verbose)
  rows <- training_rows(formula, data, task, head$link, validation, seed, say, call)
  options <- fit_options(train, head, epochs, learning_rate, batch_size, max_len, control, seed)
  options$further <- further
  if (control$keep == "all") {
    options$spec <- spec_json(rows$spec) # it is saved with every epoch
  }
  options$class_weights <- level_weights(control$class_weights, rows$spec, call)
  run_fit(model, rows, options, control$serialize, verbose, call)
}

# Checks the training data: list(spec, computed, train, valid)
training_rows <- function(formula, data, task, link, validation, seed, say, call) {
  computed <- find_computed(without_dot(formula, data, call), data, call)
  data <- add_computed(computed, data, "data", call)
  spec <- read_formula(computed$formula, data, task, call)
  spec$lhs <- formula_label(rlang::f_lhs(formula))
  spec$computed <- names(computed$expressions)
  spec <- with_link(spec, link, call)
  rows <- complete_rows(spec, data, "data", say, call)
  settled <- task_of(spec)$settle(spec, rows$outcome, say, call)
  rows$outcome <- settled$outcome
  if (is.data.frame(validation)) {
    validation <- add_computed(computed, validation, "validation", call)
  }
  c(list(spec = settled$spec, computed = computed), split_rows(settled$spec, rows, validation, seed, say, call))
}

# An interrupt must not discard a result that Python has already produced.
run_fit <- function(model, rows, options, serialize, verbose, call) {
  without_interrupts(train_fit(model, rows, options, serialize, verbose, call), keep = TRUE)
}

train_fit <- function(model, rows, options, serialize, verbose, call) {
  reporter <- progress(verbose)
  on.exit(reporter$close())
  train <- bridge_rows(rows$spec, rows$train)
  if (options$train != "head") {
    # free unreferenced fits first: they hold gigabytes that R does not know about; a head is small
    gc()
  }
  if (progress_mode(verbose) != "none") {
    cli::cli_inform("Training: {task_label(rows$spec)}, {length(rows$train$a)} row{?s}.")
  }
  py <- py_call("fit", live(model, call), rows$spec$task, train$a, train$b, train$target,
    bridge_rows(rows$spec, rows$valid), options, on_event = reporter$event, call = call)
  reporter$close()
  fit <- new_fit(py, rows$spec, serialize)
  if (length(rows$spec$computed) > 0) {
    fit$computed <- rows$computed[c("expressions", "columns", "env")]
  }
  say <- speaker(verbose)
  if (progress_mode(verbose) == "none") { # else the reporter said so before training
    say_truncated(say, fit$info$n_truncated, fit$info$rows, fit$info$max_len)
  }
  for (note in as_chr(fit$info$notes)) {
    say("{note}")
  }
  if (!is.null(fit$info$checkpoint_lost)) {
    cli::cli_warn(c("The last epochs could not be saved in {.file {options$checkpoint}}: {fit$info$checkpoint_lost}.",
      i = "The fit is complete, but this run cannot be resumed from there."), class = "bertr_warning_checkpoint")
  }
  if (fit$info$interrupted) {
    cli::cli_warn("Interrupted: this is the fit after {fit$info$epochs_done} of {fit$info$epochs} epoch{?s}.",
      class = "bertr_warning_interrupted")
  }
  fit
}

# Converts training or validation rows for the bridge
bridge_rows <- function(spec, rows) {
  if (!is.null(rows)) {
    list(a = to_texts(rows$a), b = to_texts(rows$b), target = task_of(spec)$target(spec, rows$outcome))
  }
}

# Creates the R object of a fit from the Python object. `weights` let it survive its session, like the folder of a fit
# from bert_load().
new_fit <- function(py, spec, serialize) {
  info <- py_value("describe_fit", py)
  history <- as_columns(info$history)
  info$history <- NULL
  structure(
    list(
      spec = spec, info = info, history = history, base = py_value("describe", py),
      weights = if (serialize) weight_bytes(py, spec), handle = new_handle(py)
    ),
    class = "bert_fit"
  )
}

# The fit as a list of raw vectors: a single vector would be in memory three times on its way to R
weight_bytes <- function(py, spec) {
  pieces <- list()
  left <- py_call("to_bytes", py, spec_json(spec))
  while (!is.null(piece <- py_value("next_piece", left))) {
    if (length(pieces) > 0) {
      gc(full = FALSE) # the temporary copies of the last piece
    }
    pieces[[length(pieces) + 1]] <- piece
  }
  pieces
}
