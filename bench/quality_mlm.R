# Adapting the default model to texts without labels: the loss of hidden words of other texts before and after.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_mlm.R DATA     # DATA holds the folder banking77
# Compare with quality_mlm_torch.py.
library(bertr)

folder <- file.path(commandArgs(TRUE)[[1]], "banking77")
train <- read.csv(file.path(folder, "train_10shot.csv"))
valid <- read.csv(file.path(folder, "valid.csv"))
valid <- valid[rep(seq_len(nrow(valid)), 5), ] # with other words hidden each time
model <- bert_load()
for (seed in 1:3) {
  fit <- bert_fit(model, ~text, train, epochs = 3, learning_rate = 1e-4, batch_size = 16, seed = seed, verbose = FALSE)
  out <- bert_evaluate(fit, valid, verbose = FALSE)
  cat(sprintf("bertr seed %d: loss %.3f, accuracy %.3f, %.0f s\n", seed, out$.estimate[[2]], out$.estimate[[1]],
    fit$info$seconds))
}
