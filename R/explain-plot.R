panels_drawn <- 12

#' Draw explanations
#'
#' `plot()`: one panel per text with a bar for each word, in reading order: blue for the class, orange against it.
#'
#' As HTML: the text with its words on blue and orange backgrounds, what is explained above, a colour key below. In R
#' Markdown documents of HTML explanations appear like this; elsewhere `htmltools::as.tags()` makes it, for the viewer
#' of RStudio and for Shiny (in `renderUI()`).
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
  about <- explained_texts_drawn(x, "x")
  columns <- min(nrow(about), 3)
  old <- graphics::par("mar", "mfrow")
  on.exit(graphics::par(old))
  graphics::par(mfrow = c(ceiling(nrow(about) / columns), columns))
  for (i in seq_len(nrow(about))) {
    plot_explained(x[x$row == about$row[[i]], ], about[i, ], names(attr(x, "texts")), ...)
  }
  invisible(x)
}

# The texts to draw, one row each
explained_texts_drawn <- function(x, arg, call = caller_env()) {
  check_explanation(x, arg, call)
  about <- summary(x)
  if (nrow(about) > panels_drawn) {
    abort("argument", "{.arg {arg}} has {nrow(about)} texts, but at most {panels_drawn} are drawn together.",
      "Choose some of them, for example with {.code x[x$row %in% 1:4, ]}.", call = call)
  }
  about
}

plot_explained <- function(words, about, texts, ...) {
  line <- graphics::par("csi")
  height <- graphics::par("fin")[[2]] - 6.5 * line # without margins
  bars <- explained_bars(words, texts, most = max(5, floor(height / (0.55 * line))))
  n <- nrow(bars)
  # the first word at the top; labels as large as fit between two bars
  size <- min(1, 0.85 * height / n / line)
  graphics::par(mar = c(4, max(graphics::strwidth(bars$label, "inches", cex = size)) / line + 1, 2.5, 1))
  at <- draw(graphics::barplot, list(rev(bars$weight), axisnames = FALSE, horiz = TRUE, col = rev(bars$colour),
    border = NA, space = 0.25, xlab = weight_label(bars, words), xlim = 1.04 * range(0, bars$weight, na.rm = TRUE)),
    ...)
  graphics::axis(2, at, rev(bars$label), las = 1, tick = FALSE, cex.axis = size, gap.axis = 0, line = -0.6)
  graphics::abline(v = 0)
  panel_title(shortened(explained_label(about), 45))
}

# The bars of one text: a bar per word in reading order, for a pair after the name of its text, which has no weight. Of
# more than `most` bars those with the largest weights are left.
explained_bars <- function(words, texts, most) {
  paired <- length(texts) > 1
  kept <- utils::head(order(-abs(words$weight)), most - if (paired) length(texts) else 0)
  words <- words[sort(kept), ]
  bars <- tibble(label = shortened(words$word, 20), weight = words$weight,
    colour = ifelse(words$weight > 0, "#0072B2", "#D55E00"))
  if (paired) {
    bars <- do.call(rbind, lapply(texts, function(name) {
      rbind(tibble(label = paste0(shortened(name, 20), ":"), weight = NA_real_, colour = NA_character_),
        bars[words$text == name, ])
    }))
  }
  bars
}

# Says if words were left out
weight_label <- function(bars, words) {
  shown <- sum(!is.na(bars$weight))
  paste0("weight", if (shown < nrow(words)) paste0(" (the ", shown, " largest of ", nrow(words), ")"))
}
