# How far probabilities can be believed on sets of 1,200 to 1,500 rows (see quality.md):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_calibration.R ROWS SETS [SEEDS [BEFORE]]
# ROWS is from quality_calibration_rows.py, SETS some of its sets, as goemotions,emobank. A line a seed: accuracy, log loss
# and ECE with the defaults, and the ECE that so few rows would have by chance if every probability were right. With
# BEFORE, here TRUE, also as it was before there was calibration, 8 epochs of all rows at 1e-4, and "best", the smallest
# log loss after any of these epochs.
library(bertr)

args <- commandArgs(TRUE)
seeds <- if (length(args) >= 3) as.integer(args[[3]]) else 1
model <- bert_load()

calibration_error <- function(right, confidence) {
  metrics <- reticulate::import("bertr.tasks.metrics")
  as.numeric(metrics$calibration_error(reticulate::np_array(right), reticulate::np_array(confidence)))
}

evaluated <- function(fit, test) {
  metrics <- bert_evaluate(fit, test, verbose = FALSE)
  value <- stats::setNames(metrics$.estimate, metrics$.metric)
  confidence <- do.call(pmax, bert_predict(fit, test, verbose = FALSE)[-1])
  set.seed(1)
  chance <- replicate(100, calibration_error(stats::runif(length(confidence)) < confidence, confidence))
  sprintf("accuracy %.1f, log loss %.3f, ECE %.3f (%.3f by chance)", 100 * value["accuracy"], value["mn_log_loss"],
    value["ece"], mean(chance))
}

for (name in strsplit(args[[2]], ",")[[1]]) {
  train <- read.csv(file.path(args[[1]], name, "train.csv"))
  test <- read.csv(file.path(args[[1]], name, "test.csv"))
  formula <- if (name == "pairs") label ~ text + second else label ~ text
  for (seed in seq_len(seeds)) {
    fit <- bert_fit(model, formula, train, seed = seed, verbose = FALSE)
    temperature <- if (is.null(fit$info$temperature)) 1 else fit$info$temperature
    cat(sprintf("%s seed %d: %s; %d epochs, %d rows held out, temperature %.2f\n", name, seed, evaluated(fit, test),
      fit$info$epochs, fit$info$held_rows, temperature))
    if (length(args) >= 4) {
      fit <- bert_fit(model, formula, train, validation = test, epochs = 8, learning_rate = 1e-4, seed = seed,
        control = bert_control(calibrate = FALSE), verbose = FALSE)
      cat(sprintf("%s seed %d before: %s, best %.3f\n", name, seed, evaluated(fit, test), min(fit$history$val_loss)))
    }
  }
}
