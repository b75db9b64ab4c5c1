# The defaults alone on few-example sets, mean of some seeds (see quality.md):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality.R ROWS [SEEDS]     # ROWS from quality_rows.py
library(bertr)

args <- commandArgs(TRUE)
seeds <- seq_len(if (length(args) >= 2) as.integer(args[[2]]) else 3)
model <- bert_load()
for (name in c("faq30", "banking77", "clinc150")) {
  train <- read.csv(file.path(args[[1]], name, "train.csv"))
  test <- read.csv(file.path(args[[1]], name, "test.csv"))
  measures <- vapply(seeds, function(seed) {
    fit <- bert_fit(model, label ~ text, train, seed = seed, verbose = FALSE)
    found <- bert_evaluate(fit, test, verbose = FALSE)
    found$.estimate[match(c("accuracy", "mn_log_loss", "ece"), found$.metric)]
  }, numeric(3))
  cat(sprintf("%s: mean %.1f of %s; log loss %.3f, ECE %.3f\n", name, 100 * mean(measures[1, ]),
    toString(sprintf("%.1f", 100 * measures[1, ])), mean(measures[2, ]), mean(measures[3, ])))
}
