# bert_predict()'s time against the number of rows and against their length, as bench/time-rows.png and
# bench/time-length.png (see scale.md).
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/linear.R
library(bertr)

faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5, seed = 1, verbose = FALSE)
words <- unlist(strsplit(faq$text, " "))
seconds <- function(texts) {
  median(replicate(3, system.time(bert_predict(fit, texts, verbose = FALSE))[["elapsed"]]))
}
draw <- function(file, x, y, xlab, ylab, main) {
  png(file, 900, 600, res = 120)
  plot(x, y, xlab = xlab, ylab = ylab, main = main, pch = 19, xlim = c(0, max(x)), ylim = c(0, max(y)))
  abline(lm(y ~ x), col = "grey60")
  dev.off()
}

rows <- c(250, 500, 1000, 2000, 4000, 8000)
by_rows <- vapply(rows, function(n) seconds(rep_len(faq$text, n)), 0)
draw("bench/time-rows.png", rows, by_rows, "texts", "seconds", "bert_predict(): seconds against texts")

texts_of <- function(length, n) {
  vapply(seq_len(n), function(i) paste(words[(i * 7 + seq_len(length)) %% length(words) + 1], collapse = " "), "")
}
lengths <- c(8, 16, 32, 64, 128, 192)
tokens <- vapply(lengths, function(k) mean(bert_count_tokens(bert_load(), texts_of(k, 400))), 0)
by_length <- vapply(lengths, function(k) seconds(texts_of(k, 400)), 0)
draw("bench/time-length.png", tokens, by_length, "tokens a text (mean)", "seconds for 400 texts",
  "bert_predict(): seconds against length")
print(data.frame(rows, seconds = by_rows, texts_per_s = round(rows / by_rows)))
print(data.frame(tokens, seconds = by_length, tokens_per_s = round(400 * tokens / by_length)))
