#' @rdname plot.bert_explanation
#' @exportS3Method htmltools::as.tags
as.tags.bert_explanation <- function(x, ...) {
  check_explanation(x, "x")
  about <- summary(x)
  parts <- lapply(seq_len(nrow(about)), function(i) {
    html_explained(x[x$row == about$row[[i]], ], about[i, ], attr(x, "texts"))
  })
  htmltools::browsable(htmltools::tags$div(class = "bert-explanation", parts))
}

# One text: what is explained, then its words on backgrounds that show their weights, which also appear as tooltips
html_explained <- function(words, about, texts) {
  tags <- htmltools::tags
  lines <- lapply(explained_sides(words, texts), function(side) {
    pieces <- text_pieces(side$text, side$words)
    shown <- lapply(seq_along(pieces$text), function(i) {
      word <- pieces$word[[i]]
      if (word == 0) pieces$text[[i]] else html_word(pieces$text[[i]], side$words$weight[[word]], side$shade[[word]])
    })
    tags$p(style = "margin: 0.3em 0; line-height: 1.7; white-space: pre-wrap;",
      if (nzchar(side$name)) tags$em(paste0(side$name, ": ")), shown, .noWS = "inside")
  })
  tags$div(class = "bert-explained", style = "margin: 1em 0;", tags$strong(explained_label(about)), lines)
}

html_word <- function(word, weight, shade) {
  style <- paste0("background-color: ", shade_colour(shade), "; color: black; border-radius: 0.2em;")
  htmltools::tags$span(word, style = style, title = format(weight, digits = 3), .noWS = "outside")
}

#' @exportS3Method knitr::knit_print
knit_print.bert_explanation <- function(x, ...) {
  if (knitr::is_html_output() && requireNamespace("htmltools", quietly = TRUE)) {
    return(knitr::knit_print(htmltools::as.tags(x), ...))
  }
  knitr::normal_print(x)
}
