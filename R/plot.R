#' Plot the history of a fit
#'
#' One panel per metric over the epochs: training in black, validation in blue. Losses have both, for classification the
#' accuracy as well (see the section History of [bert_fit()]). The axes of losses begin at 0, those of shares such as
#' the accuracy go from 0 to 1. A dashed line marks the best epoch, if its weights were kept
#' (`bert_control(early_stopping = )`).
#'
#' `ggplot2::autoplot()` draws the same with ggplot2, see [autoplot.bert_fit()].
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
  points <- history_points(x)
  metrics <- levels(points$metric)
  old <- graphics::par(mfrow = panel_grid(length(metrics)), mar = c(5, 5, 2, 1), oma = c(0, 0, 2, 0))
  on.exit(graphics::par(old))
  for (metric in metrics) {
    plot_metric(points[points$metric == metric, ], metric, x$info$best_epoch, ...)
  }
  outer_title(if (is.null(main)) task_label(x$spec) else main)
  invisible(x)
}

# What is drawn of a history: one row per metric, part of the data and epoch
history_points <- function(fit, call = caller_env()) {
  history <- fit$history
  if (nrow(history) == 0) {
    why <- if (is_from_elsewhere(fit$info)) "bertr did not train this fit" else "No epoch was completed"
    abort("no_epochs", "{why}, so there is no history to plot.", call = call)
  }
  columns <- setdiff(names(history), c("epoch", "learning_rate", "seconds"))
  metric <- sub("^val_", "", columns)
  part <- names(part_colours)[1 + startsWith(columns, "val_")]
  n <- nrow(history)
  tibble(
    metric = factor(rep(metric, each = n), unique(metric)), part = factor(rep(part, each = n), names(part_colours)),
    epoch = rep(history$epoch, length(columns)), value = unlist(history[columns], use.names = FALSE)
  )
}

part_colours <- c(training = "black", validation = "#0072B2")

plot_metric <- function(points, metric, best, ...) {
  parts <- split(points, points$part, drop = TRUE)
  values <- do.call(cbind, lapply(unname(parts), `[[`, "value"))
  colours <- part_colours[names(parts)]
  draw(graphics::matplot, list(parts[[1]]$epoch, values, type = "o", pch = 20, lty = 1, col = colours,
    xlab = epoch_label(best), ylab = metric, ylim = metric_range(metric, values), xaxt = "n", las = 1,
    mgp = c(3.6, 0.9, 0)), ...) # room for labels such as 0.005
  if (!"xaxt" %in% names(list(...))) {
    graphics::axis(1, whole_ticks(graphics::axTicks(1)))
  }
  graphics::abline(v = best, lty = 2, col = "grey40")
  # above the panel, where no line can cross it
  graphics::legend("bottomright", names(parts), col = colours, lty = 1, pch = 20, bty = "n", horiz = TRUE,
    inset = c(0, 1), xpd = TRUE)
}

# Says what the dashed line is
epoch_label <- function(best) {
  paste0("epoch", if (!is.null(best)) paste0(" (best: ", best, ")"))
}

# The metrics from 0 to 1 of which 1 is the best
shares <- c("accuracy", "f_meas", "f_meas_macro", "f_meas_micro", "exact_match", "precision", "recall", "roc_auc",
  "average_precision")

# A zoomed axis makes small changes look large
metric_range <- function(metric, values) {
  if (metric %in% shares) c(0, 1) else range(values[is.finite(values)], 0)
}

# Epochs are whole numbers
whole_ticks <- function(ticks) {
  ticks[ticks == round(ticks)]
}

# Rows and columns of n panels: one row for three, else panels about as wide as high
panel_grid <- function(n) {
  size <- grDevices::dev.size()
  columns <- if (n > 3) max(1, round(sqrt(n * size[[1]] / size[[2]]))) else n
  c(ceiling(n / columns), columns)
}

# A title above all panels
outer_title <- function(title) {
  # mtext() does not scale by par("cex"), strwidth() does
  cex <- fitting_size(title, 0.98 * grDevices::dev.size()[[1]], font = 2, cex = 1 / graphics::par("cex"))
  graphics::mtext(title, outer = TRUE, line = 0.5, font = 2, cex = cex)
}

# Title of a panel, in the middle of its figure
panel_title <- function(title) {
  cex <- graphics::par("cex") * fitting_size(title, 0.98 * graphics::par("fin")[[1]], font = 2)
  graphics::mtext(title, at = graphics::grconvertX(0.5, "nfc"), line = 0.8, font = 2, cex = cex)
}

# The largest size up to 1 at which texts are no wider than `width` inches
fitting_size <- function(texts, width, ...) {
  min(1, width / max(graphics::strwidth(texts, "inches", ...)))
}

# Texts of at most `width` letters, with dots where they were cut, in ASCII: the fonts of pdf() have no others
shortened <- function(x, width) {
  long <- nchar(x, "width") > width
  x[long] <- paste0(strtrim(x[long], width - 3), "...")
  x
}

# Calls a plot function with our settings, which the user can override
draw <- function(fun, ours, ...) {
  given <- list(...)
  do.call(fun, c(ours[!rlang::names2(ours) %in% setdiff(names(given), "")], given))
}
