#' Why a fit predicts what it predicts
#'
#' How much each word of a text contributes to a prediction.
#'
#' @section What is explained:
#' A score of each text. What a word adds to it is its weight: words with a positive weight speak for the class, words
#' with a negative weight against it.
#'
#' * Classification and multi-label classification: the logit of the probability of a class, log(p / (1 - p)), where p
#'   is what [bert_predict()] returns. `plogis()` of the score gives p.
#' * Regression: the predicted number, in its unit; with `bert_head(link = "logit")` its logit.
#' * Question answering: the score of the predicted answer, the sum of the scores of its first and its last token, in
#'   the window from which it is taken. If the fit predicts no answer, the score of no answer.
#' * Entities: the sum of the logits of the labels of one entity's words, without the transition scores of
#'   `bert_head(crf = TRUE)`. It is the most probable entity of the text, or of `class`; without such an entity the word
#'   that is most likely to begin one.
#'
#' In a pair both texts are explained together, whether the fit reads them together or compares their vectors.
#'
#' @section Methods:
#' `"integrated_gradients"`: the gradient of the score, integrated over a straight line from the vectors of `[MASK]` to
#' the word vectors of the text. Special tokens, positions and segments stay as they are. The weights of the pieces of a
#' word are added, those of its places in several windows too. The weights of a text add up to the difference between
#' its score and the score of the same text with all words masked; `summary()` shows by what share of this difference
#' they miss it, the gap. bertr begins with 32 points on the line and doubles them until the gap is at most 1%, up to
#' 512 points. If the difference is small compared to the weights, below a hundredth of the sum of their absolute
#' values, the gap is a share of that hundredth.
#'
#' `"occlusion"`: by how much the score falls if all pieces of the word are replaced by `[MASK]`. Such weights need not
#' add up to anything. A word that is said twice may have no weight, because the other one is still there.
#'
#' Words are separated by white space and punctuation, as in BERT; with `bert_head(words = "space")` by white space
#' only. A model without `[MASK]` uses `[PAD]` in its place.
#'
#' @param fit A fit from [bert_fit()] or [bert_load()].
#' @param text A character vector, or a data frame with the text columns of the fit.
#' @param class The class to explain: a single string, or one string per text. For multi-label classification a label,
#'   for several numbers the name of one, for entities a label. `NULL` (default): the predicted class, the most probable
#'   label, the first number, the most probable entity.
#' @param method `"integrated_gradients"` (default) or `"occlusion"`.
#' @param verbose Show a progress bar and messages? `TRUE` by default; the bar appears only in the console.
#' @return A tibble of class `bert_explanation` with one row per word that the fit reads, in order. Its columns are
#'   `row` (position of the text), `text` (the name of the text column, only for pairs), `word`, `weight`, and `start`
#'   and `end`, its first and last character, from 1. A text longer than the fit's limit is truncated with a message.
#'   Texts that are NA or have no words have no rows, with a message.
#'
#'   `summary()`: a tibble with one row per text: `row`, `class` (the class, label or name of the number; NA for
#'   answers), `part` (the answer or entity, else NA), `probability` (NA if the score is no logit), `score`,
#'   `masked_score` (of the text with all words masked), `gap` and `steps` (points on the line); the last two are NA for
#'   occlusion.
#' @seealso [plot.bert_explanation()]; the package lime, for which fits on one text column have the methods that it
#'   needs, `model_type()` and `predict_model()`.
#' @source Integrated gradients: Sundararajan, Taly and Yan (2017), <https://arxiv.org/abs/1703.01365>. Occlusion:
#'   Zeiler and Fergus (2014), \doi{10.1007/978-3-319-10590-1_53}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' why <- bert_explain(fit, faq$text[c(1, 8)])
#' why
#' summary(why)
#' why[order(-why$weight), ]
#'
#' # what speaks for another class
#' bert_explain(fit, faq$text[[1]], class = faq$label[[8]], method = "occlusion")
#' @export
bert_explain <- function(fit, text, class = NULL, method = c("integrated_gradients", "occlusion"), verbose = TRUE) {
  call <- rlang::current_env()
  check_class(fit, "bert_fit", "fit")
  check_flag(verbose, "verbose")
  methods <- c("integrated_gradients", "occlusion")
  method <- first_choice(method, methods)
  check_choice(method, methods, "method", call)
  texts <- new_texts(fit$spec, text, call, "text")
  codes <- class_codes(fit$spec, class, length(texts$complete), call)
  if (!any(texts$complete)) {
    why <- if (length(codes) > 0) "all texts are NA" else "there are no texts"
    abort("no_texts", "There is nothing to explain: {why}.", call = call)
  }
  parts <- list()
  options <- function(rows) list(method = method, classes = to_ints(codes[rows]))
  py_chunks("explain", fit, texts, options, verbose, call, function(result, rows, chunk) {
    parts[[length(parts) + 1]] <<- explained_texts(fit$spec, result, chunk[rows])
  })
  words <- do.call(rbind, lapply(parts, `[[`, "words"))
  about <- do.call(rbind, lapply(parts, `[[`, "about"))
  if (nrow(words) == 0) {
    abort("no_texts", "There is nothing to explain: no text has a word.", call = call)
  }
  say <- speaker(verbose)
  say_unexplained(say, setdiff(seq_along(codes), about$row))
  say_gaps(say, about$row[which(about$gap > most_gap)])
  structure(words, class = c("bert_explanation", class(words)), about = about,
    texts = stats::setNames(Filter(Negate(is.null), texts[c("a", "b")]), fit$spec$text), task = fit$spec$task,
    method = method)
}

