# What print(), summary() and the like show. Figures that training gives are put in by hand.
shown_fit <- function(..., history = NULL) {
  fit <- the_fit()
  fit$info$seconds <- 12.34
  fit$history <- if (is.null(history)) tibble(epoch = 1:2, learning_rate = c(2e-3, 1e-3), loss = c(1.098, 0.5),
    seconds = c(6.2, 6.1)) else history
  changes <- list(...)
  fit$info[names(changes)] <- changes
  fit
}

test_that("a model is shown", {
  tiny <- bert_load(tiny_folder(config_sentence_transformers.json = '{"prompts": {"query": "query: "}}'))
  tiny$info$name <- "tiny"
  tiny$info$unused_rows <- 1
  roberta <- tiny
  roberta$info$tokens <- "byte_bpe"
  expect_said({
    the_model()
    summary(the_model())
    tiny
    summary(tiny)
    roberta
  }, error = FALSE)
})

test_that("a fit is shown", {
  validated <- tibble(epoch = 1:2, learning_rate = 1e-4, loss = c(0.5, 0.25), val_loss = c(0.61, 0.7),
    val_accuracy = c(0.8, 0.75), seconds = 1)
  validated <- shown_fit(valid_rows = 6L, best_epoch = 1L, stopped_early = TRUE, temperature = 1.2345, held_rows = 0L,
    history = validated)
  held <- shown_fit(valid_rows = 2L, held_rows = 2L, temperature = 1.5)
  calibrated <- shown_fit(temperature = 1.5, calibration_rows = 40L,
    event_threshold = list(event = 1L, measure = "f_meas", value = 0.3712))
  thresholds <- shown_fit(calibration_rows = 1L, thresholds = c(0.125, 0.5, 0.3))
  interrupted <- shown_fit(interrupted = TRUE, epochs_done = 0L, n_truncated = 3L, history = tibble())
  interrupted$weights <- NULL
  expect_said({
    shown_fit()
    summary(shown_fit())
    validated
    held
    calibrated
    thresholds
    interrupted
    summary(interrupted)
    formula(shown_fit())
  }, error = FALSE)
})

test_that("a fit says what it learns", {
  long <- paste0("cbind(", paste0("a_long_name_", 1:9, collapse = ", "), ")")
  task <- function(...) cat(task_label(list(...)), "\n", sep = "")
  expect_said({
    task(task = "classification", text = "text", lhs = "label", levels = c("a", "b"))
    task(task = "classification", text = c("question", "my answer"), lhs = "`my label`", levels = c("a", "b"))
    task(task = "multilabel", text = "text", lhs = "cbind(a, b)", levels = c("a", "b"))
    task(task = "multilabel", text = "text", lhs = "tags", levels = "a")
    task(task = "regression", text = "text", lhs = "score", outcome = "score")
    task(task = "regression", text = "text", lhs = long, outcome = letters[1:9])
    task(task = "entities", text = "text", lhs = "entities", levels = "PER")
    task(task = "span", text = c("question", "context"), lhs = "span(answer, start)")
    task(task = "relations", text = "text", lhs = "relations", levels = c("met", "saw"))
    task(task = "mlm", text = "text", lhs = "")
    task(task = "mlm", text = c("a", "b"), lhs = "")
  }, error = FALSE)
})

test_that("what looks closer at classes is shown", {
  few <- new_confusion(rbind(c(10L, 2L), c(0L, 5L), c(1L, 1L)), c("transfer", "arrival", "unseen"),
    c("transfer", "arrival"))
  long <- paste("a class with a long name", 1:4)
  long <- new_confusion(diag(1:4), long, long)
  many <- paste("class", 1:30)
  right <- new_confusion(diag(30), many, many)
  wrong <- new_confusion(diag(3, 30) + outer(1:30, 30:1, "<"), many, many)
  curves <- function(n) {
    curve <- list(level = rep(seq_len(n), each = 2), threshold = rep(c(0.5, Inf), n), specificity = rep(0:1, n),
      sensitivity = rep(1:0, n))
    area <- list(metric = rep("roc_auc", n), estimator = rep("binary", n), estimate = seq_len(n) / n,
      level = seq_len(n))
    new_curve(list(curve = curve, area = area), letters, "roc")
  }
  bins <- new_reliability(list(n = c(0L, 2L), confidence = c(NaN, 0.75), accuracy = c(NaN, 0.5), ece = 0.25), "binary")
  expect_said({
    few
    few[1:2, ]
    long
    right
    wrong
    curves(1)
    curves(7)
    glance(curves(1))
    bins
    glance(bins)
  }, error = FALSE)
})

test_that("a cross-validation is shown", {
  cv <- function(metrics, folds = c(3L, 4L, 3L)) {
    structure(list(predictions = list(), metrics = metrics, spec = the_fit()$spec, seed = 1,
      info = list(rows = sum(folds), folds = folds, train = "head")), class = "bert_cv")
  }
  folds <- rep(1:3, each = 3)
  two <- tibble(.fold = folds, .metric = rep(c("accuracy", "f_meas", "f_meas"), 3),
    .estimator = rep(c("binary", "macro", "binary"), 3), .estimate = c(0.8, 0.6, NA, 0.9, 0.5, NA, 0.7, 1, NA))
  levels <- tibble(.fold = folds, .metric = "f_meas", .estimator = rep(c("micro", "binary", "binary"), 3),
    .estimate = 1:9 / 9, .level = rep(c(NA, "PER", "LOC"), 3))
  outcomes <- tibble(.fold = rep(1:2, each = 2), .outcome = rep(c("a", "b"), 2), .metric = "rmse",
    .estimator = "standard", .estimate = 1:4)
  expect_said({
    cv(two)
    tidy(cv(two))
    cv(levels, c(2L, 2L, 2L))
    tidy(cv(levels))
    cv(outcomes, c(1L, 1L))
  }, error = FALSE)
})

test_that("settings are shown", {
  expect_said({
    bert_control()
    bert_control(dropout = 0.1, class_weights = c(no = 1, yes = 5), early_stopping = 3, checkpoint = "run",
      layer_decay = 0.9, ema = 0.999, serialize = FALSE)
    bert_control(class_weights = "balanced", threshold = 0.5)
    bert_head()
    bert_head(units = c(256, 64), dropout = 0.5, pool = "mean", crf = TRUE)
  }, error = FALSE)
})

test_that("tokens and attention are shown", {
  expect_said({
    bert_tokenize(the_model(), c("A cat.", NA, "Two cats."))
    bert_tokenize(the_model(), "A cat.", "Two cats.")
    bert_tokenize(the_model(), rep("one two three four five six seven eight nine ten eleven twelve", 6))
    bert_tokenize(the_model(), character())
    bert_attention(the_model(), "A cat.")
    bert_attention(the_model(), strrep("cat ", 60), layer = 6, head = 1:2)
  }, error = FALSE)
})

test_that("what bertr runs on is shown", {
  ready <- structure(list(ready = TRUE, bertr = "0.1.0", r = "4.2.2", reticulate = "1.28", python = "3.11.2",
    python_path = "/some/python", keras = "3.4.0", tensorflow = "2.16.1", backend = "tensorflow", numpy = "1.26.4",
    threads = 2L, onednn = TRUE, gpus = list("GPU:0", "GPU:1"), precision = "bfloat16", default_model = "/model"),
    class = "bert_info")
  not <- structure(list(ready = FALSE, bertr = "0.1.0", r = "4.2.2", reticulate = "1.28",
    problem = "bertr needs Python."), class = "bert_info")
  expect_said({
    ready
    not
  }, error = FALSE)
})
