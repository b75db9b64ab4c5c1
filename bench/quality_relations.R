# Relations at equal settings, F1 of exact triples on the validation rows (bench/quality_relations_torch.py is the
# other side):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_relations.R FEWREL [EPOCHS RATE SEEDS HEAD]
# FEWREL is a folder of train.jsonl and valid.jsonl: tokens, relation, head_start, head_end, tail_start, tail_end (in
# tokens, ends exclusive). Needs the R package jsonlite.
library(bertr)

# Tokens joined by spaces; positions in characters
read_rows <- function(file) {
  rows <- lapply(readLines(file), jsonlite::fromJSON)
  place <- function(row, from, to) {
    ends <- cumsum(nchar(row$tokens) + 1) - 1
    list(c(1, ends + 2)[row[[from]] + 1], ends[row[[to]]])
  }
  relations <- lapply(rows, function(row) {
    head <- place(row, "head_start", "head_end")
    tail <- place(row, "tail_start", "tail_end")
    tibble::tibble(head_start = head[[1]], head_end = head[[2]], relation = row$relation, tail_start = tail[[1]],
      tail_end = tail[[2]])
  })
  tibble::tibble(text = vapply(rows, function(row) paste(row$tokens, collapse = " "), ""), relations = relations)
}

args <- commandArgs(TRUE)
given <- function(i, default) if (length(args) >= i) args[[i]] else default
train <- read_rows(file.path(args[[1]], "train.jsonl"))
valid <- read_rows(file.path(args[[1]], "valid.jsonl"))
model <- bert_load()
for (seed in seq_len(as.integer(given(4, 1)))) {
  fit <- bert_fit(model, relations ~ text, train, head = bert_head(relations = given(5, "gplinker")), seed = seed,
    epochs = as.integer(given(2, 20)), learning_rate = as.numeric(given(3, 1e-4)), batch_size = 16, verbose = FALSE)
  measures <- bert_evaluate(fit, valid)$.estimate[1:3]
  cat(sprintf("seed %d: precision %.4f, recall %.4f, F1 %.4f, %.0f s\n", seed, measures[[1]], measures[[2]],
    measures[[3]], fit$info$seconds))
}
