about <- "This example is about {}."

test_that("the columns are those of bert_predict(), one row a text", {
  labels <- c("a transfer", "the post")
  out <- bert_zero_shot(the_inference(), c(a = "Where is my card?", b = NA, c = "Stop my payment"), labels,
    template = about, verbose = FALSE)
  expect_identical(names(out), c(".pred_class", ".pred_a transfer", ".pred_the post"))
  expect_identical(levels(out$.pred_class), labels)
  expect_identical(is.na(out$.pred_class), c(FALSE, TRUE, FALSE))
  expect_equal(rowSums(out[-1]), c(1, NA, 1))
  expect_identical(labels[max.col(as.matrix(out[c(1, 3), -1]))], as.character(out$.pred_class[c(1, 3)]))
  data <- data.frame(id = 1:2, words = c("Where is my card?", "Stop my payment"))
  expect_equal(bert_zero_shot(the_inference(), data, labels, words, about, verbose = FALSE), out[c(1, 3), ])
})

test_that("with several right labels each has the probability of its pair", {
  texts <- c("Where is my card?", "Stop my payment")
  out <- bert_zero_shot(the_inference(), texts, "the post", template = about, several = TRUE, verbose = FALSE)
  pairs <- data.frame(text = texts, claim = "This example is about the post.")
  alone <- bert_predict(the_inference(), pairs, verbose = FALSE)$.pred_entailment
  expect_equal(out$`.pred_the post`, alone, tolerance = 1e-5)
  expect_named(out, ".pred_the post")
})

test_that("chunks give the same", {
  texts <- c("Where is my card?", NA, "Stop my payment", "Hello")
  whole <- bert_zero_shot(the_inference(), texts, c("a", "b"), verbose = FALSE)
  local_chunk_size(2)
  expect_equal(bert_zero_shot(the_inference(), texts, c("a", "b"), verbose = FALSE), whole, tolerance = 1e-5)
  expect_identical(nrow(bert_zero_shot(the_inference(), character(), c("a", "b"), verbose = FALSE)), 0L)
})

test_that("the levels of models of the hub are found by their names", {
  of_levels <- function(...) inference_levels(list(spec = list(task = "classification", levels = c(...))), NULL)
  expect_identical(of_levels("CONTRADICTION", "NEUTRAL", "ENTAILMENT"), list(entails = 2L, against = 0L))
  expect_identical(of_levels("entailment", "neutral", "contradiction"), list(entails = 0L, against = 2L))
  expect_identical(of_levels("entailment", "not_entailment"), list(entails = 0L, against = 1L))
  expect_identical(of_levels("a", "b", "entailment"), list(entails = 2L, against = 0:1))
})
