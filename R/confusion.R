#' Confusion matrix of a fit
#'
#' Which classes a fit takes for which, on other data.
#'
#' @inheritParams bert_evaluate
#' @param object A fit for classification from [bert_fit()] or [bert_load()].
#' @return A tibble of class `bert_confusion` with one row per pair of classes: `truth` and `estimate`, factors with the
#'   true and the predicted class; `n`, the number of rows; `share`, their share of the rows of the true class (NA if it
#'   has none). Classes that were not seen in training come last in `truth`; they are never predicted.
#'
#'   It prints as a matrix with the true classes as rows (with long names the columns have only their numbers), or, with
#'   too many classes for the console, as the list of the most frequent confusions. `plot()` draws the shares of the
#'   true classes as tiles, in percent.
#' @seealso [bert_evaluate()] with `by = "class"`
#' @source Stehman (1997), Selecting and Interpreting Measures of Thematic Classification Accuracy,
#'   \doi{10.1016/S0034-4257(97)00083-7}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' confusion <- bert_confusion(fit, faq)
#' confusion
#' plot(confusion)
#' @export
bert_confusion <- function(object, new_data, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  check_task(object$spec, "classification", "{.fn bert_confusion}", call)
  predicted <- predict_outcomes(object, new_data, "wrong", verbose, call)
  n <- py_value("confusion", live(object, call), predicted$kept, predicted$truth, call = call) # [true, predicted]
  new_confusion(n, unlist(predicted$truth$levels), object$spec$levels)
}

new_confusion <- function(n, truth, estimate) {
  share <- n / rowSums(n)
  columns <- list(
    truth = factor(rep(truth, each = length(estimate)), truth),
    estimate = factor(rep(estimate, length(truth)), estimate),
    n = as.vector(t(n)), share = as.vector(t(share))
  )
  columns$share[is.nan(columns$share)] <- NA
  tibble::new_tibble(columns, nrow = length(n), class = "bert_confusion")
}

# The column `value` as a matrix [true, predicted]; NULL if rows or columns were removed
confusion_matrix <- function(x, value) {
  complete <- all(c("truth", "estimate", "n", "share") %in% names(x)) && is.factor(x$truth) && is.factor(x$estimate) &&
    nrow(x) == nlevels(x$truth) * nlevels(x$estimate) && !anyDuplicated(x[c("truth", "estimate")])
  if (complete) {
    out <- matrix(0, nlevels(x$truth), nlevels(x$estimate), dimnames = list(levels(x$truth), levels(x$estimate)))
    out[cbind(as.integer(x$truth), as.integer(x$estimate))] <- x[[value]]
    out
  }
}

#' @export
print.bert_confusion <- function(x, ...) {
  n <- confusion_matrix(x, "n")
  if (is.null(n)) {
    return(NextMethod())
  }
  check_dots(...)
  right <- sum(x$n[as.character(x$truth) == as.character(x$estimate)])
  cat("<bert_confusion> ", counted(ncol(n), "class", "classes"), ", ", counted(sum(n), "row"), ", ", right, " right\n",
    sep = "")
  lines <- Find(fits_console, list(matrix_lines(n), matrix_lines(numbered(n))))
  if (is.null(lines)) {
    print_confusions(x)
  } else {
    cat(lines, sep = "\n")
  }
  invisible(x)
}

# A printed matrix, one string per line
matrix_lines <- function(n) {
  header <- c("truth", colnames(n))
  cells <- rbind(header, cbind(rownames(n), format(n)))
  cells[, 1] <- format(cells[, 1])
  cells[, -1] <- apply(cells[, -1, drop = FALSE], 2, format, justify = "right")
  apply(cells, 1, function(row) paste0("  ", paste(row, collapse = "  ")))
}

# The matrix with numbers as column names, which the row names begin with
numbered <- function(n) {
  numbers <- format(seq_len(nrow(n)))
  dimnames(n) <- list(paste(numbers, rownames(n)), trimws(numbers[seq_len(ncol(n))]))
  n
}

