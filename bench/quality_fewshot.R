# What bert_fit()'s defaults reach with few rows a class, for the table of bench/quality.md beside quality_fewshot.py.
#
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_fewshot.R DATA 5 10 20     # DATA holds banking77
suppressMessages(library(bertr))
args <- commandArgs(TRUE)
folder <- file.path(args[[1]], "banking77")
test <- read.csv(file.path(folder, "valid.csv"))
for (shot in args[-1]) {
  train <- read.csv(file.path(folder, sprintf("train_%sshot.csv", shot)))
  for (seed in 1:3) {
    fit <- bert_fit(bert_load(), label ~ text, train, seed = seed, verbose = FALSE)
    found <- bert_predict(fit, test, type = "class", verbose = FALSE)$.pred_class
    cat(sprintf("%s rows a class, seed %d: %.1f %% of %d rows, %.0f s\n", shot, seed,
      100 * mean(as.character(found) == test$label), nrow(test), fit$info$seconds))
  }
}
