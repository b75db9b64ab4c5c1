#' Attention probabilities
#'
#' The attention probabilities of every layer and head for one text or one pair of texts.
#'
#' @inheritParams bert_texts
#' @param x One text, or a data frame with one row and the columns in `text`. For the methods, a result of
#'   `bert_attention()`.
#' @param layer,head Which layers and heads: whole numbers from 1. `NULL` (default) for all. Layers above the highest
#'   one are not computed.
#' @param max_len Maximum text length in tokens. A longer text is truncated with a message. `NULL` (default) uses the
#'   model's.
#' @param verbose Report whether the text was truncated? `TRUE` by default.
#' @return An array `[layer, head, from, to]` of class `bert_attention`: how much the token `from` attends to the token
#'   `to`. The values for one `from` sum to 1. The dimnames are the layer and head numbers and the tokens, so that
#'   `x["6", "3", , ]` is the matrix of one head. `plot()` draws such a matrix.
#'
#'   `as_tibble()`: one row per value, with the integers `layer`, `head`, `from` and `to` (positions from 1, including
#'   special tokens), the tokens `from_token` and `to_token`, and `attention`.
#' @source Vaswani et al. (2017), Attention Is All You Need, <https://arxiv.org/abs/1706.03762>. What heads look at:
#'   Clark et al. (2019), \doi{10.18653/v1/W19-4828}.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' attention <- bert_attention(model, "The cat sat, because it was tired.")
#' attention
#' round(attention["6", "1", , ], 2)
#' plot(attention, layer = 6)
#'
#' # the strongest attention of one head
#' table <- as_tibble(bert_attention(model, "The cat was tired.", layer = 2, head = 3))
#' table[order(-table$attention), ]
#' @export
bert_attention <- function(model, x, pair = NULL, text = NULL, layer = NULL, head = NULL, max_len = NULL,
                           verbose = TRUE) {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  info <- encoder_info(model)
  check_numbers(layer, "layer", 1, info$config$num_layers)
  check_numbers(head, "head", 1, info$config$num_heads)
  check_max_len(max_len, model)
  check_flag(verbose, "verbose")
  texts <- read_texts(x, rlang::enquo(pair), rlang::enquo(text))
  check_one_text(texts$complete)
  options <- list(layer = if (!is.null(layer)) to_ints(layer), head = if (!is.null(head)) to_ints(head),
    max_len = to_int(max_len))
  result <- py_texts("attention", model, texts, options, call = call)
  say_truncated(speaker(verbose), result$n_truncated, 1, result$max_len)
  tokens <- as_chr(result$token)
  names <- list(layer = as_chr(result$layer), head = as_chr(result$head), from = tokens, to = tokens)
  structure(result$values, dimnames = names, class = "bert_attention")
}

