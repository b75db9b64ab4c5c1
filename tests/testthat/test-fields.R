# What every verb says to an object of its class that lacks something
verbs <- list(
  bert_config, bert_vocab, function(x) bert_tokenize(x, "a"), function(x) bert_detokenize(x, 1L),
  function(x) bert_count_tokens(x, "a"), function(x) bert_embed(x, "a"), function(x) bert_similarity(x, "a", "b"),
  function(x) bert_attention(x, "a"), function(x) bert_fill_mask(x, "a [MASK]"),
  function(x) bert_fit(x, label ~ text, faq(), verbose = FALSE),
  function(x) bert_save(x, file.path(tempdir(), "never")), print, summary
)
fit_verbs <- list(
  function(x) bert_predict(x, "a"), function(x) predict(x, "a"), function(x) augment(x, faq()),
  function(x) bert_evaluate(x, faq()), plot, glance, tidy
)

expect_told <- function(verbs, x) {
  for (verb in verbs) {
    error <- tryCatch(verb(x), error = identity)
    expect_s3_class(error, "bertr_error_argument")
  }
}

test_that("hollow objects are reported by every function", {
  for (hollow in list(list(), list(info = NULL), list(info = list(), spec = "x", handle = new.env()))) {
    expect_told(verbs, structure(hollow, class = "bert_model"))
    expect_told(c(verbs, fit_verbs), structure(hollow, class = "bert_fit"))
    expect_told(list(print, as_tibble, function(x) bert_detokenize(the_model(), x)),
      structure(hollow, class = "bert_tokens"))
    fit <- function(...) bert_fit(the_model(), label ~ text, faq(), ..., verbose = FALSE)
    expect_told(list(print, function(x) fit(control = x)), structure(hollow, class = "bert_control"))
    expect_told(list(print, function(x) fit(head = x)), structure(hollow, class = "bert_head"))
  }
  expect_error(bert_predict(structure(list(), class = "bert_fit"), "a"), "spec.*must be a list, not NULL")
})

# Every field of an object, at any depth, with every one of these values that is of another kind
mutants <- function(x, use, path = NULL) {
  at <- if (is.null(path)) x else x[[path]]
  for (name in Filter(function(name) !is.environment(at[[name]]), names(at))) {
    here <- c(path, name)
    value <- x[[here]]
    for (wrong in Filter(function(wrong) is_other(wrong, value), list(NA, "x", -1, list(), list(1), quote(a), mean))) {
      changed <- x
      changed[[here]] <- wrong
      use(changed, here)
    }
    changed <- x
    changed[[here]] <- NULL
    if (!identical(here, "weights")) use(changed, here) # a fit may be without them
    if (is.list(value) && !is.data.frame(value)) mutants(x, use, here)
  }
}

is_other <- function(wrong, value) {
  if (is.numeric(wrong)) {
    return(!is.numeric(value) && !is.null(value))
  }
  identical(wrong, NA) || !identical(class(wrong), class(value))
}

test_that("an object in which one field is wrong is reported, or does what it did", {
  fit <- the_fit()
  shown <- function(x) utils::capture.output(print(x), print(summary(x)), print(glance(x)))
  expected <- list(shown(fit), bert_predict(fit, "My card?"))
  told <- 0
  mutants(unclass(fit), function(changed, path) {
    changed <- structure(changed, class = "bert_fit")
    done <- tryCatch(list(shown(changed), bert_predict(changed, "My card?")), error = identity)
    if (inherits(done, "error")) {
      told <<- told + 1
      expect_s3_class(done, "bertr_error_argument")
    } else if (!identical(done, expected)) {
      fail(paste("differs with another", paste(path, collapse = "$")))
    }
  })
  expect_gt(told, 100)
})

test_that("levels twice, or others than the head's, are reported", {
  fit <- the_fit()
  fit$spec$levels[[2]] <- fit$spec$levels[[1]]
  expect_error(bert_predict(fit, "a"), "spec\\$levels.*unique strings", class = "bertr_error_argument")
  fit$spec$levels <- c("a", "b", "c")
  expect_error(bert_predict(fit, "a"), "the levels of the fit's head", class = "bertr_error_argument")
})

test_that("R's part of a fit's folder is checked", {
  folder <- file.path(withr::local_tempdir(), "fit")
  bert_save(the_fit(), folder)
  path <- file.path(folder, "bertr.json")
  json <- reticulate::import("json")
  meta <- json$loads(paste(readLines(path, encoding = "UTF-8", warn = FALSE), collapse = "\n"))
  for (spec in c("", "[", "1", "[]", "{}", '{"task": "x"}', '{"task": ["classification"], "text": [], "lhs": "a"}',
    '{"task": "classification", "text": ["text"], "lhs": "label", "outcome": "label", "type": "character",
      "levels": ["a", "a", "b"]}')) {
    meta$spec <- spec
    writeLines(json$dumps(meta), path, useBytes = TRUE)
    expect_error(bert_load(folder), "damaged", class = "bertr_error_damaged")
  }
})

test_that("a fit whose bytes are not a fit is reported", {
  kept <- unserialize(serialize(the_fit(), NULL))
  for (weights in list(raw(), list(), list(raw(5)), list(as.raw(1:200)), list(kept$weights[[1]][1:500]), raw(100))) {
    fit <- kept
    fit$weights <- weights
    fit$handle <- list2env(list(py = NULL, version = fit$handle$version), parent = emptyenv())
    expect_error(bert_predict(fit, "a"), "could not be read|damaged", class = "bertr_error_damaged")
  }
})
