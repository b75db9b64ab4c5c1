#' ROC and precision-recall curves
#'
#' What a fit would find at every threshold, on other data. With two classes the curve is that of the event; with more
#' classes, and for multi-label classification, each class has its own curve, against all other rows.
#'
#' @inheritParams bert_evaluate
#' @param object A fit for classification or multi-label classification.
#' @param type `"roc"` (default) or `"pr"`.
#' @param event For a classification with two classes, the level that is looked for; `NULL` (default): the second one.
#' @return A tibble of class `bert_curve` with one row per point, in the format of the yardstick package: `.level`, the
#'   class; `.threshold`, the least probability that counts as this class; and `specificity` and `sensitivity`
#'   (`"roc"`), or `recall` and `precision` (`"pr"`). A class of which `new_data` has no rows, or only such rows, has no
#'   curve.
#'
#'   `glance()` returns the area under each curve as rows like those of [bert_evaluate()]: `roc_auc`, or
#'   `average_precision`, which sums rectangles instead of drawing straight lines, because these would flatter. `plot()`
#'   draws the curves.
#' @source Hanley and McNeil (1982), The Meaning and Use of the Area under a ROC Curve,
#'   \doi{10.1148/radiology.143.1.7063747}; Davis and Goadrich (2006), The Relationship between Precision-Recall and ROC
#'   Curves, \doi{10.1145/1143844.1143874}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' curve <- bert_curve(fit, faq, type = "pr")
#' curve
#' glance(curve)
#' plot(curve)
#' @export
bert_curve <- function(object, new_data, type = c("roc", "pr"), event = NULL, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(object, "bert_fit", "object")
  type <- first_choice(type, c("roc", "pr"))
  check_choice(type, c("roc", "pr"), "type", call)
  check_flag(verbose, "verbose")
  spec <- object$spec
  check_task(spec, c("classification", "multilabel"), "{.fn bert_curve}", call)
  event <- check_event(event, spec, call)
  predicted <- predict_outcomes(object, new_data, "other", verbose, call)
  result <- py_value("curves", live(object, call), predicted$kept, predicted$truth, type, level_id(event, spec),
    call = call)
  skipped <- spec$levels[result$skipped]
  if (is.null(result$curve)) {
    abort("one_class", "{.arg new_data} has no rows, or only rows, of {.val {shorten(skipped)}}, so there is no curve.",
      "A curve needs rows with the class and rows without it.", call = call)
  }
  if (length(skipped) > 0) {
    speaker(verbose)("No curve for {.val {shorten(skipped)}}: {.arg new_data} has no rows, or only rows, of
      {cli::qty(skipped)}{?this/these} class{?es}.")
  }
  new_curve(result, spec$levels, type)
}

new_curve <- function(result, levels, type) {
  points <- result$curve
  points$level <- factor(levels[points$level], levels[sort(unique(points$level))])
  names(points)[1:2] <- c(".level", ".threshold")
  tibble::new_tibble(points, nrow = length(points$.level), class = "bert_curve", type = type,
    area = metric_tibble(result$area, as.list(levels)))
}

#' @rdname bert_curve
#' @param x A result of `bert_curve()`.
#' @param ... For `plot()` passed to [graphics::plot()]; must be empty for `glance()`.
#' @export
glance.bert_curve <- function(x, ...) {
  check_dots(...)
  attr(check_curve(x, "x"), "area")
}

#' @export
print.bert_curve <- function(x, ...) {
  area <- attr(x, "area")
  if (is.data.frame(area)) {
    n <- nrow(area)
    shown <- area[utils::head(order(area$.estimate), 5), ]
    mean <- if (n > 1) paste0(", mean of ", n, " classes ", figure(mean(area$.estimate)))
    cat("<bert_curve> ", area$.metric[[1]], mean, "\n",
      paste0("  ", figure(shown$.estimate), " ", shown$.level, "\n"),
      if (n > 5) paste0("  and ", n - 5, " higher ones\n"), sep = "")
  }
  NextMethod()
}

# Areas with three digits after the point
figure <- function(x) {
  formatC(x, digits = 3, format = "f")
}

check_curve <- function(x, arg, call = caller_env()) {
  if (!is.data.frame(attr(x, "area")) || !all(c(".level", curve_axes[[attr(x, "type")]]) %in% names(x))) {
    abort("argument", "{.arg {arg}} must be a complete result of {.fn bert_curve}, but columns are missing.",
      call = call)
  }
  x
}

# The columns to draw: horizontal, vertical
curve_axes <- list(roc = c("specificity", "sensitivity"), pr = c("recall", "precision"))

#' @rdname bert_curve
#' @export
plot.bert_curve <- function(x, ...) {
  check_curve(x, "x")
  axes <- curve_axes[[attr(x, "type")]]
  lines <- curve_lines(attr(x, "area"))
  points <- curve_points(x)
  named <- lines[!duplicated(lines$label), ]
  graphics::plot.new() # to measure the legend, which stands beside the panel: inside it would hide curves
  old <- graphics::par(pty = "s", mar = c(4.5, 4.5, 1, label_lines(named$label, 0.8) + 4), new = TRUE)
  on.exit(graphics::par(old))
  # specificity decreases to the right, as usual
  draw(graphics::plot, list(NA, xlim = if (axes[[1]] == "specificity") 1:0 else 0:1, ylim = 0:1, xlab = axes[[1]],
    ylab = axes[[2]], asp = 1, las = 1), ...)
  if (axes[[1]] == "specificity") {
    graphics::segments(1, 0, 0, 1, lty = 3, col = "grey60") # by chance
  }
  for (k in rev(seq_len(nrow(lines)))) { # the coloured ones last
    one <- points[points$level == lines$level[[k]], ]
    graphics::lines(one$x, one$y, col = lines$colour[[k]], lwd = if (nrow(lines) == 1) 2 else 1.5)
  }
  usr <- graphics::par("usr")
  graphics::legend(usr[[2]], usr[[4]], named$label, col = named$colour, lty = 1, lwd = 1.5, bty = "n", cex = 0.8,
    title = attr(x, "area")$.metric[[1]], xpd = NA)
  invisible(x)
}

# The corners of the curves, in order: level, x, y. Average precision sums rectangles, so its curves are steps.
curve_points <- function(x) {
  axes <- curve_axes[[attr(x, "type")]]
  curves <- split(seq_len(nrow(x)), as.character(x$.level))
  parts <- lapply(curves, function(rows) {
    steps <- rep(rows, each = 2)
    if (attr(x, "type") == "roc") list(x = rows, y = rows) else list(x = steps[-length(steps)], y = steps[-1])
  })
  across <- unlist(lapply(parts, `[[`, "x"))
  up <- unlist(lapply(parts, `[[`, "y"))
  tibble::new_tibble(list(level = as.character(x$.level)[across], x = x[[axes[[1]]]][across], y = x[[axes[[2]]]][up]),
    nrow = length(up))
}

# Colour and legend of every curve, the smallest area first: of many curves the smallest areas have colours
curve_lines <- function(area, most = 8) {
  area <- area[order(area$.estimate), ]
  label <- paste(figure(area$.estimate), shortened(area$.level, 24))
  n <- nrow(area)
  if (n == 1) {
    return(tibble(level = area$.level, colour = "#0072B2", label = label))
  }
  colour <- grDevices::hcl.colors(min(n, most), "Dark 3")
  if (n > most) {
    others <- figure(range(area$.estimate[-seq_len(most)]))
    colour <- c(colour, rep("grey80", n - most))
    label[-seq_len(most)] <- paste0(paste(unique(others), collapse = " to "), ": ", counted(n - most, "other"))
  }
  tibble(level = area$.level, colour = colour, label = label)
}
