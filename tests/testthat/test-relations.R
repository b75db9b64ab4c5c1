triples <- function(text, ..., relation = "r") {
  spans <- list(...) # head and tail, in turn
  at <- lapply(spans, function(span) regexpr(span, text, fixed = TRUE)[[1]])
  h <- seq(1, length(spans), by = 2)
  tibble::tibble(head = unlist(spans[h]), head_start = unlist(at[h]), head_end = unlist(at[h]) + nchar(head) - 1L,
    relation = relation, tail = unlist(spans[h + 1]), tail_start = unlist(at[h + 1]),
    tail_end = unlist(at[h + 1]) + nchar(tail) - 1L)
}

zoo <- function() {
  data <- expand.grid(x = c("cat", "dog", "old fish"), y = c("bird", "red fox", "Ziegenb\u00f6ckchen"),
    v = c("eats", "likes", "is near"), stringsAsFactors = FALSE)
  data$text <- paste0("\U0001F600 The ", data$x, " ", data$v, " the ", data$y, ".")
  data$relations <- lapply(seq_len(nrow(data)), function(i) {
    d <- data[i, ]
    if (d$v == "is near") NULL else triples(d$text, d$x, d$y, relation = d$v)
  })
  none <- vapply(data$relations, is.null, NA)
  data$relations[none] <- list(triples("a b", "a", "b")[0, ])
  tibble::as_tibble(data)
}

zoo_fit <- function() {
  if (is.null(once$zoo)) {
    once$zoo <- quick_fit(relations ~ text, zoo(), validation = zoo()[1:9, ], train = "all", epochs = 15,
      learning_rate = 5e-4, batch_size = 4)
  }
  once$zoo
}

outcome <- function(relations, text = "Ada met Bob.", ...) {
  data <- tibble::tibble(text = text, relations = relations)
  triple_outcome(list(text = "text", outcome = "relations"), data, "data", NULL)
}

one <- function(...) {
  out <- triples("Ada met Bob.", "Ada", "Bob", relation = "met")
  changes <- list(...)
  out[names(changes)] <- changes
  list(out)
}

test_that("a list-column of triples means relations", {
  data <- zoo()
  spec <- read_formula(relations ~ text, data)
  expect_identical(spec[c("task", "outcome")], list(task = "relations", outcome = "relations"))
  data$other <- lapply(data$text, function(x) data.frame(start = 1, end = 2, label = "x"))
  expect_false(holds_triples(data$other))
  expect_error(triple_outcome(list(text = c("text", "x"), outcome = "relations"), data, "data", NULL),
    "one text column", class = "bertr_error_pairs")
})

test_that("triples become one tibble per row, none and missing ones distinguished", {
  out <- outcome(list(triples("Ada met Bob.", "Ada", "Bob", "Bob", "Ada"), NULL, NA, data.frame(), one()[[1]]))
  expect_identical(lengths(out) > 0, c(TRUE, FALSE, FALSE, TRUE, TRUE))
  expect_identical(is_missing(out), c(FALSE, TRUE, TRUE, FALSE, FALSE))
  expect_identical(out[[1]]$tail_start, c(9L, 1L))
  expect_identical(nrow(out[[4]]), 0L)
  expect_identical(out[[5]]$relation, "met")
  bare <- outcome(list(one()[[1]][triple_columns]))
  expect_identical(bare[[1]], out[[5]])
  expect_identical(outcome(one(relation = factor("met"), head_start = 1)), outcome(one()))
})

test_that("heads and tails without positions are found in the text", {
  whole <- one()[[1]]
  expect_identical(outcome(list(whole[c("head", "relation", "tail")])), outcome(one()))
  # one side alone, and other columns
  expect_identical(outcome(list(whole[setdiff(names(whole), c("tail_start", "tail_end"))])), outcome(one()))
  words <- function(head, tail) list(data.frame(head = head, relation = "r", tail = tail))
  starts <- function(head, tail, text) unlist(outcome(words(head, tail), text)[[1]][c("head_start", "tail_start")])
  # whole words come first, but a part of a word is found too
  expect_identical(unname(starts("he", "Theo", "The lathe Theo said he had.")), c(21L, 11L))
  expect_identical(unname(starts("had", "o s", "The lathe Theo said he had.")), c(24L, 14L))
  expect_warning(part <- starts("th", "!", "The lathe!!"), "\"!\" in row 1")
  expect_identical(unname(part), c(7L, 10L))
  expect_identical(unname(starts("\u5317\u4eac", "\U0001F600", "\u6211\u5728\u5317\u4eac\u3002\U0001F600")), c(3L, 6L))
  expect_warning(
    several <- outcome(c(words("Ada", "Bob"), words("a", "Ada")), c("Ada met Bob.", "a Ada, a Ada")),
    "has 2 heads or tails .* such as \"a\" in row 2", class = "bertr_warning_ambiguous")
  expect_identical(several[[2]][c("head_start", "tail_end")], tibble::tibble(head_start = 1L, tail_end = 5L))
})

