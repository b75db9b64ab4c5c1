# Entities and parts of speech with the defaults, F1 on validation rows; the reference is quality_entities_torch.py.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_entities.R DATA [SET CRF SEEDS EPOCHS RATE WORDS]
library(bertr)

given <- commandArgs(TRUE)
arg <- function(i, default) if (length(given) >= i && nzchar(given[[i]])) given[[i]] else default
sets <- arg(2, c("wnut17", "ncbi_disease", "ewt_pos"))
crf <- as.logical(arg(3, "FALSE"))
head <- bert_head(crf = crf, words = arg(7, "punctuation"))
number <- function(i) if (!is.null(arg(i, NULL))) as.numeric(arg(i, NULL))

read <- function(name, part) {
  lines <- readLines(file.path(given[[1]], name, paste0(part, ".jsonl")), encoding = "UTF-8")
  rows <- lapply(lines, function(line) reticulate::import("json")$loads(line))
  bert_entities(lapply(rows, `[[`, "tokens"), lapply(rows, `[[`, "tags"))
}

model <- bert_load()
for (name in sets) {
  train <- read(name, "train")
  valid <- read(name, "valid")
  for (seed in seq_len(as.integer(arg(4, 3)))) {
    fit <- bert_fit(model, entities ~ text, train, head = head, epochs = number(5), learning_rate = number(6), seed = seed,
      verbose = FALSE)
    metrics <- bert_evaluate(fit, valid, verbose = FALSE)
    cat(sprintf("%s%s seed %d: F1 %.1f (%d epochs, rate %g, %.0f s)\n", name, if (crf) " crf" else "", seed,
      100 * metrics$.estimate[[3]], fit$info$epochs, fit$info$learning_rate, fit$info$seconds))
  }
}
