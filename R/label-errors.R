#' Find wrong labels
#'
#' Finds the rows whose label the fits of a cross-validation do not believe, by confident learning (Northcutt et al.
#' 2021): the probability of the row's own label is below the mean that it has over the rows with this label, and the
#' probability of another label is at or above that label's mean. Look at these rows: some labels are wrong, some texts
#' are ambiguous, and some are just hard.
#'
#' @param cv A result of [bert_cv()] for a classification.
#' @return A tibble with one row per suspicious row, the least believed first: `.row`, its number in the data; `.label`,
#'   its label, and `.suggested`, the more probable one, both factors; `.self_confidence` and `.suggested_prob`, their
#'   probabilities when the row was held out; and the columns of its texts.
#' @source Northcutt, Jiang and Chuang (2021), Confident Learning: Estimating Uncertainty in Dataset Labels,
#'   \doi{10.1613/jair.1.12125}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:3])
#' faq$label[[1]] <- faq$label[[nrow(faq)]] # a wrong label
#' cv <- bert_cv(bert_load(), label ~ text, faq, v = 3, train = "head")
#' bert_label_errors(cv)
#' @export
bert_label_errors <- function(cv) {
  call <- rlang::current_env()
  check_class(cv, "bert_cv", "cv")
  check_task(cv$spec, "classification", "{.fn bert_label_errors}", call)
  levels <- cv$spec$levels
  predictions <- cv$predictions
  rows <- which(!is.na(cv$truth) & !is.na(predictions$.fold))
  prob <- as.matrix(predictions[rows, ncol(predictions) - rev(seq_along(levels)) + 1])
  found <- confident_errors(as.integer(cv$truth)[rows], unname(prob))
  as_label <- function(id) factor(levels[id], levels, ordered = cv$spec$type == "ordered")
  columns <- list(.row = rows[found$row], .label = as_label(found$label), .suggested = as_label(found$suggested),
    .self_confidence = found$own, .suggested_prob = found$other)
  tibble::new_tibble(c(columns, as.list(predictions[rows[found$row], cv$spec$text])), nrow = length(found$row))
}

# Rows off the diagonal of the confident joint, from the labels (numbers from 1) and the probabilities [rows, classes]:
# list(row, label, suggested, own, other), the least believed first
confident_errors <- function(label, prob) {
  own <- prob[cbind(seq_along(label), label)]
  mean_own <- vapply(seq_len(ncol(prob)), function(k) mean(own[label == k]), 0) # NaN without rows
  confident <- prob >= rep(mean_own, each = nrow(prob)) & !is.na(rep(mean_own, each = nrow(prob)))
  candidates <- ifelse(confident, prob, -1)
  candidates[cbind(seq_along(label), label)] <- -1
  suggested <- max.col(candidates, "first")
  other <- candidates[cbind(seq_along(label), suggested)]
  row <- which(own < mean_own[label] & other > own)
  row <- row[order(own[row], -other[row])]
  list(row = row, label = label[row], suggested = suggested[row], own = own[row], other = other[row])
}
