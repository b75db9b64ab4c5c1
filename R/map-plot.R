#' @rdname bert_map
#' @param colour The column of the map that gives the colours. `NULL` (default): the first besides `x`, `y` and `text`.
#' @param ... For `plot()` passed to [graphics::plot()].
#' @export
plot.bert_map <- function(x, colour = NULL, ...) {
  drawn <- map_drawn(x, rlang::enquo(colour), "x")
  points <- drawn$points
  numbers <- is.numeric(points$value)
  old <- graphics::par(mar = c(4.5, 4.5, 2.5, if (numbers) 5 else 1))
  on.exit(graphics::par(old))
  draw(graphics::plot, list(points$x, points$y, pch = 16, col = grDevices::adjustcolor(drawn$colours, map_alpha),
    xlab = drawn$axes[[1]], ylab = drawn$axes[[2]], xlim = drawn$xlim, ylim = drawn$ylim, las = 1), ...)
  if (numbers && !all(is.na(points$value))) {
    draw_key(shade_colours, range(points$value, na.rm = TRUE))
  }
  if (nrow(drawn$labels) > 0) {
    graphics::text(drawn$labels$x, drawn$labels$y, drawn$labels$label, cex = 0.75)
  }
  graphics::title(drawn$name, line = 0.6, cex.main = 1)
  invisible(x)
}

map_alpha <- 0.6
shade_colours <- grDevices::hcl.colors(64, "Viridis")

# What is drawn of a map: `points` (x, y, value) with their `colours`, `labels` (label, x, y), the `name` of the column
# that gives the colours, the titles of the `axes`, and their limits, `xlim` and `ylim`
map_drawn <- function(map, quo, arg, call = caller_env()) {
  if (!is_map(map)) {
    abort("argument", "{.arg {arg}} must be a complete result of {.fn bert_map}, but columns are missing.", call = call)
  }
  others <- setdiff(names(map), map_columns)
  name <- if (!rlang::quo_is_null(quo)) {
    column_names(quo, map, "colour", arg, call)[[1]]
  } else if (length(others) > 0) {
    others[[1]]
  }
  value <- if (is.null(name)) rep(NA, nrow(map)) else colour_values(map[[name]], name, call)
  points <- tibble(x = map$x, y = map$y, value = value)[!is.na(map$x), ]
  labels <- map_labels(points)
  list(points = points, colours = point_colours(points$value), name = name, labels = labels, axes = attr(map, "axes"),
    xlim = range(points$x, labels$x - labels$width / 2, labels$x + labels$width / 2), ylim = range(points$y, labels$y))
}

colour_values <- function(value, name, call) {
  if (is.numeric(value)) {
    as.vector(value)
  } else if (is.factor(value) || is.character(value) || is.logical(value)) {
    droplevels(as.factor(value))
  } else {
    abort("column", "Column {.val {name}} cannot be shown in colours: it must be a factor, strings, logicals or numbers,
      not {.obj_type_friendly {value}}.", call = call)
  }
}

point_colours <- function(value) {
  if (is.factor(value)) {
    colours <- grDevices::hcl.colors(nlevels(value), "Dark 3")[as.integer(value)]
  } else if (all(is.na(value))) {
    return(rep("#0072B2", length(value)))
  } else {
    range <- range(value, na.rm = TRUE)
    colours <- shade_colours[1 + round(63 * (value - range[[1]]) / max(diff(range), .Machine$double.xmin))]
  }
  ifelse(is.na(value), "grey70", colours)
}

# The names of the most frequent values, each at the medians of its texts, moved apart where they would overlap
map_labels <- function(points, most = 40) {
  value <- points$value
  if (!is.factor(value)) {
    return(tibble(label = character(), x = numeric(), y = numeric(), width = numeric()))
  }
  n <- table(value)
  shown <- names(n)[order(-n)][seq_len(min(most, sum(n > 0)))]
  middle <- function(column) vapply(shown, function(level) stats::median(points[[column]][value %in% level]), 0)
  labels <- tibble(label = shortened(shown, 30), x = unname(middle("x")), y = unname(middle("y")))
  # sizes of letters as shares of a panel of 15 cm by 10 cm
  labels$width <- 0.0135 * diff(range(points$x)) * nchar(labels$label, "width")
  labels$y <- spread(labels$x, labels$y, labels$width, 0.035 * diff(range(points$y)))
  labels
}

# Moves labels of these widths and this height up and down until none overlap, or after some rounds
spread <- function(x, y, width, height) {
  above <- outer(seq_along(y), seq_along(y), ">") - outer(seq_along(y), seq_along(y), "<")
  beside <- abs(outer(x, x, "-")) < outer(width, width, "+") / 2 & above != 0
  for (round in 1:100) {
    distance <- outer(y, y, "-")
    lacking <- ifelse(beside, pmax(0, height - abs(distance)), 0)
    if (all(lacking < 0.05 * height)) {
      break
    }
    y <- y + rowSums(lacking * ifelse(distance == 0, above, sign(distance))) / 3
  }
  y
}
