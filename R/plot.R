#' Plot the history of a fit
#'
#' One panel per metric over the epochs: training in black, validation in blue. Losses have both, for classification the
#' accuracy as well (see the section History of [bert_fit()]). The axes of losses begin at 0, those of shares such as
#' the accuracy go from 0 to 1. A dashed line marks the best epoch, if its weights were kept
#' (`bert_control(early_stopping = )`).
#'
#' @param x A fit from [bert_fit()].
#' @param main Title above the panels, a string. `NULL` (default) shows the task and the formula.
#' @param ... Passed to [graphics::matplot()].
#' @return `x`, invisibly.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, validation = 0.3, train = "head", epochs = 5)
#' plot(fit)
#' @export
plot.bert_fit <- function(x, main = NULL, ...) {
  check_class(x, "bert_fit", "x")
  if (!is.null(main)) {
    check_string(main, "main")
  }
  history <- x$history
  if (nrow(history) == 0) {
    abort("no_epochs", "No epoch was completed, so there is no history to plot.",
      call = rlang::current_env())
  }
  metrics <- unique(sub("^val_", "", setdiff(names(history), c("epoch", "learning_rate", "seconds"))))
  n <- length(metrics)
  old <- graphics::par(mfrow = if (n > 3) grDevices::n2mfrow(n) else c(1, n), mar = c(4.5, 4.5, 2, 1),
    oma = c(0, 0, 2, 0))
  on.exit(graphics::par(old))
  for (metric in metrics) {
    plot_metric(history, metric, x$info$best_epoch, ...)
  }
  graphics::mtext(if (is.null(main)) task_label(x$spec) else main, outer = TRUE, line = 0.5, font = 2)
  invisible(x)
}

plot_metric <- function(history, metric, best, ...) {
  colours <- stats::setNames(c("black", "#0072B2"), c(metric, paste0("val_", metric)))
  colours <- colours[names(colours) %in% names(history)]
  values <- as.matrix(history[names(colours)])
  draw(graphics::matplot, list(history$epoch, values, type = "o", pch = 20, lty = 1, col = colours, xlab = "epoch",
    ylab = metric, ylim = metric_range(metric, values), xaxt = "n", las = 1), ...)
  if (!"xaxt" %in% names(list(...))) {
    graphics::axis(1, whole_ticks(graphics::axTicks(1)))
  }
  graphics::abline(v = best, lty = 2, col = "grey40")
  # above the panel, where no line can cross it
  label <- ifelse(startsWith(names(colours), "val_"), "validation", "training")
  graphics::legend("bottomright", label, col = colours, lty = 1, pch = 20, bty = "n", horiz = TRUE, inset = c(0, 1),
    xpd = TRUE)
}

# A zoomed axis makes small changes look large
metric_range <- function(metric, values) {
  range <- range(values[is.finite(values)], 0)
  if (grepl("^(accuracy|f_meas.*|exact_match|precision|recall)$", metric)) c(0, 1) else range
}

# Epochs are whole numbers
whole_ticks <- function(ticks) {
  ticks[ticks == round(ticks)]
}

# Calls a plot function with our settings, which the user can override
draw <- function(fun, ours, ...) {
  given <- list(...)
  do.call(fun, c(ours[!rlang::names2(ours) %in% setdiff(names(given), "")], given))
}
