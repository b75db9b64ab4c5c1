# Answers in contexts, xquad_en: exact match and F1 of its validation rows, a line a seed; quality_span_torch.py does
# the same with transformers.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_span.R DATA [EPOCHS] [SEEDS]   # DATA holds xquad_en
library(bertr)

args <- commandArgs(TRUE)
epochs <- if (length(args) > 1) as.integer(args[[2]]) else 2
seeds <- if (length(args) > 2) as.integer(args[[3]]) else 1

read_rows <- function(part) {
  rows <- jsonlite::stream_in(file(file.path(args[[1]], "xquad_en", paste0(part, ".jsonl"))), verbose = FALSE)
  rows$start <- rows$answer_start + 1
  rows$answers <- lapply(rows$answers, `[[`, "text")
  rows
}

train <- read_rows("train")
valid <- read_rows("valid")
model <- bert_load(max_len = 256)
for (seed in seq_len(seeds)) {
  fit <- bert_fit(model, span(answer_text, start) ~ question + context, train, epochs = epochs, learning_rate = 1e-4,
    batch_size = 16, seed = seed, verbose = FALSE)
  estimate <- 100 * bert_evaluate(fit, valid)$.estimate
  cat(sprintf("bertr, %d epochs, seed %d: exact %.1f, F1 %.1f\n", epochs, seed, estimate[[1]], estimate[[2]]))
}
