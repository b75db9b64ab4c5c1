panels_drawn <- 12

#' Draw explanations
#'
#' `plot()`: one panel per text with a bar for each word, in reading order: blue for the class, orange against it.
#'
#' As HTML: the text with its words on blue and orange backgrounds, what is explained above. In R Markdown documents of
#' HTML explanations appear like this; elsewhere `htmltools::as.tags()` makes it, for the viewer of RStudio and for
#' Shiny (in `renderUI()`).
#'
#' @param x A result of [bert_explain()]; for `plot()` of at most 12 texts, for example
#'   `plot(x[x$row %in% 1:4, ])`.
#' @param ... For `plot()` passed to [graphics::barplot()]; else not used.
#' @return `plot()`: `x`, invisibly. `as.tags()`: a tag of htmltools.
#' @seealso [bert_explain()]
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' why <- bert_explain(fit, faq$text[c(1, 8)])
#' plot(why)
#' if (requireNamespace("htmltools", quietly = TRUE)) {
#'   htmltools::as.tags(why)
#' }
#' @export
plot.bert_explanation <- function(x, ...) {
  check_explanation(x, "x")
  about <- summary(x)
  if (nrow(about) > panels_drawn) {
    abort("argument", "{.arg x} has {nrow(about)} texts, but at most {panels_drawn} are drawn together.",
      "Choose some of them, for example with {.code x[x$row %in% 1:4, ]}.", call = rlang::current_env())
  }
  columns <- min(nrow(about), 3)
  old <- graphics::par("mar", "mfrow")
  on.exit(graphics::par(old))
  graphics::par(mfrow = c(ceiling(nrow(about) / columns), columns))
  for (i in seq_len(nrow(about))) {
    plot_explained(x[x$row == about$row[[i]], ], about[i, ], ...)
  }
  invisible(x)
}

plot_explained <- function(words, about, ...) {
  names <- cli::ansi_strtrim(words$word, 20)
  # the first word at the top; labels as large as fit between two bars
  size <- min(1, graphics::par("fin")[[2]] / nrow(words) / graphics::par("csi") * 0.9)
  margin <- max(graphics::strwidth(names, "inches", cex = size)) / graphics::par("csi") + 1.5
  graphics::par(mar = c(4, margin, 2.5, 1))
  limits <- range(0, words$weight)
  draw(graphics::barplot, list(rev(words$weight), names.arg = rev(names), horiz = TRUE, las = 1, cex.names = size,
    col = rev(ifelse(words$weight > 0, "#0072B2", "#D55E00")), border = NA, space = 0.25, xlab = "weight",
    xlim = limits), ...)
  graphics::abline(v = 0)
  graphics::title(cli::ansi_strtrim(explained_label(about), 45), cex.main = 1)
}
