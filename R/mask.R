#' Fill in masks
#'
#' Predicts the words that could replace `[MASK]` in a text. Each mask is predicted separately; the others stay masked.
#'
#' This needs BERT's pre-trained masked language modeling head. Sentence models such as the default no longer have it;
#' `bert_fit(model, ~ text, data)` trains a new one on your texts.
#'
#' @param model A model from [bert_load()] with this head, or a fit with the formula `~ text` from [bert_fit()].
#' @param x A character vector, or a data frame with the column in `text`. Texts that are NA or have no `[MASK]` have no
#'   rows in the result.
#' @param text For a data frame: the column of texts, see [bert_texts].
#' @param top How many tokens to return for each mask: a whole number, by default 5.
#' @param targets Words to choose from, each a single token: all of them are in the result, with their probabilities
#'   among all tokens. `NULL` (default): the whole vocabulary.
#' @param max_len Maximum text length in tokens. Longer texts are truncated with a message, and masks after the cut have
#'   no rows. `NULL` (default) uses the model's.
#' @inheritParams bert_predict
#' @return A tibble with one row for each text, mask and rank: `row` (position in `x`), `mask` (1 for the first in a
#'   text), `rank` (1 for the most probable token), `token`, `probability`, and `text`, with that mask filled in.
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' fit <- bert_fit(bert_load(), ~ text, faq[1:32, ], epochs = 1, train = "top:1")
#' bert_fill_mask(fit, "My [MASK] has not arrived.", top = 3)
#' bert_fill_mask(fit, "My [MASK] has not arrived.", targets = c("card", "money"))
#' @export
bert_fill_mask <- function(model, x, text = NULL, top = 5, targets = NULL, max_len = NULL, verbose = TRUE) {
  call <- rlang::current_env()
  check_class(model, c("bert_model", "bert_fit"), "model")
  check_whole(top, "top")
  check_max_len(max_len, model)
  check_flag(verbose, "verbose")
  if (!is.null(targets)) {
    targets <- check_targets(targets, call)
  }
  asked <- read_texts(x, NULL, rlang::enquo(text))
  masked <- grepl("[MASK]", asked$a, fixed = TRUE) | grepl(encoder_info(model)$mask, asked$a, fixed = TRUE)
  without <- sum(asked$complete & !masked)
  if (without > 0) {
    speaker(verbose)("{without} of {length(masked)} text{?s} {cli::qty(without)}{?has/have} no [MASK].")
  }
  asked$complete <- masked
  fill_masks(model, asked, list(top = to_int(top), targets = targets, max_len = to_int(max_len)), verbose, call)
}

fill_masks <- function(model, asked, options, verbose, call) {
  parts <- list(tibble(row = integer(), mask = integer(), rank = integer(), token = character(),
    probability = double(), text = character()))
  py_chunks("fill_mask", model, asked, options, verbose, call, function(result, rows, chunk) {
    if (length(result$row) > 0) {
      parts[[length(parts) + 1]] <<- tibble(row = chunk[rows][result$row], mask = result$mask, rank = result$rank,
        token = as_chr(result$token), probability = result$probability, text = as_chr(result$text))
    }
  })
  do.call(rbind, parts)
}

check_targets <- function(targets, call) {
  targets <- check_text(targets, cli::format_inline("{.arg targets}"), call)
  if (length(targets) == 0 || anyNA(targets)) {
    abort("argument", "{.arg targets} must contain at least one word and no NA.", call = call)
  }
  to_texts(targets)
}