test_that("what cannot be a triple is reported with its rows", {
  fails <- function(relations, message, code = "span", ...) {
    expect_error(outcome(relations, ...), message, class = paste0("bertr_error_", code))
  }
  fails(c(one(), list("x", 1:3)), "does not contain a data frame in rows 2, 3", "shape")
  fails(c(one(), list(data.frame(relation = "a", head_start = 1))), "are missing .*head_end.* in row 2", "shape")
  fails(one(head_start = "1"), "not numbers in row 1", "shape")
  fails(c(one(), one(relation = NA_character_)), "relation that is NA in row 2", "relation")
  fails(one(head_end = NA_real_), "head positions that are not whole numbers in row 1")
  fails(one(tail_start = 9.5), "tail positions that are not whole numbers in row 1")
  fails(c(one(), one(tail_end = 13)), "tail that is outside its text in row 2")
  fails(one(head_start = 0), "outside its text in row 1")
  fails(one(tail_end = 2), "outside its text in row 1")
  fails(c(one(), one(head_start = 2, head = "{Ada}")), "head that does not match the text at its positions in row 2")
  expect_error(outcome(one(head_end = 2, head = "{Ada}")), "is \"\\{Ada\\}\", but the text there is \"Ad\"")
  expect_silent(outcome(one(head = NA_character_)))
  expect_silent(outcome(one(head_start = 99), text = NA_character_))
})

test_that("relations are learned by name", {
  spec <- list(text = "text", outcome = "relations")
  settled <- settle_triples(spec, outcome(c(one(), one(relation = "Met"))), speaker(FALSE), NULL)
  expect_identical(settled$spec$levels, c("Met", "met"))
  expect_error(settle_triples(spec, outcome(list(data.frame())), speaker(FALSE), NULL), "No row has a relation",
    class = "bertr_error_no_relations")
  expect_identical(triple_strata(outcome(c(one(), list(data.frame()), one(), one(relation = "a")))), c(1L, 2L, 1L, 3L))
})

test_that("positions cross from 0, ends exclusive", {
  spec <- list(levels = c("a", "met"))
  target <- triple_target(spec, outcome(c(list(data.frame()), one())))
  expect_identical(target, list(text = list(1L), relation = list(1L), head_start = list(0L), head_end = list(3L),
    tail_start = list(8L), tail_end = list(11L), levels = list("a", "met")))
})

test_that("a fit finds triples in characters, and its predictions can be learned from", {
  data <- zoo()
  fit <- zoo_fit()
  expect_output(print(fit), "relations (2 kinds): relations ~ text", fixed = TRUE)
  expect_gt(fit$history$val_f_meas[[15]], 0.9)
  out <- bert_predict(fit, c(data$text, NA))
  expect_identical(nrow(out), nrow(data) + 1L)
  expect_null(out$.pred_relations[[nrow(out)]])
  names <- c("head", "head_start", "head_end", "relation", "tail", "tail_start", "tail_end", "score")
  for (i in seq_len(nrow(data))) {
    found <- out$.pred_relations[[i]]
    expect_identical(names(found), names)
    text <- rep(data$text[[i]], nrow(found))
    expect_identical(substring(text, found$head_start, found$head_end), found$head)
    expect_identical(substring(text, found$tail_start, found$tail_end), found$tail)
  }
  result <- bert_evaluate(fit, data[1:9, ])
  expect_equal(result$.estimate[[1]], fit$history$val_f_meas[[15]])
  data$relations <- out$.pred_relations[seq_len(nrow(data))]
  fed <- bert_evaluate(fit, data)
  expect_identical(fed$.estimate[1:3], c(1, 1, 1))
  again <- quick_fit(relations ~ text, data, train = "all", epochs = 1)
  expect_identical(again$spec$levels, fit$spec$levels)
})

test_that("a fit is kept in a folder and in an object, chunks change nothing", {
  data <- zoo()
  fit <- zoo_fit()
  out <- bert_predict(fit, data)
  folder <- withr::local_tempfile()
  bert_save(fit, folder)
  expect_equal(bert_predict(bert_load(folder), data), out, tolerance = 1e-6)
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  kept <- readRDS(file)
  kept$handle <- new_handle(NULL)
  expect_equal(bert_predict(kept, data), out, tolerance = 1e-6)
  local_chunk_size(7)
  expect_equal(bert_predict(fit, data), out, tolerance = 1e-5)
  data$relations <- out$.pred_relations
  expect_identical(bert_evaluate(fit, data)$.estimate[[1]], 1)
})

test_that("the other model, and what does not fit the tokens, is reported", {
  data <- zoo()
  data$relations[[1]] <- triples(data$text[[1]], "at", "bird", relation = "eats")
  fit <- function(verbose) {
    bert_fit(the_model(), relations ~ text, data, head = bert_head(relations = "subject_first"), epochs = 1, seed = 1,
      verbose = verbose)
  }
  expect_message(fitted <- fit(TRUE), "learned as whole tokens: 1")
  expect_identical(names(bert_predict(fitted, data)), ".pred_relations")
  long <- paste("Ada", strrep("word ", 400), "Bob")
  data <- tibble::tibble(text = c(long, "Ada met Bob"), relations = list(triples(long, "Ada", "Bob"),
    triples("Ada met Bob", "Ada", "Bob")))
  expect_message(bert_fit(the_model(), relations ~ text, data, epochs = 1, seed = 1),
    "cannot be learned.*1 of 2")
})
