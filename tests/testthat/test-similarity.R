texts <- c("Where is my card?", NA, "Has my card been sent?", "I want to top up.", "Where is my card?")
answers <- c(a = "Cards arrive within a week.", b = NA, c = "Top up by bank transfer.")

plain <- function(x, y) {
  unit <- function(x) x / sqrt(rowSums(x^2))
  unit(x) %*% t(unit(y))
}

# The indices and values a sort of every row finds
plain_top <- function(scores, top, itself = FALSE) {
  if (itself) diag(scores) <- NA
  match <- apply(scores, 1, function(row) order(-row, na.last = NA)[seq_len(top)])
  list(match = as.vector(match), similarity = scores[cbind(rep(seq_len(nrow(scores)), each = top), as.vector(match))])
}

test_that("all pairs are a matrix, NA where a text is NA", {
  x <- bert_similarity(the_model(), texts, answers)
  expect_identical(dimnames(x), list(NULL, names(answers)))
  expect_true(all(is.na(x[2, ])) && all(is.na(x[, 2])))
  vectors <- lapply(list(texts, answers), function(t) bert_embed(the_model(), t))
  expect_equal(unname(x), plain(vectors[[1]], vectors[[2]]), tolerance = 1e-5)
  own <- bert_similarity(the_model(), texts)
  expect_equal(own, plain(vectors[[1]], vectors[[1]]), tolerance = 1e-5)
  expect_true(isSymmetric(own))
  expect_null(dimnames(own))
  expect_equal(own[1, 5], 1, tolerance = 1e-6)
  expect_identical(bert_similarity(the_model(), NA_character_, answers), matrix(NA_real_, 1, 3,
    dimnames = list(NULL, names(answers))))
})

test_that("the most similar ones are a tibble", {
  x <- bert_similarity(the_model(), texts, answers, top = 2)
  expect_identical(names(x), c("row", "rank", "match", "text", "similarity"))
  expect_identical(x$row, rep(1:5, each = 2L))
  expect_identical(x$rank, rep(1:2, 5))
  expect_identical(x$match, c(1L, 3L, NA, NA, 1L, 3L, 3L, 1L, 1L, 3L))
  expect_identical(x$text, unname(answers[x$match]))
  whole <- bert_similarity(the_model(), texts, answers)
  expect_equal(x$similarity, whole[cbind(x$row, x$match)], tolerance = 1e-6)
  expect_equal(bert_similarity(the_model(), texts, answers, top = 9), x)
  best <- bert_similarity(the_model(), texts, answers, top = 1)
  expect_equal(best, x[x$rank == 1, ])
  none <- bert_similarity(the_model(), texts[1:2], NA_character_, top = 3)
  expect_identical(none$match, c(NA_integer_, NA))
})

test_that("a text is not its own match, but its double is", {
  x <- bert_similarity(the_model(), texts, top = 2)
  expect_identical(x$match[x$row == 1], c(5L, 3L))
  expect_identical(x$match[x$row == 5], c(1L, 3L))
  expect_identical(x$match[x$row == 2], c(NA_integer_, NA))
  expect_equal(x$similarity[[1]], 1, tolerance = 1e-6)
  same <- bert_similarity(the_model(), rep("Where is my card?", 5), top = 3)
  expect_identical(same$match, c(2L, 3L, 4L, 1L, 3L, 4L, 1L, 2L, 4L, 1L, 2L, 3L, 1L, 2L, 3L))
  alone <- bert_similarity(the_model(), "Where is my card?", top = 3)
  expect_identical(alone$match, NA_integer_)
})

