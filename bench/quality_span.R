# Answers in contexts: exact match and F1 of the validation rows of a set, a line a seed; quality_span_torch.py does
# the same with transformers.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_span.R DATA xquad_en|squadshifts_wiki [EPOCHS SEEDS RATE]
library(bertr)

args <- commandArgs(TRUE)
number <- function(k, default) if (length(args) >= k) as.numeric(args[[k]]) else default
epochs <- number(3, 4)

read_rows <- function(part) {
  rows <- jsonlite::stream_in(file(file.path(args[[1]], args[[2]], paste0(part, ".jsonl"))), verbose = FALSE)
  rows$start <- ifelse(rows$answer_text == "", NA, rows$answer_start + 1)
  rows$answers <- lapply(rows$answers, function(answers) as.character(answers$text))
  rows
}

train <- read_rows("train")
valid <- read_rows("valid")
model <- bert_load(max_len = 256)
for (seed in seq_len(number(4, 3))) {
  fit <- bert_fit(model, span(answer_text, start) ~ question + context, train, epochs = epochs,
    learning_rate = number(5, 1e-4), batch_size = 16, seed = seed, verbose = FALSE)
  estimate <- 100 * bert_evaluate(fit, valid)$.estimate
  cat(sprintf("%s bertr, %g epochs, seed %d: exact %.1f, F1 %.1f (%.0f s)\n", args[[2]], epochs, seed, estimate[[1]],
    estimate[[2]], fit$info$seconds))
}
