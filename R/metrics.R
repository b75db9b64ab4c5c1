# Classification metrics, named as in yardstick. `truth` may have unseen levels after the training levels. `spec$event`
# is the class for precision and recall, if any.
label_metrics <- function(spec, truth, results, texts) {
  prob <- do.call(rbind, lapply(results, `[[`, "prob"))
  estimate <- factor(spec$levels[max.col(prob, "first")], levels(truth))
  counts <- table(truth, estimate)
  kind <- if (length(spec$levels) == 2) "binary" else "multiclass"
  known <- as.integer(truth) <= ncol(prob)
  ece <- calibration_error((truth == estimate)[known], do.call(pmax, as.data.frame(prob))[known])
  out <- tibble(
    .metric = c("accuracy", "kap", "f_meas", "mn_log_loss", "ece"),
    .estimator = c(kind, kind, "macro", kind, kind),
    .estimate = c(sum(diag(counts)) / sum(counts), kappa_of(counts), macro_f(counts), log_loss(truth, prob), ece)
  )
  if (is.null(spec$event)) out else rbind(out, event_metrics(truth, estimate, spec$event))
}

event_metrics <- function(truth, estimate, event) {
  out <- found_metrics(estimate[estimate == truth], estimate, truth, event)
  out[!is.na(out$.level), c(".metric", ".estimator", ".estimate")]
}

# Cohen's kappa: agreement beyond chance
kappa_of <- function(counts) {
  share <- counts / sum(counts)
  chance <- sum(rowSums(share) * colSums(share))
  (sum(diag(share)) - chance) / (1 - chance)
}

# The mean of F1 = 2 tp / (2 tp + fp + fn) over the classes that occur; 0 for a class that is never predicted correctly
macro_f <- function(counts) {
  both <- rowSums(counts) + colSums(counts)
  mean((2 * diag(counts) / both)[both > 0])
}

# Over the rows whose class has a probability; unseen classes have none
log_loss <- function(truth, prob) {
  class <- as.integer(truth)
  rows <- which(class <= ncol(prob))
  p <- prob[cbind(rows, class[rows])]
  if (length(p) > 0) -mean(log(pmax(p, .Machine$double.eps))) else NA_real_
}

# Expected calibration error (Naeini et al. 2015) of predicted classes: the distance between their probabilities and the
# share of correct predictions, in bins of equal width, closed above, weighted by rows
calibration_error <- function(right, confidence, bins = 15) {
  bin <- pmax(1, ceiling(confidence * bins))
  if (length(right) > 0) sum(abs(tapply(right - confidence, bin, sum))) / length(right) else NA_real_
}

# Multi-label metrics: F1 over all labels together and as the mean over labels; share of rows with every label correct.
# Unseen labels are the last ones of `truth` and are never predicted.
multilabel_metrics <- function(spec, truth, results, texts) {
  truth <- as.matrix(truth)
  learnt <- truth[, seq_along(spec$levels), drop = FALSE]
  chosen <- do.call(rbind, lapply(results, `[[`, "chosen"))
  chosen <- cbind(chosen, matrix(FALSE, nrow(truth), ncol(truth) - ncol(learnt)))
  prob <- pmin(pmax(do.call(rbind, lapply(results, `[[`, "prob")), .Machine$double.eps), 1 - .Machine$double.eps)
  hits <- colSums(truth & chosen)
  given <- colSums(chosen)
  true <- colSums(truth)
  occurs <- given + true > 0
  tibble(
    .metric = c("f_meas", "f_meas", "precision", "recall", "accuracy", "mn_log_loss"),
    .estimator = c("macro", "micro", "micro", "micro", "multilabel", "multilabel"),
    .estimate = c(
      mean((2 * hits / (given + true))[occurs]), 2 * sum(hits) / sum(given + true), sum(hits) / sum(given),
      sum(hits) / sum(true), mean(rowSums(truth != chosen) == 0),
      -mean(ifelse(learnt, log(prob), log(1 - prob)))
    )
  )
}

# Regression metrics, for each outcome if there are several
numeric_metrics <- function(spec, truth, results, texts) {
  values <- do.call(rbind, lapply(results, `[[`, "values"))
  parts <- lapply(seq_along(spec$outcome), function(k) one_numeric(truth[[k]], values[, k]))
  if (length(parts) == 1) {
    return(parts[[1]])
  }
  outcome <- rep(spec$outcome, each = nrow(parts[[1]]))
  tibble::add_column(do.call(rbind, parts), .outcome = outcome, .before = 1)
}

one_numeric <- function(truth, estimate) {
  tibble(
    .metric = c("rmse", "mae", "rsq", "pearson", "spearman"), .estimator = "standard",
    .estimate = c(sqrt(mean((truth - estimate)^2)), mean(abs(truth - estimate)), correlation(truth, estimate)^2,
      correlation(truth, estimate), correlation(rank(truth), rank(estimate)))
  )
}

# NA if one of them is constant
correlation <- function(x, y) {
  if (length(x) < 2 || stats::sd(x) == 0 || stats::sd(y) == 0) NA_real_ else stats::cor(x, y)
}

# Precision, recall and F1, overall and for each label, from the labels of correct, predicted and true items: 0 if none
# is correct, NA for a label that is neither predicted nor true
found_metrics <- function(right, found, true, levels) {
  counts <- lapply(list(right = right, found = found, true = true), function(labels) {
    c(length(labels), tabulate(factor(labels, levels), length(levels)))
  })
  seen <- ifelse(counts$found + counts$true == 0, NA, 1)
  share <- function(of) seen * counts$right / pmax(1, of)
  estimate <- rbind(share(counts$found), share(counts$true), share((counts$found + counts$true) / 2))
  tibble(
    .metric = rep(c("precision", "recall", "f_meas"), ncol(estimate)),
    .estimator = rep(c("micro", rep("binary", length(levels))), each = 3),
    .estimate = as.vector(estimate),
    .level = rep(c(NA, levels), each = 3)
  )
}
