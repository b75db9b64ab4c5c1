# Two questions alike or not, covid_faq, on a third of the pairs that is held out. As a number, Spearman's correlation:
# the encoder's own cosine, two towers trained from there (pair = "cosine"), and both questions read as one text. As a
# class, read as one text: accuracy. Compare with quality_pairs_torch.py.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/quality_pairs.R DATA    # DATA holds the folder covid_faq
library(bertr)

pairs <- read.csv(file.path(commandArgs(TRUE)[[1]], "covid_faq", "question_pairs_en.csv"))
pairs$alike <- factor(pairs$similar)
model <- bert_load()
vectors <- function(texts) bert_embed(model, texts, normalise = TRUE, verbose = FALSE)
own <- rowSums(vectors(pairs$question_1) * vectors(pairs$question_2))
for (seed in 1:3) {
  held <- seq_len(nrow(pairs)) %% 3 == seed - 1
  measure <- function(formula, metric, head = bert_head()) {
    fit <- bert_fit(model, formula, pairs[!held, ], head = head, epochs = 10, learning_rate = 1e-4, seed = seed,
      verbose = FALSE)
    out <- bert_evaluate(fit, pairs[held, ], verbose = FALSE)
    out$.estimate[out$.metric == metric]
  }
  number <- similar ~ question_1 + question_2
  cat(sprintf("seed %d: own %.3f, cosine %.3f, joint %.3f; accuracy %.3f\n", seed,
    cor(own[held], pairs$similar[held], method = "spearman"),
    measure(number, "spearman", bert_head(pair = "cosine")), measure(number, "spearman"),
    measure(alike ~ question_1 + question_2, "accuracy")))
}
