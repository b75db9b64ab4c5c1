#' Draw a map of texts
#'
#' Puts texts that are alike near each other in two dimensions: their vectors from [bert_embed()], projected.
#'
#' @param model A model from [bert_load()], or a fit from [bert_fit()] to use its fine-tuned encoder. Not used, and may
#'   be `NULL`, if `x` is a matrix.
#' @param x A data frame with the column in `text`, a character vector, or a numeric matrix with one vector per row, as
#'   returned by [bert_embed()].
#' @param text For a data frame: the column of texts, see [bert_texts].
#' @param columns For a data frame: other columns that the map keeps, such as `label` or `c(label, source)`, or their
#'   names as strings. `NULL` (default): none. The first one gives the colours of plots.
#' @param method `"umap"` keeps neighbours together, measured by the cosine of their vectors, and needs the package
#'   uwot; `"pca"` shows the two directions in which the vectors differ most. `NULL` (default): `"umap"` if uwot is
#'   installed, else `"pca"`.
#' @param pool,layer,combine,max_len How texts become vectors, as for [bert_embed()]; `pool` must not be `"none"`.
#' @param seed A whole number. UMAP is random; the same seed gives the same map on the same machine.
#' @param verbose Show a progress bar and messages? `TRUE` by default; the bar appears only in the console.
#' @return A tibble of class `bert_map` with one row per text, in order: the coordinates `x` and `y`, the `columns`, and
#'   `text` (of a matrix its row names, if any). The coordinates are NA where a text, or a value of a vector, is NA. At
#'   least three texts must be complete.
#'
#'   In a UMAP distances within a cluster, and whether texts are neighbours, have a meaning; distances between clusters
#'   and their sizes have none. In a PCA all distances have one, but two dimensions may show little of the vectors: the
#'   axes say how much of their variance.
#'
#'   `plot()` and `autoplot()` of ggplot2 draw the texts as points. A factor, string or logical gives each value a
#'   colour, and its name at the medians of its texts, for the 40 most frequent values; other numbers give shades.
#' @seealso [bert_embed()], [bert_similarity()]
#' @source UMAP: McInnes, Healy and Melville (2018), <https://arxiv.org/abs/1802.03426>.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:6])
#' map <- bert_map(bert_load(), faq, text, label)
#' map
#' plot(map)
#' @export
bert_map <- function(model, x, text = NULL, columns = NULL, method = NULL, pool = NULL, layer = NULL,
                     combine = c("mean", "concatenate"), max_len = NULL, seed = 1, verbose = TRUE) {
  call <- rlang::current_env()
  method <- map_method(method, call)
  check_whole(seed, "seed", from = 0)
  check_flag(verbose, "verbose")
  text <- rlang::enquo(text)
  if (!is.data.frame(x)) {
    check_no_columns(text, x, call = call)
  }
  side <- compared(x, "x", text, call)
  kept <- kept_columns(x, rlang::enquo(columns), call)
  options <- list()
  if (!is.null(model) || is.null(side$values)) {
    check_class(model, c("bert_model", "bert_fit"), "model")
    vector_options(model, pools, pool, layer, combine, max_len, verbose)
  }
  check_mappable(side, call)
  vectors <- side$values
  if (is.null(vectors)) {
    vectors <- bert_embed(model, side$texts, pool = pool, layer = layer, combine = combine, max_len = max_len,
      verbose = verbose)
  }
  placed <- with_seed(seed, project(vectors[side$complete, , drop = FALSE], method))
  at <- matrix(NA_real_, length(side$complete), 2)
  at[side$complete, ] <- placed$at
  columns <- c(list(x = at[, 1], y = at[, 2]), kept, if (!is.null(side$shown)) list(text = side$shown))
  tibble::new_tibble(columns, nrow = nrow(at), class = "bert_map", axes = placed$axes, how = placed$how)
}

map_columns <- c("x", "y", "text")

