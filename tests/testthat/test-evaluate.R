sklearn <- function() {
  the_model() # Python runs
  reticulate::import("sklearn.metrics")
}

value <- function(out, metric, estimator) {
  out$.estimate[out$.metric == metric & out$.estimator == estimator]
}

test_that("of two classes the event's precision, recall and F1 are those of scikit-learn", {
  spec <- list(levels = c("no", "yes"), task = "classification")
  set.seed(1)
  truth <- factor(sample(spec$levels, 50, TRUE), spec$levels)
  p <- ifelse(truth == "yes", 0.6, 0.3) + runif(50, -0.3, 0.3)
  estimate <- ifelse(p > 0.5, "yes", "no")
  for (event in spec$levels) {
    out <- label_metrics(c(spec, event = event), truth, list(list(prob = cbind(1 - p, p))))
    expect_identical(names(out), c(".metric", ".estimator", ".estimate"))
    args <- list(as.character(truth), estimate, pos_label = event)
    expect_equal(value(out, "precision", "binary"), do.call(sklearn()$precision_score, args))
    expect_equal(value(out, "recall", "binary"), do.call(sklearn()$recall_score, args))
    expect_equal(value(out, "f_meas", "binary"), do.call(sklearn()$f1_score, args))
    expect_equal(value(out, "f_meas", "macro"), sklearn()$f1_score(args[[1]], estimate, average = "macro"))
  }
})

test_that("the event is the second level, or the one named", {
  data <- faq(2)
  fit <- quick_fit(label ~ text, data)
  class <- bert_predict(fit, data, type = "class")$.pred_class
  recall <- function(level) mean(class[data$label == level] == level)
  levels <- fit$spec$levels
  expect_equal(value(bert_evaluate(fit, data), "recall", "binary"), recall(levels[[2]]))
  expect_equal(value(bert_evaluate(fit, data, event = levels[[1]]), "recall", "binary"), recall(levels[[1]]))
  expect_error(bert_evaluate(fit, data, event = "other"), "`event` must be", class = "bertr_error_argument")
  expect_error(bert_evaluate(fit, data, event = 2), "`event` must be", class = "bertr_error_argument")
  data$card <- grepl("card", data$text)
  fit <- quick_fit(card ~ text, data)
  expect_equal(bert_evaluate(fit, data, event = TRUE), bert_evaluate(fit, data))
  expect_error(bert_evaluate(the_fit(), faq(), event = the_fit()$spec$levels[[1]]),
    "two classes.*classification \\(3 classes\\)", class = "bertr_error_argument")
  expect_error(check_event("a", list(task = "multilabel", levels = c("a", "b"), text = "x", lhs = "y"), NULL),
    "two classes.*multilabel \\(2 labels\\)", class = "bertr_error_argument")
})

test_that("classes not seen in training count as wrong, as scikit-learn counts them", {
  spec <- list(levels = c("a", "b"), task = "classification", event = "b")
  truth <- match_labels(spec, factor(c("a", "new", "b", "b", "odd", "new", "a")))
  expect_identical(levels(truth), c("a", "b", "new", "odd"))
  prob <- cbind(c(.9, .8, .4, .6, .1, .2, .3), c(.1, .2, .6, .4, .9, .8, .7))
  out <- label_metrics(spec, truth, list(list(prob = prob)))
  both <- list(as.character(truth), c("a", "a", "b", "a", "b", "b", "b"))
  expect_equal(value(out, "accuracy", "binary"), 2 / 7)
  expect_equal(value(out, "kap", "binary"), do.call(sklearn()$cohen_kappa_score, both))
  expect_equal(value(out, "f_meas", "macro"), do.call(sklearn()$f1_score, c(both, average = "macro")))
  expect_equal(value(out, "precision", "binary"), 1 / 4)
  expect_equal(value(out, "recall", "binary"), 1 / 2)
  expect_equal(value(out, "mn_log_loss", "binary"), -mean(log(c(.9, .6, .4, .3))))
  only <- label_metrics(spec, match_labels(spec, "new"), list(list(prob = prob[1, , drop = FALSE])))
  expect_identical(value(only, "accuracy", "binary"), 0)
  expect_identical(value(only, "mn_log_loss", "binary"), NA_real_)
})

