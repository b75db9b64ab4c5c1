# Relations at equal settings, F1 of exact triples on the validation rows (bench/quality_relations_torch.py is the
# other side of fewrel):
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_relations.R FOLDER [EPOCHS RATE SEEDS HEAD BATCH]
# FOLDER is fewrel (one triple a row, places in tokens, ends exclusive) or re3d (characters from 0; a fifth of its rows
# is held out). Needs the R package jsonlite.
library(bertr)

# Tokens joined by spaces; positions in characters
from_tokens <- function(row) {
  place <- function(from, to) {
    ends <- cumsum(nchar(row$tokens) + 1) - 1
    list(c(1, ends + 2)[row[[from]] + 1], ends[row[[to]]])
  }
  head <- place("head_start", "head_end")
  tail <- place("tail_start", "tail_end")
  triple <- tibble::tibble(head_start = head[[1]], head_end = head[[2]], relation = row$relation,
    tail_start = tail[[1]], tail_end = tail[[2]])
  list(text = paste(row$tokens, collapse = " "), relations = triple)
}

from_characters <- function(row) {
  r <- if (is.data.frame(row$relations)) row$relations else data.frame(head_start = integer(), tail_start = integer())
  triples <- tibble::tibble(head_start = r$head_start + 1, head_end = as.integer(r$head_end),
    relation = as.character(r$type), tail_start = r$tail_start + 1, tail_end = as.integer(r$tail_end))
  list(text = row$text, relations = triples)
}

read_rows <- function(file) {
  rows <- lapply(readLines(file), jsonlite::fromJSON)
  rows <- lapply(rows, function(row) if (is.null(row$tokens)) from_characters(row) else from_tokens(row))
  tibble::tibble(text = vapply(rows, `[[`, "", "text"), relations = lapply(rows, `[[`, "relations"))
}

args <- commandArgs(TRUE)
given <- function(i, default) if (length(args) >= i) args[[i]] else default
train <- read_rows(file.path(args[[1]], "train.jsonl"))
if (file.exists(file.path(args[[1]], "valid.jsonl"))) {
  valid <- read_rows(file.path(args[[1]], "valid.jsonl"))
} else {
  set.seed(1)
  held <- sample(nrow(train), nrow(train) / 5)
  valid <- train[held, ]
  train <- train[-held, ]
}
number <- function(i) if (length(args) >= i && args[[i]] != "-") as.numeric(args[[i]])
model <- bert_load()
for (seed in seq_len(as.integer(given(4, 1)))) {
  fit <- bert_fit(model, relations ~ text, train, head = bert_head(relations = given(5, "gplinker")), seed = seed,
    epochs = number(2), learning_rate = number(3), batch_size = number(6), verbose = FALSE)
  for (part in c("train", "valid")) {
    measures <- bert_evaluate(fit, get(part), verbose = FALSE)$.estimate[1:3]
    cat(sprintf("%s seed %d, %s: precision %.4f, recall %.4f, F1 %.4f, %d epochs, %.0f s\n", basename(args[[1]]), seed,
      part, measures[[1]], measures[[2]], measures[[3]], fit$info$epochs, fit$info$seconds))
  }
}
