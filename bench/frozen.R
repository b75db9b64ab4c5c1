# What the frozen-encoder FAQ experiment costs: faq30, two dense layers of 256 with dropout 0.5, 200 epochs, in
# epochs of encoding (one bert_embed() of the same 207 texts). Paired, five rounds after a first one (see quality.md):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/frozen.R
library(bertr)

train <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
valid <- read.csv(system.file("extdata/faq30/valid.csv", package = "bertr"))
model <- bert_load()
seconds <- function(code) system.time(code)[["elapsed"]]
for (round in 0:5) {
  encode <- seconds(bert_embed(model, train$text, pool = "cls", verbose = FALSE))
  fit_time <- seconds(
    fit <- bert_fit(model, label ~ text, train, train = "head", epochs = 200, seed = round,
      head = bert_head(units = c(256, 256), dropout = 0.5, pool = "cls"), verbose = FALSE)
  )
  accuracy <- mean(bert_predict(fit, valid)$.pred_class == valid$label)
  cat(sprintf("round %d: one encoding %.2f s, the whole fit %.2f s, ratio %.2f; accuracy %.3f; kept %.2f MB\n", round,
    encode, fit_time, fit_time / encode, accuracy, length(fit$weights) / 1e6))
}
