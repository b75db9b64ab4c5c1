#' @rdname plot.bert_explanation
#' @exportS3Method htmltools::as.tags
as.tags.bert_explanation <- function(x, ...) { # nolint: object_name_linter. A method of htmltools' generic
  check_explanation(x, "x")
  about <- summary(x)
  parts <- lapply(seq_len(nrow(about)), function(i) {
    html_explained(x[x$row == about$row[[i]], ], about[i, ], attr(x, "texts"))
  })
  htmltools::browsable(htmltools::tags$div(class = "bert-explanation", parts, html_key()))
}

# One text: what is explained, then its words on backgrounds that show their weights, which also appear as tooltips
html_explained <- function(words, about, texts) {
  tags <- htmltools::tags
  lines <- lapply(explained_sides(words, texts), function(side) {
    pieces <- text_pieces(side$text, side$words)
    shown <- htmltools::htmlEscape(pieces$text)
    word <- which(pieces$word > 0)
    at <- pieces$word[word]
    shown[word] <- html_words(shown[word], side$words$weight[at], side$shade[at])
    name <- if (nzchar(side$name)) paste0("<em>", htmltools::htmlEscape(side$name), ":</em> ")
    # as one string: htmltools would put white space between the words
    tags$p(style = "margin: 0.3em 0; line-height: 1.7; white-space: pre-wrap;",
      htmltools::HTML(paste(c(name, shown), collapse = "")), .noWS = "inside")
  })
  tags$div(class = "bert-explained", style = "margin: 1em 0;", tags$strong(explained_label(about)), lines)
}

html_words <- function(words, weight, shade) {
  html_shaded(words, shade, sprintf(" title=\"%s\"", format_each(signif(weight, 3))))
}

html_shaded <- function(words, shade, attributes = "") {
  sprintf("<span style=\"background-color: %s; color: black; border-radius: 0.2em;\"%s>%s</span>",
    shade_colour(shade), attributes, words)
}

# What the colours mean, once below all texts
html_key <- function() {
  words <- html_shaded(c("raise", "lower"), c(1, -1))
  htmltools::tags$p(style = "font-size: 0.85em;",
    htmltools::HTML(paste0("Words that ", words[[1]], " or ", words[[2]], " the score; the stronger, the more.")))
}

#' @exportS3Method knitr::knit_print
knit_print.bert_explanation <- function(x, ...) { # nolint: object_name_linter.
  if (knitr::is_html_output() && requireNamespace("htmltools", quietly = TRUE)) {
    return(knitr::knit_print(htmltools::as.tags(x), ...))
  }
  knitr::normal_print(x)
}