test_that("labels not seen in training are reported with their rows, and evaluated", {
  data <- faq(4)
  data$label[[1]] <- NA
  new <- sum(data$label == "age_limit", na.rm = TRUE)
  messages <- testthat::capture_messages(out <- bert_evaluate(the_fit(), data))
  expect_match(messages, paste0("1 label not seen in training, \"age_limit\", in ", new, " rows: counted as wrong"),
    all = FALSE)
  expect_match(messages, "`?mn_log_loss`? and `?ece`? exclude it: it has no probability", all = FALSE)
  class <- as.character(bert_predict(the_fit(), data)$.pred_class)
  expect_equal(out$.estimate[[1]], mean((class == data$label)[-1]))
  expect_silent(bert_evaluate(the_fit(), data, verbose = FALSE))
  expect_error(quick_fit(label ~ text, faq(), validation = faq(4)),
    "`validation` has 1 label not seen in training, \"age_limit\", in row", class = "bertr_error_unknown_label")
})

test_that("of several labels per row, those not seen in training are never found", {
  spec <- list(levels = c("a", "b"), type = "list", task = "multilabel")
  outcome <- list(c("a", "new"), character(), c("b", "odd"), "a", "new")
  rows <- list(outcome = outcome, row = c(2, 4, 6, 8, 10))
  expect_identical(unknown_labels(spec, rows), list(what = "label", labels = c("new", "odd"), rows = c(2, 6, 10)))
  truth <- as.matrix(match_multilabel(spec, outcome))
  chosen <- rbind(c(TRUE, FALSE), FALSE, TRUE, c(TRUE, FALSE), FALSE)
  prob <- rbind(c(.9, .1), c(.2, .3), c(.6, .7), c(.8, .4), c(.3, .2))
  out <- multilabel_metrics(spec, truth, list(list(chosen = chosen, prob = prob)))
  estimate <- cbind(chosen, FALSE, FALSE) + 0L
  f1 <- function(average) sklearn()$f1_score(truth + 0L, estimate, average = average)
  expect_equal(value(out, "f_meas", "macro"), f1("macro"))
  expect_equal(value(out, "f_meas", "micro"), f1("micro"))
  expect_equal(value(out, "precision", "micro"), 3 / 4)
  expect_equal(value(out, "recall", "micro"), 3 / 6)
  expect_equal(value(out, "accuracy", "multilabel"), 2 / 5)
  learnt <- truth[, 1:2]
  expect_equal(value(out, "mn_log_loss", "multilabel"), -mean(ifelse(learnt, log(prob), log(1 - prob))))
  columns <- list(levels = c("a", "b"), type = "columns", task = "multilabel")
  expect_null(unknown_labels(columns, list(outcome = tibble::tibble(a = TRUE, b = FALSE), row = 1)))
})

spans <- function(start = integer(), end = integer(), label = character()) {
  tibble::tibble(start = start, end = end, label = label)
}

