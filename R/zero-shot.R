#' Classify texts by labels that no training has seen
#'
#' Zero-shot classification with a fit that knows whether one text follows from another (natural language inference):
#' each label is put into a sentence, and the label whose sentence follows from the text most is chosen.
#'
#' @param fit A classification fit of pairs of texts, from [bert_load()] or [bert_fit()]. One of its levels must be
#'   "entailment" (in any case); in models of the hub the others are "neutral" and "contradiction", or
#'   "not_entailment".
#' @param x A character vector, or a data frame with the column in `text`.
#' @param labels Character vector of two or more labels, or of one if `several`. Words that complete the sentence work
#'   best.
#' @param text For data frames: the column of texts, see [bert_texts].
#' @param template The sentence, with `{}` in the place of the label. Write it in the language of the texts.
#' @param several May several labels, or none, be right? `FALSE` (default): the probabilities of the labels of a text
#'   add up to 1. `TRUE`: each label has a probability of its own, of "entailment" against "contradiction" (or against
#'   all other levels, if there is none).
#' @param verbose Show a progress bar and messages? `TRUE` by default; the bar appears only in the console.
#' @return A tibble with one row for each text, in order; NA where a text is NA. Its columns are those of
#'   [bert_predict()]: `.pred_class`, a factor with the `labels` as levels (not if `several`), and one double column
#'   `.pred_<label>` per label with the probabilities. They are as good as the fit and the template, and are not
#'   calibrated for these labels: compare them on a few rows whose label you know.
#' @details Each text is read once for every label, as a pair, so the time grows with the number of labels. Pairs longer
#'   than the fit's length are truncated with a message.
#' @source Yin, Hay and Roth (2019), <https://arxiv.org/abs/1909.00161>; the probabilities are those of Hugging Face
#'   transformers, `pipelines/zero_shot_classification.py`.
#' @seealso [bert_fit()] learns labels from as few as five rows each, which is usually better.
#' @examplesIf bertr::bert_info()$ready
#' pairs <- data.frame(
#'   premise = rep(c("My card was stolen.", "I like the new app."), each = 2),
#'   hypothesis = rep(c("This example is about theft.", "This example is about praise."), 2),
#'   label = c("entailment", "contradiction", "contradiction", "entailment")
#' )
#' fit <- bert_fit(bert_load(), label ~ premise + hypothesis, pairs, train = "head", epochs = 5)
#' texts <- c("Somebody took my card", NA)
#' bert_zero_shot(fit, texts, c("theft", "praise"), template = "This example is about {}.")
#' @export
bert_zero_shot <- function(fit, x, labels, text = NULL, template = "This example is {}.", several = FALSE,
                           verbose = TRUE) {
  call <- rlang::current_env()
  check_class(fit, "bert_fit", "fit")
  check_flag(several, "several")
  check_flag(verbose, "verbose")
  labels <- check_candidates(labels, several, call)
  check_template(template, call)
  levels <- inference_levels(fit, call)
  texts <- read_texts(x, NULL, rlang::enquo(text))
  put <- function(label) sub("{}", label, template, fixed = TRUE)
  hypotheses <- to_texts(vapply(labels, put, "", USE.NAMES = FALSE))
  n <- length(texts$complete)
  prob <- matrix(NA_real_, n, length(labels))
  best <- rep(NA_integer_, n)
  options <- c(list(hypotheses = hypotheses, several = several), lapply(levels, to_ints))
  score(fit, texts, verbose, call, name = "zero_shot", options = options, use = function(result, rows, chunk) {
    prob[chunk[rows], ] <<- result$prob
    best[chunk[rows]] <<- result$chosen + 1L
  })
  done <- which(texts$complete)
  label_predictions(list(levels = labels, type = "character"),
    list(prob = prob[done, , drop = FALSE], chosen = best[done] - 1L), done, n, if (several) "prob" else "all")
}

check_candidates <- function(labels, several, call) {
  labels <- check_text(labels, cli::format_inline("{.arg labels}"), call)
  least <- if (several) 1 else 2
  if (length(labels) < least || anyNA(labels) || anyDuplicated(labels)) {
    abort("labels", "{.arg labels} must be {least} or more different labels without NA, not {.val {shorten(labels)}}.",
      if (least == 2) "With {.code several = TRUE} one label is enough.", call = call)
  }
  labels
}

check_template <- function(template, call) {
  check_string(template, "template", call = call)
  if (!grepl("{}", template, fixed = TRUE)) {
    abort("template", "{.arg template} is {.val {template}}, which has no place for the label.",
      "Write {.code {{}}} where the label belongs, as in {.val This example is {{}}.}.", call = call)
  }
}

# Positions, from 0, of the level "entailment" and of those that count against it
inference_levels <- function(fit, call) {
  levels <- if (fit$spec$task == "classification") fit$spec$levels
  entails <- which(tolower(levels) == "entailment")
  if (length(entails) != 1) {
    found <- if (is.null(levels)) "it is none" else cli::format_inline("its levels are {.val {shorten(levels)}}")
    abort("fit", "{.arg fit} must be a classification of pairs with a level {.val entailment}, but {found}.",
      "Load a model of natural language inference, or train one with {.code bert_fit(model, label ~ premise +
      hypothesis, data)}. To name the levels of a model: {.code bert_load(name, labels = )}.", call = call)
  }
  against <- which(tolower(levels) == "contradiction")
  list(entails = entails - 1L, against = (if (length(against)) against else setdiff(seq_along(levels), entails)) - 1L)
}
