# Measures of a classification, named as in yardstick.
label_metrics <- function(spec, truth, results) {
  levels <- spec$levels
  prob <- do.call(rbind, lapply(results, `[[`, "prob"))
  estimate <- factor(levels[max.col(prob, "first")], levels)
  counts <- table(truth, estimate)
  kind <- if (length(levels) == 2) "binary" else "multiclass"
  tibble(
    .metric = c("accuracy", "kap", "f_meas", "mn_log_loss"),
    .estimator = c(kind, kind, "macro", kind),
    .estimate = c(sum(diag(counts)) / sum(counts), kappa_of(counts), macro_f(counts), log_loss(truth, prob))
  )
}

# Cohen's kappa: agreement beyond chance
kappa_of <- function(counts) {
  share <- counts / sum(counts)
  chance <- sum(rowSums(share) * colSums(share))
  (sum(diag(share)) - chance) / (1 - chance)
}

# The mean of F1 = 2 tp / (2 tp + fp + fn) over the classes that occur; 0 for one never predicted right
macro_f <- function(counts) {
  both <- rowSums(counts) + colSums(counts)
  mean((2 * diag(counts) / both)[both > 0])
}

log_loss <- function(truth, prob) {
  p <- prob[cbind(seq_along(truth), as.integer(truth))]
  -mean(log(pmax(p, .Machine$double.eps)))
}