# Checks for a complete array, not a subset
check_attention <- function(x, arg, call = caller_env()) {
  if (!is.numeric(x) || length(dim(x)) != 4 || !identical(names(dimnames(x)), c("layer", "head", "from", "to"))) {
    abort("argument", "{.arg {arg}} must be a complete array from {.code bert_attention()}, not
      {.obj_type_friendly {x}}.", call = call)
  }
}

check_one_text <- function(complete, call = caller_env()) {
  n <- length(complete)
  if (n != 1) {
    abort("argument", "{.arg x} must be one text, not {n} texts.",
      if (n > 1) "Each text has its own array: call this once per text.", call = call)
  }
  if (!complete) {
    abort("argument", "The text is NA, so it has no attention.", call = call)
  }
}

#' @export
print.bert_attention <- function(x, ...) {
  check_dots(...)
  check_attention(x, "x")
  names <- dimnames(x)
  cat("<bert_attention> array [layer, head, from, to]; as_tibble() for one row per value, plot() to draw it\n",
    "  layers ", some(names$layer, 24), "; heads ", some(names$head, 24), "\n",
    "  ", counted(length(names$from), "token"), ": ", paste(utils::head(names$from, 40), collapse = " "),
    if (length(names$from) > 40) " ...", "\n", sep = "")
  invisible(x)
}

#' @rdname bert_attention
#' @export
as_tibble.bert_attention <- function(x, ...) {
  check_dots(...)
  check_attention(x, "x")
  names <- dimnames(x)
  n <- length(names$from)
  heads <- length(names$head)
  from <- rep(rep(seq_len(n), each = n), heads * length(names$layer))
  to <- rep(seq_len(n), n * heads * length(names$layer))
  tibble(
    layer = rep(as.integer(names$layer), each = heads * n * n),
    head = rep(rep(as.integer(names$head), each = n * n), length(names$layer)),
    from = from, to = to, from_token = names$from[from], to_token = names$to[to],
    attention = as.vector(aperm(unclass(x), 4:1))
  )
}

#' @rdname bert_attention
#' @param special Draw `[CLS]` and `[SEP]` too? `FALSE` by default: most heads attend mainly to them, which leaves the
#'   words pale. What is drawn then does not sum to 1.
#' @param ... For `plot()` passed to [graphics::image()]; not used by `as_tibble()`. In `plot()` `layer` and `head` are
#'   single numbers; `NULL` draws the last layer of `x` and the mean over its heads.
#' @export
plot.bert_attention <- function(x, layer = NULL, head = NULL, special = FALSE, ...) {
  check_attention(x, "x")
  shown <- attention_matrix(x, layer, head, special, "x")
  draw_heatmap(shown$values, shown$tokens, shown$title, ...)
  invisible(x)
}

# What is drawn of an array: list(values [from, to], tokens, title)
attention_matrix <- function(x, layer, head, special, arg, call = caller_env()) {
  check_flag(special, "special", call)
  names <- dimnames(x)
  layer <- one_of(if (is.null(layer)) names$layer[[length(names$layer)]] else layer, names$layer, "layer", arg, call)
  heads <- if (is.null(head)) names$head else one_of(head, names$head, "head", arg, call)
  # the first token is [CLS], the last one [SEP], whatever their names are
  drawn <- special | !names$from %in% names$from[c(1, length(names$from))]
  if (!any(drawn)) {
    abort("argument", "{.arg {arg}} has no tokens besides {.val {unique(names$from)}}.",
      "Draw them with {.code special = TRUE}.", call = call)
  }
  values <- apply(unclass(x)[layer, heads, drawn, drawn, drop = FALSE], 3:4, mean)
  what <- if (length(heads) > 1) paste("mean of", length(heads), "heads") else paste("head", heads)
  list(values = values, tokens = shortened(names$from[drawn], 16), title = paste0("layer ", layer, ", ", what))
}

# `looked`: [from, to], drawn like a printed matrix, with the first token at the top
draw_heatmap <- function(looked, labels, title, ...) {
  n <- length(labels)
  old <- graphics::par("mar", "las", "mgp", "tcl")
  on.exit(graphics::par(old))
  # labels as large as fit between two lines of the matrix
  size <- min(1, 0.75 * min(graphics::par("fin")) / n / graphics::par("csi"))
  room <- max(graphics::strwidth(labels, "inches", cex = size)) / graphics::par("csi") + 1
  graphics::par(mar = c(2, room + 1.2, room + 1.2, 5), las = 2, mgp = c(3, 0.4, 0), tcl = -0.15)
  colours <- list(...)$col
  colours <- if (is.null(colours)) heat_colours else colours
  limits <- list(...)$zlim
  limits <- if (is.null(limits)) c(0, max(looked)) else limits
  draw(graphics::image, list(seq_len(n), seq_len(n), t(looked)[, rev(seq_len(n)), drop = FALSE], axes = FALSE,
    xlab = "", ylab = "", col = colours, zlim = limits), ...)
  graphics::axis(3, seq_len(n), labels, cex.axis = size, gap.axis = 0)
  graphics::axis(2, rev(seq_len(n)), labels, cex.axis = size, gap.axis = 0)
  graphics::box()
  graphics::mtext("to", 3, line = room, las = 1)
  graphics::mtext("from", 2, line = room, las = 0)
  graphics::mtext(title, 1, line = 0.5, las = 1)
  draw_key(colours, limits)
}

heat_colours <- grDevices::hcl.colors(64, "Blues 3", rev = TRUE)

# A bar of the colours with their values, to the right of the panel
draw_key <- function(colours, limits) {
  usr <- graphics::par("usr")
  line <- graphics::par("csi") / graphics::par("pin")[[1]] * (usr[[2]] - usr[[1]])
  left <- usr[[2]] + line
  edges <- seq(usr[[3]], usr[[4]], length.out = length(colours) + 1)
  graphics::rect(left, edges[-length(edges)], left + line, edges[-1], col = colours, border = NA, xpd = TRUE)
  graphics::rect(left, usr[[3]], left + line, usr[[4]], xpd = TRUE)
  ticks <- pretty(limits, 4)
  ticks <- ticks[ticks >= limits[[1]] & ticks <= limits[[2]]]
  at <- usr[[3]] + (ticks - limits[[1]]) / max(diff(limits), .Machine$double.xmin) * (usr[[4]] - usr[[3]])
  graphics::text(left + 1.3 * line, at, format(ticks), adj = 0, cex = 0.8, xpd = TRUE)
}

# Name of a layer or head of an array
one_of <- function(number, names, what, arg, call) {
  if (length(number) != 1 || !as.character(number) %in% names) {
    abort("argument", "{.arg {what}} must be one of the {what}s in {.arg {arg}} ({some(names, 24)}).", call = call)
  }
  as.character(number)
}