test_that("vectors may be given for texts, on either side", {
  x <- bert_embed(the_model(), texts)
  y <- bert_embed(the_model(), answers)
  rownames(y) <- answers
  expected <- bert_similarity(the_model(), texts, unname(answers))
  expect_equal(unname(bert_similarity(NULL, x, y)), expected, tolerance = 1e-5)
  expect_equal(unname(bert_similarity(the_model(), texts, y)), expected, tolerance = 1e-5)
  expect_identical(colnames(bert_similarity(the_model(), texts, y)), unname(answers))
  top <- bert_similarity(the_model(), texts, unname(answers), top = 2)
  expect_equal(bert_similarity(NULL, x, y, top = 2), top, tolerance = 1e-5)
  expect_equal(bert_similarity(the_model(), x, unname(answers), top = 2), top, tolerance = 1e-5)
  expect_identical(bert_similarity(NULL, x, unname(y), top = 2)$text, rep(NA_character_, 10))
  two <- bert_embed(the_model(), texts, layer = 5:6, combine = "concatenate")
  expect_equal(bert_similarity(the_model(), two, texts, layer = 5:6, combine = "concatenate")[1, ],
    bert_similarity(NULL, two)[1, ], tolerance = 1e-5)
})

test_that("many vectors are compared as a plain computation does", {
  x <- withr::with_seed(1, matrix(rnorm(700), 70))
  y <- withr::with_seed(2, matrix(rnorm(900), 90))
  y[7, 3] <- NA
  y[11, 3] <- Inf
  expected <- plain(x, y)
  expected[, 11] <- NA
  expect_equal(bert_similarity(NULL, x, y), expected, tolerance = 1e-6)
  found <- bert_similarity(NULL, x, y, top = 10)
  expect_equal(as.list(found[c("match", "similarity")]), plain_top(expected, 10), tolerance = 1e-6)
  found <- bert_similarity(NULL, x, top = 69)
  expect_equal(as.list(found[c("match", "similarity")]), plain_top(plain(x, x), 69, TRUE), tolerance = 1e-6)
  doubled <- bert_similarity(NULL, x, x[rep(1:70, 3), ], top = 3)
  expect_identical(doubled$match, as.vector(rbind(1:70, 71:140, 141:210)))
  expect_identical(bert_similarity(NULL, matrix(1:4, 1), matrix(2L * 1:4, 1), top = 1)$similarity, 1)
})

test_that("a fit compares by its own encoder, and chunks change nothing", {
  fit <- quick_fit(label ~ text, faq(), train = "top:1", epochs = 1)
  expect_equal(bert_similarity(fit, texts), plain(bert_embed(fit, texts), bert_embed(fit, texts)), tolerance = 1e-5)
  whole <- bert_similarity(the_model(), texts, answers, top = 2)
  local_chunk_size(2)
  expect_equal(bert_similarity(the_model(), texts, answers, top = 2), whole, tolerance = 1e-5)
  expect_message(bert_similarity(the_model(), texts, max_len = 5), "4 tokens|3 of 3 texts are longer than 5 tokens")
})

test_that("what cannot be compared gives a one-sentence error", {
  error <- function(..., class = "argument") {
    expect_error(bert_similarity(...), class = paste0("bertr_error_", class))
  }
  expect_match(conditionMessage(error(the_model(), character(), class = "no_texts")), "`x` is empty")
  expect_match(conditionMessage(error(the_model(), texts, character(), class = "no_texts")), "`y` is empty")
  error(NULL, matrix(numeric(), 0, 3), class = "no_texts")
  width <- error(NULL, diag(3), diag(2), class = "width")
  expect_match(conditionMessage(width), "`x` have length 3, but those of `y` have length 2")
  expect_match(conditionMessage(error(the_model(), texts, diag(2), class = "width")), "length 384")
  expect_match(conditionMessage(error(the_model(), texts, top = 0)), "from 1 to")
  error(the_model(), texts, top = 1.5)
  error(the_model(), texts, pool = "none")
  error(the_model(), texts, layer = 7)
  error(NULL, texts)
  error("a", diag(2))
  error(the_model(), 1:3, class = "text")
  large <- error(NULL, matrix(0, 1e4, 1), class = "too_large")
  expect_match(conditionMessage(large), "10000 by 10000 similarities would take 0.8 GB.*top = 10")
})
