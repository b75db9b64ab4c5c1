#' Reliability of probabilities
#'
#' Compares the probabilities of the predicted classes with how often the predictions are right, on other data: the bins
#' that the metric `ece` of [bert_evaluate()] uses. [bert_calibrate()] corrects probabilities.
#'
#' @inheritParams bert_evaluate
#' @param object A fit for classification.
#' @return A tibble of class `bert_reliability` with one row for each of 15 bins of equal width: `lower` (not part of
#'   the bin, except in the first one) and `upper`, the limits of the probability of the predicted class; `n`, the
#'   number of rows; `confidence`, the mean probability; `accuracy`, the share of correct predictions. The last two are
#'   NA for a bin without rows. Rows of classes that were not seen in training are left out, because these classes have
#'   no probability.
#'
#'   `glance()` returns the expected calibration error as a row like those of [bert_evaluate()]. `plot()` draws the
#'   reliability diagram: bars of the accuracy, with the number of rows; for right probabilities they end at the points,
#'   the mean probabilities.
#' @source DeGroot and Fienberg (1983), The Comparison and Evaluation of Forecasters, \doi{10.2307/2987588}; Guo et al.
#'   (2017), On Calibration of Modern Neural Networks, <https://arxiv.org/abs/1706.04599>.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' reliability <- bert_reliability(fit, faq)
#' reliability
#' plot(reliability)
#' @export
bert_reliability <- function(object, new_data, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  check_task(object$spec, "classification", "{.fn bert_reliability}", call)
  predicted <- predict_outcomes(object, new_data, "excluded", verbose, call)
  result <- py_value("reliability", live(object, call), predicted$kept, predicted$truth, call = call)
  if (sum(result$n) == 0) {
    abort("unknown_label", "{.arg new_data} has no row of a class seen in training, so there is nothing to compare.",
      "The training labels are {.val {shorten(object$spec$levels)}}.", call = call)
  }
  new_reliability(result, if (length(object$spec$levels) == 2) "binary" else "multiclass")
}

new_reliability <- function(result, estimator) {
  bins <- length(result$n)
  nan_as_na <- function(x) ifelse(is.nan(x), NA_real_, x)
  columns <- list(lower = (seq_len(bins) - 1) / bins, upper = seq_len(bins) / bins, n = result$n,
    confidence = nan_as_na(result$confidence), accuracy = nan_as_na(result$accuracy))
  ece <- metric_tibble(list(metric = "ece", estimator = estimator, estimate = result$ece), NULL)
  tibble::new_tibble(columns, nrow = bins, class = "bert_reliability", ece = ece)
}

#' @rdname bert_reliability
#' @param x A result of `bert_reliability()`.
#' @param ... For `plot()` passed to [graphics::plot()]; must be empty for `glance()`.
#' @export
glance.bert_reliability <- function(x, ...) {
  check_dots(...)
  attr(check_reliability(x, "x"), "ece")
}

#' @export
print.bert_reliability <- function(x, ...) {
  ece <- attr(x, "ece")
  if (is.data.frame(ece)) {
    cat("<bert_reliability> expected calibration error (ece) ", figure(ece$.estimate), "\n", sep = "")
  }
  NextMethod()
}

check_reliability <- function(x, arg, call = caller_env()) {
  if (!is.data.frame(attr(x, "ece")) || !all(c("lower", "upper", "n", "confidence", "accuracy") %in% names(x))) {
    abort("argument", "{.arg {arg}} must be a complete result of {.fn bert_reliability}, but columns are missing.",
      call = call)
  }
  x
}

#' @rdname bert_reliability
#' @export
plot.bert_reliability <- function(x, ...) {
  check_reliability(x, "x")
  old <- graphics::par(mar = c(4.5, 4.5, 2.5, 1), pty = "s")
  on.exit(graphics::par(old))
  draw(graphics::plot, list(NA, xlim = 0:1, ylim = 0:1, xlab = reliability_axes[[1]], ylab = reliability_axes[[2]],
    xaxs = "i", yaxs = "i", las = 1), ...)
  some <- x[x$n > 0, ]
  graphics::rect(some$lower, 0, some$upper, some$accuracy, col = "#9ECAE9", border = "white")
  graphics::abline(0, 1, lty = 3, col = "grey40")
  graphics::segments(some$confidence, some$accuracy, some$confidence, some$confidence, col = "#D55E00")
  graphics::points(some$confidence, some$confidence, pch = 20, col = "#D55E00", xpd = TRUE)
  graphics::text((some$lower + some$upper) / 2, 0.01, some$n, adj = c(0.5, 0), cex = 0.7)
  graphics::box()
  graphics::mtext(reliability_title(x), 3, line = 0.6, cex = 0.9)
  invisible(x)
}

reliability_axes <- c("probability of the predicted class", "share of correct predictions")

reliability_title <- function(x) {
  paste0("ece ", figure(attr(x, "ece")$.estimate), " of ", counted(sum(x$n), "row"), "; points: mean probability")
}
