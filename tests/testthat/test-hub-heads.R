# A folder as of the Hugging Face hub: tiny_folder() with a random head of this kind, and these fields in config.json
task_folder <- function(kind, outputs, ..., env = parent.frame()) {
  folder <- tiny_folder(env = env)
  make <- reticulate::py_run_string("
def make(folder, kind, outputs, fields):
    import json, os
    import numpy as np
    from safetensors.numpy import load_file, save_file
    weights, config = (os.path.join(folder, name) for name in ('model.safetensors', 'config.json'))
    rng = np.random.default_rng(2)
    layers = {'classifier': outputs, 'bert.pooler.dense': 8} if kind != 'QuestionAnswering' else {'qa_outputs': 2}
    head = {}
    for name, n in layers.items():
        head[name + '.weight'] = rng.normal(size=(n, 8)).astype(np.float32)
        head[name + '.bias'] = rng.normal(size=n).astype(np.float32)
    save_file({**load_file(weights), **head}, weights)
    with open(config) as f:
        d = json.load(f)
    with open(config, 'w') as f:
        json.dump({**d, 'architectures': ['BertFor' + kind], **dict(fields)}, f)
    return {name: value.tolist() for name, value in head.items()}
", local = TRUE, convert = TRUE)$make
  head <- make(folder, kind, as.integer(outputs), list(...))
  once$hub_head <- lapply(head, function(x) if (is.list(x)) do.call(rbind, x) else x)
  folder
}

labels_of <- function(...) {
  labels <- list(...)
  stats::setNames(labels, seq_along(labels) - 1L)
}

some_texts <- c("My card has not arrived.", "How old must I be?", "Where is it?")

test_that("a classification predicts at once, with the probabilities of its head", {
  folder <- task_folder("SequenceClassification", 3, id2label = labels_of("bad", "good", "so so"))
  fit <- bert_load(folder)
  found <- bert_predict(fit, c(some_texts, NA))
  head <- once$hub_head
  first <- bert_embed(bert_load(folder, head = FALSE), some_texts, pool = "cls")
  pooled <- tanh(first %*% t(head$bert.pooler.dense.weight) + rep(head$bert.pooler.dense.bias, each = 3))
  z <- exp(pooled %*% t(head$classifier.weight) + rep(head$classifier.bias, each = 3))
  expect_named(found, c(".pred_class", ".pred_bad", ".pred_good", ".pred_so so"))
  expect_equal(as.matrix(found[1:3, -1]), z / rowSums(z), tolerance = 1e-5, ignore_attr = TRUE)
  expect_identical(is.na(found$.pred_class), c(FALSE, FALSE, FALSE, TRUE))
  expect_identical(levels(found$.pred_class), c("bad", "good", "so so"))
  pairs <- bert_load(folder, formula = mood ~ first + second)
  two <- bert_predict(pairs, data.frame(first = "Where is it?", second = "At home."))
  expect_false(isTRUE(all.equal(two[1, -1], found[3, -1])))
  expect_identical(formula(pairs), mood ~ first + second, ignore_formula_env = TRUE)
})

test_that("a fit from the hub is evaluated, explained, calibrated, kept and trained further", {
  folder <- task_folder("SequenceClassification", 3)
  data <- subset(faq(), nchar(text) < 70)
  data$label <- factor(data$label, rev(sort(unique(data$label))))
  labels <- sort(unique(as.character(data$label)))
  fit <- bert_load(folder, labels = labels, max_len = 31)
  predicted <- bert_predict(fit, data)
  metrics <- bert_evaluate(fit, data)
  expect_equal(metrics$.estimate[metrics$.metric == "accuracy"],
    mean(as.character(predicted$.pred_class) == as.character(data$label)))
  expect_s3_class(bert_explain(fit, "My card is lost"), "bert_explanation")
  expect_identical(nrow(tidy(fit)), 0L)
  expect_identical(glance(fit)$rows, NA)

  saved <- withr::local_tempdir()
  bert_save(fit, saved)
  calibrated <- bert_calibrate(fit, data, verbose = FALSE)
  again <- function(object) unserialize(serialize(object, NULL))
  for (other in list(bert_load(saved), again(fit), again(bert_load(saved)))) {
    expect_equal(bert_predict(other, data), predicted, tolerance = 1e-6)
  }
  expect_identical(bert_predict(again(calibrated), data)$.pred_class, predicted$.pred_class)

  further <- bert_fit(fit, label ~ text, data, epochs = 1, learning_rate = 1e-12, seed = 1, verbose = FALSE)
  expect_equal(bert_predict(further, data)[names(predicted)[-1]], predicted[-1], tolerance = 1e-4)
  expect_match(further$info$notes, "Training started from the head of the given fit")
  new <- bert_fit(fit, label ~ text, data, head = bert_head(), train = "head", epochs = 1, verbose = FALSE)
  expect_length(new$info$notes, 0)
  other <- bert_fit(folder, task ~ text, transform(data, task = paste("is", label)), train = "head", epochs = 1,
    verbose = FALSE)
  expect_length(other$info$notes, 0)
})

test_that("labels, numbers, entities and answers are predicted like those of a fit", {
  toxic <- task_folder("SequenceClassification", 2, problem_type = "multi_label_classification",
    id2label = labels_of("toxic", "insult"))
  found <- bert_predict(bert_load(toxic), some_texts, type = "prob")
  expect_named(found, c(".pred_toxic", ".pred_insult"))
  expect_type(bert_predict(bert_load(toxic), some_texts)$.pred_labels, "list")
  columns <- bert_load(toxic, formula = cbind(insult, toxic) ~ text)
  expect_equal(bert_predict(columns, some_texts, type = "prob"), found)
  data <- data.frame(text = some_texts, insult = c(TRUE, FALSE, TRUE), toxic = c(1, 1, 0))
  sets <- tibble::tibble(text = some_texts, labels = list(c("insult", "toxic"), "toxic", "insult"))
  expect_identical(bert_evaluate(columns, data), bert_evaluate(bert_load(toxic), sets))

  stars <- task_folder("SequenceClassification", 1, problem_type = "regression")
  expect_named(bert_predict(bert_load(stars), some_texts), ".pred")
  expect_named(bert_evaluate(bert_load(stars, formula = stars ~ text), data.frame(text = some_texts, stars = 1:3)),
    c(".metric", ".estimator", ".estimate"))
  shares <- bert_predict(bert_load(task_folder("SequenceClassification", 1)), some_texts)$.pred
  expect_equal(shares, plogis(bert_predict(bert_load(stars), some_texts)$.pred))
  two <- bert_load(task_folder("SequenceClassification", 2, problem_type = "regression"), labels = c("a", "b"))
  expect_named(bert_predict(two, some_texts), c(".pred_a", ".pred_b"))

  tags <- labels_of("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
  entities <- bert_load(task_folder("TokenClassification", 5, id2label = tags))
  found <- bert_predict(entities, some_texts)
  each <- do.call(rbind, Map(cbind, source = some_texts, found$.pred_entities))
  expect_identical(substr(each$source, each$start, each$end), each$text)
  expect_true(all(each$label %in% c("PER", "LOC")))
  truth <- tibble::tibble(text = some_texts, entities = found$.pred_entities)
  expect_identical(unique(bert_evaluate(entities, truth)$.estimate[1:3]), 1)

  folder <- task_folder("QuestionAnswering", 2)
  asked <- data.frame(question = "Where?", context = c("It is at home, in my room.", "I do not know."))
  answers <- bert_predict(bert_load(folder), asked)
  expect_identical(substr(asked$context, answers$.pred_start, answers$.pred_end), answers$.pred_text)
  none <- bert_load(folder, no_answer = TRUE)
  revived <- unserialize(serialize(none, NULL))
  expect_identical(bert_predict(revived, asked), bert_predict(none, asked))
  expect_lt(bert_predict(none, asked)$.pred_score[[1]], answers$.pred_score[[1]])
})

test_that("a fit from the hub is printed", {
  folder <- task_folder("TokenClassification", 3, id2label = labels_of("O", "B-PER", "I-PER"))
  answers <- task_folder("QuestionAnswering", 2)
  expect_said({
    fit <- bert_load(folder)
    fit$base$name <- "tiny"
    fit
    fit$base$folder <- "folder"
    summary(fit)
    fit <- bert_load(answers)
    fit$base$name <- "tiny"
    fit
    plot(fit)
  })
})

test_that("what does not fit the head is refused", {
  folder <- task_folder("SequenceClassification", 2)
  stars <- task_folder("SequenceClassification", 2, problem_type = "regression")
  tags <- task_folder("TokenClassification", 2, id2label = labels_of("O", "PER"))
  damaged <- task_folder("SequenceClassification", 2, id2label = list("0" = "a"))
  lost <- bert_load(folder)
  gone <- unserialize(serialize(lost, NULL))
  plain <- tiny_folder()
  saved <- withr::local_tempdir()
  bert_save(lost, saved)
  refused <- function(...) {
    error <- expect_error(bert_load(...), class = "bertr_error")
    lines <- strsplit(cli::ansi_strip(conditionMessage(error)), "\n")[[1]]
    gsub("'/[^']*/([^'/]*)'", "'\\1'", gsub("file[0-9a-f]+", "folder", lines))
  }
  expect_snapshot({
    writeLines(refused(folder, layers = 1))
    writeLines(refused(folder, labels = c("a", "b", "c")))
    writeLines(refused(folder, labels = 1:2))
    writeLines(refused(folder, labels = c("a", "a")))
    writeLines(refused(folder, labels = c("a", latin1)))
    writeLines(refused(folder, head = NA))
    writeLines(refused(folder, no_answer = TRUE))
    writeLines(refused(folder, no_answer = "yes"))
    writeLines(refused(folder, formula = ~text))
    writeLines(refused(folder, formula = cbind(a, b) ~ text))
    writeLines(refused(stars, formula = cbind(a, b) ~ text))
    writeLines(refused(stars, formula = a ~ text))
    writeLines(refused(tags, formula = entities ~ a + b))
    writeLines(refused(damaged))
    writeLines(refused(plain, labels = "a"))
    writeLines(refused(plain, formula = a ~ text))
    writeLines(refused(saved, formula = a ~ text))
  })
  unlink(folder, recursive = TRUE)
  expect_error(bert_predict(gone, "a"), class = "bertr_error_changed")
})
