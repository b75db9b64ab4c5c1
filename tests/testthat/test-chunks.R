test_that("every row is in one chunk, in order", {
  local_chunk_size(3)
  for (n in c(0, 1, 3, 4, 7)) {
    chunks <- lapply(chunk_starts(n), chunk_from, n)
    expect_identical(unlist(chunks), seq_len(n))
    expect_true(all(lengths(chunks) <= 3))
  }
  expect_identical(lapply(chunk_starts(0), chunk_from, 0), list(integer()))
})

test_that("chunks change no prediction, embedding or metric", {
  data <- faq()
  texts <- c(data$text, NA, "", rep(NA, 5))
  whole <- list(
    bert_predict(the_fit(), texts), bert_embed(the_model(), texts),
    bert_embed(the_model(), texts[1:9], pool = "none"), bert_evaluate(the_fit(), data)
  )
  local_chunk_size(4)
  expect_equal(bert_predict(the_fit(), texts), whole[[1]], tolerance = 1e-5)
  expect_equal(bert_embed(the_model(), texts), whole[[2]], tolerance = 1e-5)
  expect_equal(bert_embed(the_model(), texts[1:9], pool = "none"), whole[[3]], tolerance = 1e-5)
  expect_equal(bert_evaluate(the_fit(), data), whole[[4]], tolerance = 1e-5)
})

test_that("progress and the count of cut texts go on over chunks", {
  local_chunk_size(4)
  texts <- rep("Where is my card, and when will it come to me?", 10)
  expect_message(bert_embed(the_model(), texts, max_len = 5), "10 of 10 texts are longer than 5 tokens")
  seen <- list()
  local_reporter(function(kind, values) seen[[length(seen) + 1]] <<- c(values$done, values$total))
  bert_embed(the_model(), texts)
  seen <- do.call(rbind, seen)
  expect_true(all(diff(seen[, 1]) > 0) && all(seen[, 2] == 10))
  expect_gt(max(seen[, 1]), 4)
})

test_that("nothing of two chunks is left when the next one begins", {
  local_chunk_size(2)
  texts <- text_vector(faq()$text[1:10], NULL, "data", NULL)
  options <- list(pool = "mean", layer = NULL, combine = "mean", max_len = NULL, normalise = FALSE)
  freed <- 0
  seen <- NULL
  py_chunks("embed", the_model(), texts, options, FALSE, NULL, function(result, rows, chunk) {
    seen <<- c(seen, freed)
    reg.finalizer(environment(), function(e) freed <<- freed + 1)
  })
  expect_identical(seen[c(1, 3, 5)], c(0, 2, 4))
})

test_that("predictions are filled in where they are, and classes are a factor in the end", {
  fit <- the_fit()
  addresses <- NULL
  levels <- c("b", "a")
  local_binding("task_of", function(spec) {
    list(types = "all", predict = function(spec, result, rows, n, type) {
      list(class = factor(rep(c("a", NA), length.out = n), levels), p = rep(n * 1, n), tags = rep(list(n), n))
    })
  }, environment())
  local_binding("score", function(object, texts, verbose, call, use) {
    for (chunk in list(1:3, 4:6, 7:8)) {
      use(NULL, NULL, chunk)
      addresses <<- rbind(addresses, vapply(environment(use)$columns, rlang::obj_address, ""))
    }
  }, environment())
  out <- bert_predict(fit, letters[1:8])
  expect_identical(out, tibble::tibble(
    class = factor(c("a", NA, "a", "a", NA, "a", "a", NA), levels),
    p = c(3, 3, 3, 3, 3, 3, 2, 2), tags = as.list(c(3L, 3L, 3L, 3L, 3L, 3L, 2L, 2L))
  ))
  expect_identical(unique(addresses), addresses[1, , drop = FALSE])
})
