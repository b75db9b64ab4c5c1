value <- function(out, metric, estimator) {
  out$.estimate[out$.metric == metric & out$.estimator == estimator]
}

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

test_that("classes not seen in training follow the others", {
  spec <- list(levels = c("a", "b"), task = "classification")
  rows <- list(outcome = factor(c("a", "new", "b", "b", "odd", "new", "a")))
  expect_identical(levels(match_labels(spec, rows$outcome)), c("a", "b", "new", "odd"))
  expect_identical(evaluation_truth(spec, rows), list(label_ids = c(0L, 2L, 1L, 1L, 3L, 2L, 0L),
    levels = list("a", "b", "new", "odd")))
})

test_that("metrics become rows, NA where they are undefined", {
  metrics <- list(metric = c("recall", "f_meas"), estimator = c("micro", "binary"), estimate = c(0.5, NaN),
    level = c(0L, 2L))
  expect_identical(metric_tibble(metrics, list("a", "b")), tibble(.metric = c("recall", "f_meas"),
    .estimator = c("micro", "binary"), .estimate = c(0.5, NA), .level = c(NA, "b")))
  two <- quick_fit(label ~ text, faq(2))
  data <- faq(3)
  only <- bert_evaluate(two, data[data$label == setdiff(data$label, two$spec$levels), ], verbose = FALSE)
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

test_that("of several labels per row, those not seen in training follow the others", {
  spec <- list(levels = c("a", "b"), type = "list", task = "multilabel")
  outcome <- list(c("a", "new"), character(), c("b", "odd"), "a", "new")
  rows <- list(outcome = outcome, row = c(2, 4, 6, 8, 10))
  expect_identical(unknown_labels(spec, rows), list(what = "label", labels = c("new", "odd"), rows = c(2, 6, 10)))
  truth <- evaluation_truth(spec, rows)
  expect_identical(truth$levels, list("a", "b", "new", "odd"))
  has <- rbind(c(1L, 0L, 1L, 0L), 0L, c(0L, 1L, 0L, 1L), c(1L, 0L, 0L, 0L), c(0L, 0L, 1L, 0L))
  expect_identical(unname(truth$values), has)
  columns <- list(levels = c("a", "b"), type = "columns", task = "multilabel")
  expect_null(unknown_labels(columns, list(outcome = tibble::tibble(a = TRUE, b = FALSE), row = 1)))
})

spans <- function(start = integer(), end = integer(), label = character()) {
  tibble::tibble(start = start, end = end, label = label)
}

test_that("entities and relations not seen in training follow the others", {
  truth <- list(spans(c(1, 9), c(3, 12), c("a", "new")), spans(1, 5, "a"))
  expect_identical(unknown_labels(list(task = "entities", levels = "a"), list(outcome = truth, row = c(3, 7))),
    list(what = "label", labels = "new", rows = 3))
  out <- evaluation_truth(list(task = "entities", levels = "a"), list(outcome = truth, a = c("Ada met Mary", "Ada B")))
  expect_identical(out, list(row = c(0L, 0L, 1L), start = c(0L, 8L, 0L), end = c(3L, 12L, 5L), code = c(0L, 1L, 0L),
    levels = list("a", "new"), words = FALSE))

  triple <- function(relation) {
    tibble::tibble(head_start = 1L, head_end = 3L, relation = relation, tail_start = 5L, tail_end = 7L)
  }
  truth <- list(triple("met"), triple(c("met", "saw")))
  expect_identical(unknown_labels(list(task = "relations", levels = "met"), list(outcome = truth, row = c(3, 7))),
    list(what = "relation", labels = "saw", rows = 7))
  out <- evaluation_truth(list(task = "relations", levels = "met"), list(outcome = truth))
  expect_identical(out[c("text", "relation", "levels")], list(text = c(0L, 1L, 1L), relation = c(0L, 0L, 1L),
    levels = list("met", "saw")))
})

tagged <- function() {
  bert_entities(
    list(c("They", "do", "n't", "come", "."), c("I", "know", "them", "."), c("Dogs", "come", ".")),
    list(c("PRON", "AUX", "PART", "VERB", "PUNCT"), c("PRON", "VERB", "PRON", "PUNCT"), c("NOUN", "VERB", "PUNCT"))
  )
}

test_that("it is known where every word is labeled", {
  data <- tagged()
  expect_true(are_words(flat_entities(data$entities), data$text))
  expect_false(are_words(flat_entities(data$entities[c(1, 2)]), c(data$text[[1]], "I know them all .")))
  expect_false(are_words(flat_entities(list(spans(1, 12, "PER"))), "Ada Lovelace"))
  expect_false(are_words(flat_entities(list(spans())), "Ada"))
  expect_false(are_words(flat_entities(list(spans(1, 3, "PER"), spans())), c("Ada", "Bob")))
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
