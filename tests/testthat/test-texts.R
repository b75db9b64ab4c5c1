frame <- data.frame(question = c("Where is it?", NA, "Why?"), answer = c("Here.", "There.", "So."), n = 1:3)
cols <- c("question", "answer")

test_that("every verb takes a vector with its pairs, or the columns of a data frame", {
  verbs <- list(
    function(...) bert_tokenize(the_model(), ...)$token_ids, function(...) bert_count_tokens(the_model(), ...),
    function(...) bert_embed(the_model(), ...), function(...) as_tibble(bert_tokenize(the_model(), ...))
  )
  for (verb in verbs) {
    single <- verb(frame$question)
    pairs <- verb(frame$question, frame$answer)
    expect_false(identical(single, pairs))
    for (given in list(verb(frame, question), verb(frame, text = question), verb(frame, "question"),
      verb(frame, text = cols[[1]]), verb(frame, ~question), verb(frame, text = 1))) {
      expect_identical(given, single)
    }
    for (given in list(verb(frame$question, pair = frame$answer), verb(frame, c(question, answer)),
      verb(frame, text = cols), verb(frame, text = !!cols), verb(frame, all_of(cols)), verb(frame, ~ question + answer),
      verb(tibble::as_tibble(frame), c("question", answer)))) {
      expect_identical(given, pairs)
    }
  }
  row <- frame[1, ]
  expect_identical(bert_attention(the_model(), row, c(question, answer)),
    bert_attention(the_model(), row$question, row$answer))
  expect_identical(bert_similarity(the_model(), frame, text = question), bert_similarity(the_model(), frame$question))
  expect_identical(bert_similarity(the_model(), frame, frame$answer, question, top = 1),
    bert_similarity(the_model(), frame$question, frame$answer, top = 1))
  masked <- data.frame(text = c("My [MASK].", NA))
  expect_identical(bert_fill_mask(the_words(), masked, text), bert_fill_mask(the_words(), masked$text))
})

test_that("names that need backticks, and factors, are taken", {
  data <- data.frame(`my text` = factor("Where is it?"), size = "So.", check.names = FALSE)
  names(data)[[2]] <- "gr\u00f6\u00dfe"
  expect_identical(bert_count_tokens(the_model(), data, `my text`), 6L)
  expect_identical(bert_count_tokens(the_model(), data, c(`my text`, !!names(data)[[2]])), 9L)
})

test_that("what names no columns gives a one-sentence error", {
  count <- function(...) bert_count_tokens(the_model(), ...)
  says <- function(code, message, class = "column") {
    expect_error(code, message, class = paste0("bertr_error_", class))
  }
  says(count(frame), "`text` must say which column.*text = question.*\"question\" and \"answer\"")
  says(bert_tokenize(the_model(), frame), "which column")
  says(bert_fill_mask(the_model(), frame), "which column")
  says(bert_similarity(the_model(), frame, frame), "which column")
  says(count(frame, quesiton), "no column \"quesiton\"")
  says(count(frame, c(question, zzz)), "no column \"zzz\"")
  says(count(frame, text), "no column \"text\"") # is a function, too
  says(count(frame, c(question, answer, n)), "one or two columns of `x`")
  says(count(frame, -n), "one or two columns of `x`, not `-n`")
  says(count(frame, frame$question[c(1, 1, 1)]), "one or two columns")
  says(bert_fill_mask(the_model(), frame, cols), "one column of `x`")
  says(count(frame, n), "\"n\" of `x` must be text", "text")
  says(count(frame, pair = answer), "`x` is a data frame", "argument")
  says(count(frame, question, answer), "`x` is a data frame", "argument")
  says(count(frame$question, text = answer), "`x` is a character vector", "argument")
  says(bert_similarity(the_model(), frame$question, text = answer), "`x` is a character vector", "argument")
  says(count(frame$question, "So."), "`pair` has 1 text, but `x` has 3", "pair")
  says(count(frame$question, 1:3), "`pair` must be text", "text")
})