fits_console <- function(lines) {
  length(lines) <= 21 && max(nchar(lines, "width")) <= getOption("width")
}

# The most frequent confusions, one per line
print_confusions <- function(x, most = 10) {
  wrong <- x[x$n > 0 & as.character(x$truth) != as.character(x$estimate), ]
  if (nrow(wrong) == 0) {
    return(cat("  no confusions\n"))
  }
  wrong <- wrong[order(-wrong$n, -wrong$share), ]
  shown <- utils::head(wrong, most)
  n <- format(shown$n)
  cat("  most frequent confusions (truth -> estimate, rows, share of the true class):\n",
    paste0("  ", format(as.character(shown$truth)), " -> ", format(as.character(shown$estimate)), "  ", n, "  ",
      format(percent(shown$share), justify = "right"), "\n"),
    if (nrow(wrong) > most) paste0("  and ", nrow(wrong) - most, " more\n"), sep = "")
}

percent <- function(share) {
  paste0(round(100 * share), " %")
}

#' @rdname bert_confusion
#' @param x A result of `bert_confusion()`.
#' @param ... For `plot()` passed to [graphics::image()].
#' @export
plot.bert_confusion <- function(x, ...) {
  share <- complete_shares(x, "x")
  truth <- tile_labels(rownames(share))
  estimate <- tile_labels(colnames(share))
  graphics::plot.new() # to measure the labels; the matrix is drawn on this page
  cex <- min(22 / length(truth), fitting_size(c(truth, estimate), 0.4 * min(grDevices::dev.size())))
  below <- label_lines(estimate, cex)
  left <- label_lines(truth, cex)
  old <- graphics::par(mar = c(below + 2.5, left + 2.2, 1, 1), new = TRUE)
  on.exit(graphics::par(old))
  # like a printed matrix: the first class at the top
  tiles <- t(share)[, rev(seq_along(truth)), drop = FALSE]
  draw(graphics::image, list(seq_along(estimate), seq_along(truth), tiles, zlim = c(0, 1), axes = FALSE, xlab = "",
    ylab = "", col = tile_colours), ...)
  graphics::box()
  graphics::axis(1, seq_along(estimate), estimate, las = 2, cex.axis = cex, tick = FALSE, line = -0.8, gap.axis = 0)
  graphics::axis(2, rev(seq_along(truth)), truth, las = 2, cex.axis = cex, tick = FALSE, line = -0.8, gap.axis = 0)
  graphics::mtext(tiles_show, 1, line = below + 0.8)
  graphics::mtext("truth", 2, line = left + 0.8)
  tile_numbers(tiles)
  invisible(x)
}

# The shares as a matrix [true, predicted]
complete_shares <- function(x, arg, call = caller_env()) {
  share <- confusion_matrix(x, "share")
  if (is.null(share)) {
    abort("argument", "{.arg {arg}} must be a complete result of {.fn bert_confusion}, but rows or columns are
      missing.", call = call)
  }
  share
}

# Names of classes that leave room for the tiles
tile_labels <- function(names) {
  shortened(names, 30)
}

tile_colours <- grDevices::hcl.colors(100, "Blues 3", rev = TRUE)
tiles_show <- "estimate, in % of the true class"

# The lines of margin that labels across an axis need
label_lines <- function(labels, cex) {
  max(graphics::strwidth(labels, "inches", cex = cex)) / graphics::par("csi")
}

# Writes the shares as percentages, as large as the tiles allow
tile_numbers <- function(tiles) {
  shown <- which(tiles > 0, arr.ind = TRUE)
  if (nrow(shown) == 0) {
    return(invisible())
  }
  size <- min(1, 0.85 / graphics::strwidth("100"), 0.8 / graphics::strheight("100"))
  graphics::text(shown, labels = round(100 * tiles[shown]), cex = size, col = number_colour(tiles[shown]))
}

# Legible on the colour of its tile
number_colour <- function(share) {
  ifelse(share > 0.6, "white", "black")
}
