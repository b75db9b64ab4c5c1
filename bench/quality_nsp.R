# Going on with pre-training on pairs of sentences that follow each other: hidden words and next sentences of other
# articles. Compare with quality_nsp_torch.py.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_nsp.R DATA  # DATA holds xquad_en and squadshifts_wiki
library(bertr)

pairs <- function(part) {
  files <- file.path(commandArgs(TRUE)[[1]], c("xquad_en", "squadshifts_wiki"), paste0(part, ".jsonl"))
  contexts <- unlist(lapply(files, function(f) {
    unique(vapply(readLines(f, encoding = "UTF-8"), function(x) reticulate::import("json")$loads(x)$context, ""))
  }))
  sentences <- lapply(strsplit(contexts, ". ", fixed = TRUE), function(s) s[nchar(s) > 20])
  do.call(rbind, lapply(sentences, function(s) data.frame(a = s[-length(s)], b = s[-1])))
}

train <- pairs("train")
valid <- pairs("valid")
cat(nrow(train), "and", nrow(valid), "pairs\n")
valid <- valid[rep(seq_len(nrow(valid)), 5), ] # with other words hidden and other seconds each time
for (seed in 1:3) {
  fit <- bert_fit(bert_load(), ~ a + b, train, epochs = 4, learning_rate = 1e-4, batch_size = 16, max_len = 128,
    seed = seed, verbose = FALSE)
  out <- bert_evaluate(fit, valid, verbose = FALSE)
  value <- function(metric) out$.estimate[out$.metric == metric]
  cat(sprintf("bertr seed %d: next sentences %.3f, hidden words %.3f, loss %.3f, %.0f s\n", seed,
    value("nsp_accuracy"), value("accuracy"), value("mn_log_loss"), fit$info$seconds))
}
