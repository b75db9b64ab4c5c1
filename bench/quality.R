# The defaults alone on few-example sets, mean of three seeds (see quality.md):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality.R ROWS     # ROWS from quality_rows.py
library(bertr)

rows <- commandArgs(TRUE)[[1]]
model <- bert_load()
for (name in c("faq30", "banking77", "clinc150")) {
  train <- read.csv(file.path(rows, name, "train.csv"))
  test <- read.csv(file.path(rows, name, "test.csv"))
  accuracy <- vapply(1:3, function(seed) {
    fit <- bert_fit(model, label ~ text, train, seed = seed, verbose = FALSE)
    mean(bert_predict(fit, test)$.pred_class == test$label)
  }, 0)
  cat(sprintf("%s: mean %.1f of %s\n", name, 100 * mean(accuracy), toString(sprintf("%.1f", 100 * accuracy))))
}