test_that("entities and relations not seen in training are never found", {
  truth <- list(spans(c(1, 9), c(3, 12), c("a", "new")), spans(1, 5, "a"))
  expect_identical(unknown_labels(list(task = "entities", levels = "a"), list(outcome = truth, row = c(3, 7))),
    list(what = "label", labels = "new", rows = 3))
  results <- list(list(row = c(1L, 2L), start = c(1L, 1L), end = c(3L, 4L), code = c(0L, 0L), rows = 1:2))
  out <- entity_metrics(list(levels = "a"), truth, results, list(a = c("Ada met Mary", "Ada B")))
  expect_identical(out$.level, rep(c(NA, "a", "new"), each = 3))
  expect_equal(out$.estimate, c(1 / 2, 1 / 3, 2 / 5, 1 / 2, 1 / 2, 1 / 2, 0, 0, 0))

  triple <- function(relation) {
    tibble::tibble(head_start = 1L, head_end = 3L, relation = relation, tail_start = 5L, tail_end = 7L)
  }
  truth <- list(triple("met"), triple(c("met", "saw")))
  expect_identical(unknown_labels(list(task = "relations", levels = "met"), list(outcome = truth, row = c(3, 7))),
    list(what = "relation", labels = "saw", rows = 7))
  result <- list(count = c(1L, 1L), head = c("Ada", "Ada"), head_start = c(1L, 1L), head_end = c(3L, 3L),
    relation = c(0L, 0L), tail = c("Bob", "Bob"), tail_start = c(5L, 5L), tail_end = c(7L, 7L), score = c(1, 1),
    rows = 1:2)
  out <- triple_metrics(list(levels = "met"), truth, list(result), NULL)
  expect_identical(out$.level, rep(c(NA, "met", "saw"), each = 3))
  expect_equal(out$.estimate, c(1, 2 / 3, 4 / 5, 1, 1, 1, 0, 0, 0))
})

tagged <- function() {
  bert_entities(
    list(c("They", "do", "n't", "come", "."), c("I", "know", "them", "."), c("Dogs", "come", ".")),
    list(c("PRON", "AUX", "PART", "VERB", "PUNCT"), c("PRON", "VERB", "PRON", "PUNCT"), c("NOUN", "VERB", "PUNCT"))
  )
}

test_that("where every word is labeled there is an accuracy over words", {
  data <- tagged()
  expect_true(are_words(flat_entities(data$entities), data$text))
  expect_false(are_words(flat_entities(data$entities[c(1, 2)]), c(data$text[[1]], "I know them all .")))
  expect_false(are_words(flat_entities(list(spans(1, 12, "PER"))), "Ada Lovelace"))
  expect_false(are_words(flat_entities(list(spans())), "Ada"))
  expect_false(are_words(flat_entities(list(spans(1, 3, "PER"), spans())), c("Ada", "Bob")))
  truth <- flat_entities(data$entities)
  found <- truth
  expect_identical(word_accuracy(truth, found), 1)
  found$label[c(2, 7)] <- "X"
  expect_equal(word_accuracy(truth, found), 10 / 12)
  part <- lapply(truth, `[`, -c(1, 12)) # the first and the last word are not found
  expect_equal(word_accuracy(truth, part), 10 / 12)
  wide <- lapply(truth, `[`, -4) # "n't come" is one entity of the label of "n't"
  wide$end[[3]] <- 15
  expect_equal(word_accuracy(truth, wide), 11 / 12)
  none <- list(row = NULL, start = NULL, end = NULL, label = NULL)
  expect_identical(word_accuracy(truth, none), 0)
})

test_that("a fit of parts of speech is evaluated by its words, in chunks of any size", {
  data <- tagged()[rep(1:3, 6), ]
  fit <- quick_fit(entities ~ text, data, head = bert_head(words = "space"), epochs = 6)
  out <- bert_evaluate(fit, data)
  accuracy <- out[out$.metric == "accuracy", ]
  expect_identical(accuracy$.estimator, "multiclass")
  found <- bert_predict(fit, data)$.pred_entities
  right <- mapply(function(true, found) {
    covering <- vapply(true$start, function(at) c(found$label[found$start <= at & found$end >= at], "none")[[1]], "")
    covering == true$label
  }, data$entities, found)
  expect_equal(accuracy$.estimate, mean(unlist(right)))
  whole <- task_of
  local_binding("task_of", function(spec) {
    task <- whole(spec)
    task$chunk <- 4
    task
  }, environment())
  expect_equal(bert_evaluate(fit, data), out)
})