map_method <- function(method, call) {
  if (is.null(method)) {
    return(if (installed("uwot")) "umap" else "pca")
  }
  check_choice(method, c("umap", "pca"), "method", call)
  if (method == "umap" && !installed("uwot")) {
    abort("package", "{.code method = \"umap\"} needs the package {.pkg uwot}, which is not installed.",
      "Install it with {.run install.packages(\"uwot\")}, or use {.code method = \"pca\"}.", call = call)
  }
  method
}

installed <- function(package) {
  requireNamespace(package, quietly = TRUE)
}

# The columns of the data that a map keeps, as a list
kept_columns <- function(x, quo, call) {
  if (rlang::quo_is_null(quo)) {
    return(list())
  }
  if (!is.data.frame(x)) {
    abort("argument", "{.arg columns} names columns of a data frame, but {.arg x} is {.obj_type_friendly {x}}.",
      "Add columns to the map afterwards, as in {.code map$label <- labels}.", call = call)
  }
  names <- column_names(quo, x, "columns", "x", call)
  reserved <- intersect(names, map_columns)
  if (length(reserved) > 0) {
    abort("column", "{.arg columns} contains {.val {reserved}}, but a map has its own columns {.val {map_columns}}.",
      "Rename the column, or leave it out: {.code text} is always kept.", call = call)
  }
  as.list(x)[names]
}

# The names that a quosure selects in a data frame, at least one
column_names <- function(quo, data, arg, from, call) {
  names <- chosen_columns(quo, setdiff(names(data), ""), from, call)
  if (!is.character(names) || length(names) == 0 || anyNA(names)) {
    shown <- rlang::as_label(rlang::quo_get_expr(quo))
    abort("column", "{.arg {arg}} must name columns of {.arg {from}}, not {.code {shown}}.",
      "Its columns are {.val {shorten(names(data), 10)}}.", call = call)
  }
  check_columns(names, data, from, call)
  unique(unname(names))
}

check_mappable <- function(side, call) {
  n <- sum(side$complete)
  if (n < 3) {
    abort("no_texts", "A map needs at least three texts, but {.arg x} has {n} that {?is/are} not NA.", call = call)
  }
  if (!is.null(side$values) && ncol(side$values) < 2) {
    abort("width", "A map needs vectors of two or more values, but those of {.arg x} have {ncol(side$values)}.",
      call = call)
  }
}

# Vectors in two dimensions: list(at [text, 2], axes, what the axes show)
project <- function(vectors, method) {
  if (method == "umap") {
    # starts from principal components, which exist for any number of texts
    at <- uwot::umap(vectors, n_neighbors = min(15, nrow(vectors) - 1), metric = "cosine", init = "pca")
    return(list(at = at, axes = c("UMAP 1", "UMAP 2"), how = "UMAP"))
  }
  pca <- stats::prcomp(vectors, rank. = 2)
  largest <- apply(pca$rotation, 2, function(column) column[[which.max(abs(column))]])
  share <- percent(pca$sdev[1:2]^2 / max(sum(pca$sdev^2), .Machine$double.xmin))
  list(
    at = pca$x %*% diag(sign(largest)), # the sign of a component is arbitrary
    axes = paste0("component ", 1:2, " (", share, " of the variance)"),
    how = paste0("PCA with ", share[[1]], " and ", share[[2]], " of the variance")
  )
}

#' @export
print.bert_map <- function(x, ...) {
  if (is_map(x)) {
    n <- sum(is.na(x$x))
    cat("<bert_map> ", counted(nrow(x), "text"), if (n > 0) paste0(", ", n, " of them NA"), "; ", attr(x, "how"), "\n",
      sep = "")
  }
  NextMethod()
}

# Are its columns still there?
is_map <- function(x) {
  is.data.frame(x) && is.character(attr(x, "axes")) && all(c("x", "y") %in% names(x))
}
