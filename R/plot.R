#' Plot the history of a fit
#'
#' One panel per metric over the epochs: training in black, validation in blue.
#'
#' @param x A fit from [bert_fit()].
#' @param ... Passed to [graphics::matplot()].
#' @return `x`, invisibly.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, validation = 0.3, train = "head", epochs = 5)
#' plot(fit)
#' @export
plot.bert_fit <- function(x, ...) {
  check_class(x, "bert_fit", "x")
  history <- x$history
  if (nrow(history) == 0) {
    abort("no_epochs", "No epoch was completed, so there is no history to plot.",
      call = rlang::current_env())
  }
  metrics <- unique(sub("^val_", "", setdiff(names(history), c("epoch", "learning_rate", "seconds"))))
  old <- graphics::par(mfrow = c(1, length(metrics)), mar = c(4.5, 4.5, 2.5, 1))
  on.exit(graphics::par(old))
  for (metric in metrics) {
    plot_metric(history, metric, ...)
  }
  invisible(x)
}

plot_metric <- function(history, metric, ...) {
  colours <- stats::setNames(c("black", "#0072B2"), c(metric, paste0("val_", metric)))
  colours <- colours[names(colours) %in% names(history)]
  draw(graphics::matplot, list(history$epoch, as.matrix(history[names(colours)]), type = "o", pch = 20, lty = 1,
    col = colours, xlab = "epoch", ylab = metric, xaxt = "n"), ...)
  if (!"xaxt" %in% names(list(...))) {
    graphics::axis(1, whole_ticks(graphics::axTicks(1)))
  }
  # above the panel, where no line can cross it
  label <- ifelse(startsWith(names(colours), "val_"), "validation", "training")
  graphics::legend("bottomright", label, col = colours, lty = 1, pch = 20, bty = "n", horiz = TRUE, inset = c(0, 1),
    xpd = TRUE)
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
