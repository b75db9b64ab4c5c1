# Do the words with the largest weights matter? 100 of the 267 questions of faq30 are held out, a head is fitted on the
# others with the frozen encoder, and from each held-out question a fifth of its words is deleted: those with the
# largest weights for the predicted class, or as many at random (the mean of five draws). See explain.md.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/explain.R
library(bertr)

set.seed(1)
read <- function(file) read.csv(system.file("extdata/faq30", file, package = "bertr"))
data <- rbind(read("train.csv"), read("valid.csv"))
held <- sample(nrow(data), 100)
fit <- bert_fit(bert_load(), label ~ text, data[-held, ], train = "head", epochs = 30, seed = 1, verbose = FALSE)
texts <- data$text[held]
before <- bert_predict(fit, texts, verbose = FALSE)
cat(sprintf("accuracy %.2f\n", mean(before$.pred_class == data$label[held])))

# The probability of the class predicted for the whole texts
probability <- function(texts) {
  after <- as.matrix(bert_predict(fit, texts, type = "prob", verbose = FALSE))
  after[cbind(seq_along(texts), as.integer(before$.pred_class))]
}

# The texts without some words, the numbers of which are chosen by `choose(weights, how_many)`
without <- function(why, choose) {
  vapply(seq_along(texts), function(i) {
    words <- why[why$row == i, ]
    gone <- words[choose(words$weight, ceiling(nrow(words) / 5)), ]
    characters <- strsplit(texts[[i]], "")[[1]]
    characters[unlist(Map(seq, gone$start, gone$end))] <- " "
    paste(characters, collapse = "")
  }, "")
}

largest <- function(weights, n) order(-weights)[seq_len(n)]
random <- function(weights, n) sample(length(weights), n)

whole <- probability(texts)
falls <- list()
for (method in c("integrated_gradients", "occlusion")) {
  seconds <- system.time(why <- bert_explain(fit, texts, method = method, verbose = FALSE))[["elapsed"]]
  about <- summary(why)
  falls[[method]] <- whole - probability(without(why, largest))
  cat(sprintf("%s: %.1f s\n", method, seconds))
  if (!anyNA(about$gap)) {
    cat(sprintf("gap at most %.2f %%; %.0f texts with more than 32 steps\n", 100 * max(about$gap), sum(about$steps > 32)))
  }
}
falls$random <- whole - rowMeans(replicate(5, probability(without(why, random))))
for (name in names(falls)) {
  fall <- falls[[name]]
  cat(sprintf("%s: mean fall of the probability %.3f (from %.3f), above random in %.0f of 100 texts\n", name, mean(fall),
    mean(whole), sum(fall > falls$random)))
}