# Up to this share of the difference between the scores, weights add up (as in explain.py)
most_gap <- 0.01

say_unexplained <- function(say, rows) {
  if (length(rows) > 0) {
    say("{length(rows)} text{?s} {?is/are} NA or {?has/have} no words, and {?has/have} no explanation: row{?s}
      {some(rows)}.")
  }
}

say_gaps <- function(say, rows) {
  if (length(rows) > 0) {
    say("The weights of {length(rows)} text{?s} miss the difference of the scores by more than 1%: row{?s} {some(rows)};
      see {.fn summary}.")
  }
}

# The class to explain for each text, from 0; -1 where the fit chooses
class_codes <- function(spec, class, n, call) {
  if (is.null(class)) {
    return(rep(-1L, n))
  }
  known <- if (spec$task == "regression") spec$outcome else spec$levels
  if (length(known) == 0) {
    abort("argument", "{.arg class} must be NULL: a fit for task {.val {spec$task}} has no classes.", call = call)
  }
  class <- if (is.factor(class) || is.logical(class)) as.character(class) else class
  if (!is.character(class) || !length(class) %in% c(1, n) || anyNA(class)) {
    abort("argument", "{.arg class} must be one string, or one per text, not {.obj_type_friendly {class}}.",
      "The classes are {.val {shorten(known)}}.", call = call)
  }
  missing <- unique(class[!class %in% known])
  if (length(missing) > 0) {
    close <- did_you_mean(missing[[1]], known, "{.val {close}}")
    abort("argument", "The fit has no class {.val {missing[[1]]}}.",
      paste(c(close, "The classes are {.val {shorten(known, 10)}}."), collapse = " "), call = call)
  }
  rep_len(match(class, known) - 1L, n)
}

# Tibbles of words and of texts from the bridge's result (NULL for no texts); `rows` are the places of its texts
explained_texts <- function(spec, result, rows) {
  side <- as.integer(result$side)
  words <- list(row = rows[as.integer(result$row)], text = spec$text[side], word = as_chr(result$word),
    weight = as.double(result$weight), start = as.integer(result$start), end = as.integer(result$end))
  score <- as.double(result$score)
  steps <- as.integer(result$steps)
  label <- as_chr(result$label)
  part <- as_chr(result$part)
  spanning <- spec$task == "span"
  about <- tibble(
    row = rows[as.integer(result$text)], class = if (spanning) rep(NA_character_, length(score)) else label,
    part = if (spec$task %in% c("span", "entities")) part else rep(NA_character_, length(score)),
    probability = if (is_logit(spec)) stats::plogis(score) else rep(NA_real_, length(score)), score = score,
    masked_score = as.double(result$masked_score), gap = ifelse(steps > 0, as.double(result$gap), NA_real_),
    steps = ifelse(steps > 0, steps, NA)
  )
  list(words = as_tibble(words[if (length(spec$text) == 1) names(words) != "text" else TRUE]), about = about)
}

# Does the score have a probability?
is_logit <- function(spec) {
  spec$task %in% c("classification", "multilabel") || identical(spec$link, "logit")
}

#' @rdname bert_explain
#' @param object,x A result of `bert_explain()`.
#' @param ... Must be empty.
#' @export
summary.bert_explanation <- function(object, ...) {
  check_dots(...)
  check_explanation(object, "object")
  about <- attr(object, "about")
  about[about$row %in% object$row, ]
}

#' @rdname bert_explain
#' @export
as_tibble.bert_explanation <- function(x, ...) {
  check_dots(...)
  check_explanation(x, "x")
  tibble::new_tibble(as.list(x), nrow = nrow(x))
}

# Checks for a result with the columns and facts that printing and drawing need
check_explanation <- function(x, arg, call = caller_env()) {
  columns <- c("row", "word", "weight", "start", "end")
  if (!is.data.frame(x) || !all(columns %in% names(x)) || !is.data.frame(attr(x, "about"))) {
    abort("argument", "{.arg {arg}} must be a result of {.code bert_explain()} with its columns, not
      {.obj_type_friendly {x}}.", call = call)
  }
}
