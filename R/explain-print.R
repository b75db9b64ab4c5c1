texts_printed <- 5
words_printed <- 5

#' @export
print.bert_explanation <- function(x, ...) {
  check_dots(...)
  check_explanation(x, "x")
  about <- summary(x)
  method <- sub("_", " ", attr(x, "method"), fixed = TRUE)
  cat("<bert_explanation> ", attr(x, "task"), ", ", method, ": ", counted(nrow(about), "text"), ", ",
    counted(nrow(x), "word"), "\n", sep = "")
  for (i in seq_len(min(nrow(about), texts_printed))) {
    print_explained(x[x$row == about$row[[i]], ], about[i, ], attr(x, "texts"))
  }
  if (nrow(about) > texts_printed) {
    cat("and ", counted(nrow(about) - texts_printed, "more text", "more texts"), "; summary() has one row per text\n",
      sep = "")
  }
  invisible(x)
}

# One text: what is explained, its words in colours, those with the largest weights, and how they add up
print_explained <- function(words, about, texts) {
  cat(about$row, ": ", explained_label(about), "\n", sep = "")
  for (side in explained_sides(words, texts)) {
    pieces <- text_pieces(side$text, side$words)
    word <- which(pieces$word > 0)
    pieces$text[word] <- in_colour(pieces$text[word], side$shade[pieces$word[word]])
    print_wrapped(paste(pieces$text, collapse = ""), if (nzchar(side$name)) paste0(side$name, ": ") else "")
  }
  order <- order(-abs(words$weight))
  largest <- words[order[seq_len(min(length(order), 2 * words_printed))], ]
  for (sign in c(1, -1)) {
    some <- utils::head(largest[sign * largest$weight > 0, ], words_printed)
    if (nrow(some) > 0) {
      print_wrapped(paste(some$word, format_each(signif(some$weight, 2)), collapse = ", "),
        if (sign > 0) "for: " else "against: ")
    }
  }
  print_wrapped(score_label(about), "score ")
}

# As "2.65 = -3.47 with all words masked + 6.12 by the words (gap 0.02%)"
score_label <- function(about) {
  gap <- if (!is.na(about$gap)) paste0(" (gap ", format(100 * about$gap, digits = 1), "%)")
  by_words <- about$score - about$masked_score
  numbers <- format_each(signif(c(about$score, about$masked_score, abs(by_words)), 3))
  sign <- if (by_words < 0) "-" else "+"
  paste0(numbers[[1]], " = ", numbers[[2]], " with all words masked ", sign, " ", numbers[[3]], " by the words", gap)
}

# As "card_arrival, probability 0.93", "answer \"Berlin\"" or "PER \"Angela Merkel\""
explained_label <- function(about) {
  label <- if (!is.na(about$class)) about$class
  part <- if (!is.na(about$part)) if (nzchar(about$part)) dQuote(about$part, FALSE) else "no answer"
  probability <- if (!is.na(about$probability)) paste("probability", probability_label(about$probability))
  paste(c(paste(c(label, part), collapse = " "), probability), collapse = ", ")
}

# With three digits, but never as 0 or 1, which no probability is
probability_label <- function(p) {
  p <- round(p, 3)
  if (p == 0) "below 0.001" else if (p == 1) "above 0.999" else format(p)
}

# The texts of one row, one or those of a pair: list(name, text, words, shade); `words` are those of this row
explained_sides <- function(words, texts) {
  shade <- shades(words$weight)
  paired <- length(texts) > 1
  lapply(names(texts), function(name) {
    own <- if (paired) words$text == name else rep(TRUE, nrow(words))
    list(name = if (paired) name else "", text = texts[[name]][[words$row[[1]]]], words = words[own, ],
      shade = shade[own])
  })
}

# A text cut into words and what is between them: `text`, and `word`, the number of the word, or 0. What comes after the
# last word is shortened to dots if there are more words, which were not read.
text_pieces <- function(text, words) {
  n <- nrow(words)
  words <- words[order(words$start), ]
  between <- substring(text, c(1, words$end + 1), c(words$start - 1, nchar(text)))
  if (grepl("[[:alnum:]]", between[[n + 1]])) {
    between[[n + 1]] <- " ..."
  }
  list(text = c(rbind(between, c(substring(text, words$start, words$end), ""))),
    word = c(rbind(0L, c(order(words$start), 0L))))
}

# Weights as shares of the largest one, from -1 to 1
shades <- function(weight) {
  weight / max(abs(weight), .Machine$double.xmin)
}

# Words on a blue background if their weight is positive, on an orange one if it is negative
in_colour <- function(words, shade) {
  if (cli::num_ansi_colors() < 256) {
    coloured <- ifelse(shade > 0, cli::col_blue(words), cli::col_red(words))
    return(ifelse(abs(shade) < 0.15, words, ifelse(abs(shade) > 0.5, cli::style_bold(coloured), coloured)))
  }
  vapply(seq_along(words), function(i) {
    style <- cli::combine_ansi_styles(cli::make_ansi_style(shade_colour(shade[[i]]), bg = TRUE),
      cli::make_ansi_style("black"))
    if (abs(shade[[i]]) < 0.1) words[[i]] else style(words[[i]])
  }, "")
}

# From white to blue for 1, to orange for -1
shade_colour <- function(shade) {
  towards <- ifelse(shade > 0, "#0072B2", "#D55E00")
  strength <- 0.75 * abs(shade) # black text must stay legible
  mixed <- grDevices::col2rgb(towards) * rep(strength, each = 3) + 255 * rep(1 - strength, each = 3)
  grDevices::rgb(mixed[1, ], mixed[2, ], mixed[3, ], maxColorValue = 255)
}

print_wrapped <- function(text, title) {
  lines <- cli::ansi_strwrap(paste0(title, text), width = cli::console_width(), indent = 2, exdent = 4)
  cat(paste0(lines, "\n"), sep = "")
}
