# How far probabilities can be believed on sets of 800 to 1,500 rows (see quality.md):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_calibration.R DATA [SEEDS [BEFORE [SETS]]]
# Each seed draws other training rows; all others are judged on. A line a fit: accuracy, log loss and ECE, with the
# defaults and, for the first BEFORE seeds, as they were before there was calibration: 8 epochs of all rows at 1e-4.
# "best" is the smallest log loss that the latter had after any epoch. Then the ECE over the rows of all seeds, and what
# it would be on so few rows if every probability were right.
library(bertr)

args <- commandArgs(TRUE)
seeds <- if (length(args) >= 2) as.integer(args[[2]]) else 3
before <- if (length(args) >= 3) as.integer(args[[3]]) else seeds
read <- function(set, files) do.call(rbind, lapply(files, function(f) read.csv(file.path(args[[1]], set, f))))
sets <- list(
  goemotions = function() {
    data <- read("goemotions", c("train.csv", "valid.csv"))
    list(n = 1500, text = data$text, label = ifelse(data$neutral == 1, "neutral", "emotion"))
  },
  emobank = function() {
    data <- read("emobank", c("train.csv", "valid.csv"))
    list(n = 1300, text = data$text, label = ifelse(data$valence > 3, "high", "low"))
  },
  clinc150 = function() {
    data <- read("clinc150", c("train_10shot.csv", "valid.csv"))
    list(n = 1300, text = data$text, label = data$domain)
  },
  fewrel = function() {
    files <- file.path(args[[1]], "fewrel", c("train.jsonl", "valid.jsonl"))
    rows <- lapply(unlist(lapply(files, readLines)), jsonlite::fromJSON)
    list(n = 800, text = vapply(rows, function(r) paste(r$tokens, collapse = " "), ""),
      label = vapply(rows, `[[`, "", "relation_name"))
  }
)
model <- bert_load()

judge <- function(fit, test) {
  measures <- bert_evaluate(fit, test, verbose = FALSE)
  value <- stats::setNames(measures$.estimate, measures$.metric)
  p <- bert_predict(fit, test, verbose = FALSE)
  list(shown = sprintf("accuracy %.1f, log loss %.3f, ECE %.3f", 100 * value["accuracy"], value["mn_log_loss"],
    value["ece"]), right = p$.pred_class == test$label, confidence = do.call(pmax, p[-1]))
}

ece <- function(right, confidence) bertr:::calibration_error(right, confidence)

for (name in if (length(args) >= 4) strsplit(args[[4]], ",")[[1]] else names(sets)) {
  data <- sets[[name]]()
  rows <- data.frame(text = data$text, label = data$label)
  all <- list()
  for (seed in seq_len(seeds)) {
    set.seed(seed)
    chosen <- sample(nrow(rows), data$n)
    train <- rows[chosen, ]
    test <- rows[-chosen, ]
    fit <- bert_fit(model, label ~ text, train, seed = seed, verbose = FALSE)
    new <- judge(fit, test)
    cat(sprintf("%s seed %d: %s (%d epochs, %d rows held out, temperature %.2f)\n", name, seed, new$shown,
      fit$info$epochs, fit$info$held_rows, fit$info$temperature))
    all <- c(all, list(new))
    if (seed <= before) {
      fit <- bert_fit(model, label ~ text, train, validation = test, epochs = 8, learning_rate = 1e-4, seed = seed,
        control = bert_control(calibrate = FALSE), verbose = FALSE)
      cat(sprintf("%s seed %d before: %s, best %.3f\n", name, seed, judge(fit, test)$shown, min(fit$history$val_loss)))
    }
  }
  confidence <- unlist(lapply(all, `[[`, "confidence"))
  right <- unlist(lapply(all, `[[`, "right"))
  set.seed(1)
  chance <- mean(replicate(100, ece(stats::runif(length(confidence)) < confidence, confidence)))
  cat(sprintf("%s, all seeds: accuracy %.1f, ECE %.3f, of which %.3f by chance\n", name, 100 * mean(right),
    ece(right, confidence), chance))
}
