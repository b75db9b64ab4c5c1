#' How to pass texts
#'
#' All functions take texts in the same way: first the model, then `x`, a character vector or a data frame. The third
#' argument is `pair`, the second texts, for a character vector, or `text`, the columns, for a data frame.
#'
#' @section Functions:
#' [bert_tokenize()], [bert_count_tokens()], [bert_embed()] and [bert_attention()] read single texts and pairs.
#' [bert_fill_mask()] reads single texts and has no `pair`. [bert_similarity()] compares single texts: its third
#' argument is not read together with `x` but compared with it, and is therefore called `y`; both may be data frames.
#' [bert_map()] reads single texts. [bert_predict()] of a model reads pairs; of a fit it needs no `text`, because a fit
#' knows the names of its columns.
#'
#' @param model A model from [bert_load()], or a fit from [bert_fit()] to use its fine-tuned encoder.
#' @param x A character vector, or a data frame with the columns in `text`. A factor is treated as text.
#' @param pair For a character vector: `NULL` (default), or a character vector of second texts, as long as `x`. Each one
#'   is read after its first text.
#' @param text For a data frame: the column of texts, or the two columns of pairs: `question`, `c(question, answer)`,
#'   their names as strings, a variable that contains such names, or `~ question + answer`. It may also be passed by
#'   position, as the third argument.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' data <- data.frame(question = c("Where is it?", "Why?"), answer = c("At home.", "I do not know."))
#' bert_count_tokens(model, data$question, data$answer)
#' bert_count_tokens(model, data, c(question, answer))
#' bert_count_tokens(model, data, text = question)
#' columns <- c("question", "answer")
#' bert_count_tokens(model, data, text = columns)
#' @name bert_texts
NULL

# The texts passed to a function: list(a, b, complete). `pair` (NULL for functions of single texts) and `text` are
# quosures.
read_texts <- function(x, pair, text, call = caller_env()) {
  paired <- !is.null(pair)
  if (is.data.frame(x)) {
    return(frame_texts(x, text_arguments(x, pair, text, call), if (paired) 2 else 1, "x", call))
  }
  check_no_columns(text, x, if (paired) "Pass second texts as {.arg pair}.", call)
  text_vector(x, if (paired) rlang::eval_tidy(pair), "x", call)
}

check_no_columns <- function(text, x, hint = NULL, call = caller_env()) {
  if (!rlang::quo_is_null(text) && !is.null(tryCatch(rlang::eval_tidy(text), error = identity))) {
    abort("argument", "{.arg text} names columns of a data frame, but {.arg x} is {.obj_type_friendly {x}}.",
      if (is_lazy(x)) rows_hint(x) else hint, call = call)
  }
}

# The texts in the columns, at most `most`, that a quosure selects
frame_texts <- function(data, text, most, arg, call) {
  text_columns(select_columns(text, data, most, arg, call), data, arg, call)
}

# The argument that selects the columns: `text`, or the unnamed argument in its position
text_arguments <- function(x, pair, text, call) {
  if (is.null(pair) || rlang::quo_is_null(pair)) {
    pair <- NULL
  }
  if (!is.null(pair) && (!rlang::quo_is_null(text) || "pair" %in% written_names(call))) {
    abort("argument", "{.arg pair} is only for character vectors, but {.arg x} is a data frame.",
      "Name both columns in {.arg text}, as in {.code text = c(question, answer)}.", call = call)
  }
  if (is.null(pair)) text else pair
}

# The names of the columns, at most `most`, that a quosure selects: a, c(a, b), "a", ~ a + b, a variable of names
select_columns <- function(quo, data, most, arg, call) {
  names <- setdiff(names(data), "")
  expr <- rlang::quo_get_expr(quo)
  if (is.null(expr)) {
    texts <- names[vapply(names, function(name) is.character(data[[name]]) || is.factor(data[[name]]), NA)]
    example <- rlang::expr_deparse(as.symbol(c(texts, "column")[[1]]))
    several <- if (length(texts) > 1) " Its text columns are {.val {shorten(texts, 10)}}."
    abort("column", "{.arg {arg}} is a data frame, so {.arg text} must say which column contains the texts.",
      paste0("For example {.code text = {example}}.", several), call = call)
  }
  chosen <- chosen_columns(quo, names, arg, call)
  if (rlang::is_formula(chosen)) {
    chosen <- formula_text(chosen, data, arg, call)
  }
  if (is.numeric(chosen) && all(chosen %in% seq_along(data))) {
    chosen <- names(data)[chosen]
  }
  if (!is.character(chosen) || !length(chosen) %in% seq_len(most) || anyNA(chosen)) {
    shown <- rlang::as_label(expr)
    wanted <- if (most == 1) "one column" else "one or two columns"
    abort("column", "{.arg text} must name {wanted} of {.arg {arg}}, not {.code {shown}}.",
      "Its columns are {.val {shorten(names, 10)}}.", call = call)
  }
  check_columns(chosen, data, arg, call)
  unname(chosen)
}

# The value of an expression in which every column name evaluates to itself
chosen_columns <- function(quo, names, arg, call) {
  expr <- rlang::quo_get_expr(quo)
  if (rlang::is_call(expr, "~", n = 1)) {
    return(rlang::new_formula(NULL, expr[[2]]))
  }
  mask <- rlang::as_data_mask(c(list(all_of = identity), stats::setNames(as.list(names), names)))
  value <- tryCatch(rlang::eval_tidy(quo, mask), error = identity)
  unknown <- setdiff(all.vars(expr), names)
  if (length(unknown) > 0 && (inherits(value, "error") || (is.symbol(expr) && is.function(value)))) {
    check_columns(unknown, stats::setNames(as.list(names), names), arg, call)
  }
  value
}
