# The plots of ggplot2 draw what the methods of plot() draw. They are registered when ggplot2 is loaded.

#' Plots with ggplot2
#'
#' The same pictures as `plot()` draws, as objects of ggplot2: a theme, a scale or a title can be added with `+`, and
#' `ggplot2::ggsave()` saves them. The names and values that they show are those of `plot()`.
#'
#' @param object A fit, or a result of [bert_confusion()], [bert_curve()], [bert_reliability()], [bert_cv()],
#'   [bert_explain()] (of at most 12 texts), [bert_attention()] or [bert_map()].
#' @param layer,head,special For attention: single numbers, and whether to draw `[CLS]` and `[SEP]` too, as for the
#'   `plot()` of [bert_attention()].
#' @param colour For maps: the column that gives the colours, as for the `plot()` of [bert_map()].
#' @param ... Must be empty.
#' @return A ggplot.
#' @seealso [plot.bert_fit()], [plot.bert_explanation()]
#' @examplesIf bertr::bert_info()$ready && requireNamespace("ggplot2", quietly = TRUE)
#' library(ggplot2)
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' fit <- bert_fit(bert_load(), label ~ text, faq, validation = 0.3, train = "head", epochs = 5)
#' autoplot(fit)
#' autoplot(bert_confusion(fit, faq)) + ggtitle("Questions to a bank")
#' autoplot(bert_explain(fit, faq$text[c(1, 8)]))
#' @exportS3Method ggplot2::autoplot
autoplot.bert_fit <- function(object, ...) { # nolint: object_name_linter. A method of ggplot2's generic
  check_dots(...)
  check_class(object, "bert_fit", "object")
  points <- history_points(object)
  limits <- lapply(split(points, points$metric), function(one) metric_range(one$metric[[1]], one$value))
  best <- object$info$best_epoch
  picture(points, "epoch", "value", colour = "part") +
    free_panels("metric", limits, strip.position = "left") +
    (if (!is.null(best)) ggplot2::geom_vline(xintercept = best, linetype = 2, colour = "grey40")) +
    (if (max(points$epoch) > 1) ggplot2::geom_line(na.rm = TRUE)) +
    ggplot2::geom_point(na.rm = TRUE) +
    ggplot2::scale_colour_manual(NULL, values = part_colours) +
    ggplot2::scale_x_continuous(breaks = function(range) whole_ticks(pretty(range))) +
    ggplot2::labs(x = epoch_label(best), y = NULL, title = wrapped_title(object$spec)) +
    ggplot2::theme(legend.position = "top")
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_confusion <- function(object, ...) { # nolint: object_name_linter.
  check_dots(...)
  n <- nrow(complete_shares(object, "object"))
  shown <- object[which(object$share > 0), ]
  picture(object, "estimate", "truth", fill = "share") +
    ggplot2::geom_tile() +
    ggplot2::geom_text(data = shown, ggplot2::aes(label = round(100 * .data$share)), size = min(3.9, 60 / n),
      colour = number_colour(shown$share)) +
    ggplot2::scale_fill_gradientn(colours = tile_colours, limits = 0:1, na.value = "white", guide = "none") +
    # like a printed matrix: the first class at the top
    ggplot2::scale_x_discrete(labels = tile_labels, drop = FALSE, expand = c(0, 0)) +
    ggplot2::scale_y_discrete(labels = tile_labels, limits = rev, drop = FALSE, expand = c(0, 0)) +
    ggplot2::labs(x = tiles_show) +
    ggplot2::theme(panel.grid = ggplot2::element_blank(), axis.ticks = ggplot2::element_blank(),
      axis.text = ggplot2::element_text(size = min(9, 220 / n)),
      axis.text.x = ggplot2::element_text(angle = 90, hjust = 1, vjust = 0.5))
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_curve <- function(object, ...) { # nolint: object_name_linter.
  check_dots(...)
  check_curve(object, "object")
  axes <- curve_axes[[attr(object, "type")]]
  lines <- curve_lines(attr(object, "area"))
  points <- curve_points(object)
  points$label <- factor(lines$label[match(points$level, lines$level)], unique(lines$label))
  points$level <- factor(points$level, rev(lines$level)) # the coloured ones last
  roc <- axes[[1]] == "specificity"
  picture(points, "x", "y", colour = "label", group = "level") +
    (if (roc) ggplot2::annotate("segment", x = 1, y = 0, xend = 0, yend = 1, linetype = 3, colour = "grey60")) +
    ggplot2::geom_path(linewidth = 0.7) +
    ggplot2::scale_colour_manual(attr(object, "area")$.metric[[1]], values = lines$colour[!duplicated(lines$label)]) +
    # specificity decreases to the right, as usual
    (if (roc) ggplot2::scale_x_reverse(limits = 1:0) else ggplot2::scale_x_continuous(limits = 0:1)) +
    ggplot2::scale_y_continuous(limits = 0:1) +
    ggplot2::coord_equal() +
    ggplot2::labs(x = axes[[1]], y = axes[[2]])
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_reliability <- function(object, ...) { # nolint: object_name_linter.
  check_dots(...)
  check_reliability(object, "object")
  some <- object[object$n > 0, ]
  picture(some, "confidence", "confidence") +
    ggplot2::geom_rect(ggplot2::aes(xmin = .data$lower, xmax = .data$upper, ymin = 0, ymax = .data$accuracy),
      fill = "#9ECAE9", colour = "white") +
    ggplot2::geom_abline(linetype = 3, colour = "grey40") +
    ggplot2::geom_segment(ggplot2::aes(xend = .data$confidence, yend = .data$accuracy), colour = "#D55E00") +
    ggplot2::geom_point(colour = "#D55E00") +
    ggplot2::geom_text(ggplot2::aes((.data$lower + .data$upper) / 2, 0.01, label = .data$n), vjust = 0, size = 2.8) +
    ggplot2::coord_equal(xlim = 0:1, ylim = 0:1, expand = FALSE, clip = "off") +
    ggplot2::labs(x = reliability_axes[[1]], y = reliability_axes[[2]], title = reliability_title(object)) +
    ggplot2::theme(plot.title = ggplot2::element_text(face = "plain"))
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_cv <- function(object, ...) { # nolint: object_name_linter.
  check_dots(...)
  check_class(object, "bert_cv", "object")
  drawn <- cv_drawn(object)
  metrics <- drawn$metrics
  metrics$panel <- factor(paste0(metrics$name, "\n", metrics$says), paste0(metrics$name, "\n", metrics$says))
  drawn$folds$panel <- metrics$panel[match(drawn$folds$name, metrics$name)]
  limits <- stats::setNames(Map(c, metrics$from, metrics$to), metrics$panel)
  band <- function(height, type) {
    ggplot2::geom_hline(data = metrics, ggplot2::aes(yintercept = !!height), linetype = type, colour = "#0072B2")
  }
  picture(drawn$folds, "fold", "value") +
    free_panels("panel", limits) +
    band(quote(.data$mean), 1) +
    band(quote(.data$mean - .data$sd), 3) +
    band(quote(.data$mean + .data$sd), 3) +
    ggplot2::geom_point(na.rm = TRUE) +
    ggplot2::scale_x_continuous(breaks = unique(drawn$folds$fold)) +
    ggplot2::labs(y = NULL, title = wrapped_title(object$spec))
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_explanation <- function(object, ...) { # nolint: object_name_linter.
  check_dots(...)
  about <- explained_texts_drawn(object, "object")
  columns <- min(nrow(about), 3)
  most <- max(5, 42 %/% ceiling(nrow(about) / columns)) # what is legible in a picture of 15 cm
  parts <- lapply(seq_len(nrow(about)), function(i) {
    words <- object[object$row == about$row[[i]], ]
    bars <- explained_bars(words, names(attr(object, "texts")), most)
    label <- weight_label(bars, words)
    title <- sub(", probability", "\nprobability", explained_label(about[i, ]))
    bars$title <- paste(c(title, if (label != "weight") label), collapse = "\n")
    bars$row <- about$row[[i]]
    bars
  })
  bars <- do.call(rbind, parts)
  bars$place <- factor(seq_len(nrow(bars)), rev(seq_len(nrow(bars)))) # the first word at the top
  titles <- stats::setNames(vapply(parts, function(part) part$title[[1]], ""), about$row)
  picture(bars, "weight", "place", fill = "colour") +
    ggplot2::facet_wrap("row", ncol = columns, scales = "free", labeller = ggplot2::as_labeller(titles)) +
    ggplot2::geom_blank() + # also the names of the texts of pairs have a place
    ggplot2::geom_col(data = bars[!is.na(bars$weight), ], width = 0.8) +
    ggplot2::geom_vline(xintercept = 0) +
    ggplot2::scale_fill_identity() +
    ggplot2::scale_y_discrete(labels = stats::setNames(bars$label, bars$place)) +
    ggplot2::labs(y = NULL) +
    ggplot2::theme(panel.grid.major.y = ggplot2::element_blank(),
      axis.text.y = ggplot2::element_text(size = min(9, 300 / max(vapply(parts, nrow, 0L)))))
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_attention <- function(object, layer = NULL, head = NULL, special = FALSE, # nolint: object_name_linter.
                                    ...) {
  check_dots(...)
  check_attention(object, "object")
  shown <- attention_matrix(object, layer, head, special, "object")
  n <- length(shown$tokens)
  tiles <- tibble(from = rep(seq_len(n), n), to = rep(seq_len(n), each = n), attention = as.vector(shown$values))
  size <- ggplot2::element_text(size = min(9, 280 / n))
  picture(tiles, "to", "from", fill = "attention") +
    ggplot2::geom_raster() +
    ggplot2::scale_fill_gradientn(NULL, colours = heat_colours, limits = c(0, max(tiles$attention))) +
    ggplot2::scale_x_continuous(breaks = seq_len(n), labels = shown$tokens, position = "top", expand = c(0, 0)) +
    ggplot2::scale_y_reverse(breaks = seq_len(n), labels = shown$tokens, expand = c(0, 0)) +
    ggplot2::coord_fixed() +
    ggplot2::labs(caption = shown$title) +
    ggplot2::theme(panel.grid = ggplot2::element_blank(), axis.text = size, plot.caption =
      ggplot2::element_text(hjust = 0.5), axis.text.x.top = ggplot2::element_text(angle = 90, hjust = 0, vjust = 0.5))
}

#' @rdname autoplot.bert_fit
#' @exportS3Method ggplot2::autoplot
autoplot.bert_map <- function(object, colour = NULL, ...) { # nolint: object_name_linter.
  check_dots(...)
  drawn <- map_drawn(object, rlang::enquo(colour), "object")
  value <- drawn$points$value
  drawn$points$value <- if (is.numeric(value)) value else drawn$colours
  picture(drawn$points, "x", "y", colour = "value") +
    ggplot2::geom_point(alpha = map_alpha) +
    (if (is.numeric(value)) {
      ggplot2::scale_colour_gradientn(NULL, colours = shade_colours, na.value = "grey70")
    } else {
      ggplot2::scale_colour_identity()
    }) +
    ggplot2::geom_text(data = drawn$labels, ggplot2::aes(label = .data$label), size = 3.2, colour = "black") +
    ggplot2::expand_limits(x = drawn$xlim, y = drawn$ylim) +
    ggplot2::labs(x = drawn$axes[[1]], y = drawn$axes[[2]], title = drawn$name)
}

# A ggplot of the columns `x` and `y`, and others in `...`, without layers
picture <- function(data, x, y, ...) {
  columns <- lapply(c(x = x, y = y, ...), function(name) rlang::expr(.data[[!!name]]))
  ggplot2::ggplot(data, ggplot2::aes(!!!columns)) +
    ggplot2::labs(x = x, y = y) +
    ggplot2::theme_bw() +
    ggplot2::theme(panel.grid.minor = ggplot2::element_blank(), strip.background = ggplot2::element_blank(),
      strip.placement = "outside", strip.clip = "off", plot.title = ggplot2::element_text(size = 11, face = "bold"))
}

# One panel per value of a column, each with its own vertical axis, which has at least the limits in the list of that
# name; up to three of them in one row
free_panels <- function(column, limits, ...) {
  n <- length(limits)
  corners <- tibble(panel = factor(rep(names(limits), each = 2), names(limits)), limit = unlist(limits))
  names(corners)[[1]] <- column
  list(
    ggplot2::facet_wrap(column, ncol = if (n <= 3) n, scales = "free_y", ...),
    ggplot2::geom_blank(data = corners, ggplot2::aes(y = .data$limit), inherit.aes = FALSE)
  )
}

# The task and the formula of a fit, in lines as long as a picture is wide
wrapped_title <- function(spec) {
  paste(strwrap(task_label(spec), 75), collapse = "\n")
}
