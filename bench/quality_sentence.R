# bertr on goemotions (labels) or emobank (numbers), to compare with quality_sentence_torch.py:
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_sentence.R DATA SET [SEEDS EPOCHS RATE SHARE]
# Prints one line a seed: macro and micro F1, or Pearson's and Spearman's correlation (means of the outcomes). Without
# EPOCHS and RATE those that bert_fit() chooses. Thresholds come from a SHARE of the training rows that is held out
# (0.1), with 0 from all of them.
library(bertr)

args <- commandArgs(TRUE)
set <- args[[2]]
number <- function(k) if (length(args) >= k) as.numeric(args[[k]])
read <- function(part) read.csv(file.path(args[[1]], set, paste0(part, ".csv")), check.names = FALSE)
train <- read("train")
valid <- read("valid")
outcomes <- if (set == "goemotions") names(train)[-(1:2)] else c("valence", "arousal", "dominance")
share <- if (length(args) >= 6) number(6) else 0.1
formula <- as.formula(paste0("cbind(", paste(outcomes, collapse = ", "), ") ~ text"))
for (seed in seq_len(if (length(args) >= 3) number(3) else 3)) {
  fit <- bert_fit(bert_load(), formula, train, validation = if (set == "goemotions" && share > 0) share,
    epochs = number(4), learning_rate = number(5), seed = seed, verbose = FALSE)
  measures <- bert_evaluate(fit, valid)
  values <- if (set == "goemotions") {
    measures$.estimate[measures$.metric == "f_meas"]
  } else {
    tapply(measures$.estimate, measures$.metric, mean)[c("pearson", "spearman")]
  }
  cat(set, " bertr seed ", seed, ": ", paste(sprintf("%.4f", values), collapse = " "), " (", fit$info$epochs,
    " epochs, ", format(fit$info$learning_rate), ", ", round(fit$info$seconds), " s)\n", sep = "")
}
