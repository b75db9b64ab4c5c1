# How alike two questions are, covid_faq: Spearman's correlation on held-out pairs of the encoder's own cosine, of two
# towers trained from there (pair = "cosine") and of both questions read as one text (pair = "joint").
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_pairs.R DATA    # DATA holds the folder covid_faq
library(bertr)

pairs <- read.csv(file.path(commandArgs(TRUE)[[1]], "covid_faq", "question_pairs_en.csv"))
model <- bert_load()
vectors <- function(texts) bert_embed(model, texts, normalise = TRUE, verbose = FALSE)
own <- rowSums(vectors(pairs$question_1) * vectors(pairs$question_2))
for (seed in 1:3) {
  set.seed(seed)
  held <- sample(nrow(pairs), 82)
  spearman <- function(head) {
    fit <- bert_fit(model, similar ~ question_1 + question_2, pairs[-held, ], head = head, seed = seed, verbose = FALSE)
    out <- bert_evaluate(fit, pairs[held, ], verbose = FALSE)
    out$.estimate[out$.metric == "spearman"]
  }
  before <- cor(own[held], pairs$similar[held], method = "spearman")
  cat(sprintf("seed %d: own %.3f, cosine %.3f, joint %.3f\n", seed, before, spearman(bert_head(pair = "cosine")),
    spearman(bert_head())))
}
