test_that("tokens are BERT's, padded to the longest, NA where the text is NA", {
  tokens <- bert_tokenize(the_model(), c("hello world!", NA, "a"))
  expect_identical(tokens$token_ids, rbind(c(101L, 7592L, 2088L, 999L, 102L), NA, c(101L, 1037L, 102L, 0L, 0L)))
  expect_identical(tokens$mask, rbind(rep(1L, 5), NA, c(1L, 1L, 1L, 0L, 0L)))
  expect_identical(tokens$segment_ids[1, ], rep(0L, 5))
  expect_identical(tokens$n_tokens, c(5L, NA, 3L))
  expect_output(print(tokens), "3 texts, 5 tokens wide, 8 tokens")
})

test_that("pairs have two segments", {
  tokens <- bert_tokenize(the_model(), "hello", pair = "world")
  expect_identical(tokens$segment_ids, rbind(c(0L, 0L, 0L, 1L, 1L)))
  expect_error(bert_tokenize(the_model(), c("a", "b"), pair = "c"), "`pair` has 1 texts?, but `x` has 2",
    class = "bertr_error_pair")
  expect_identical(bert_count_tokens(the_model(), c("a", NA, "b"), c("c", "d", NA)), c(5L, NA, NA))
})

test_that("as_tibble() returns one row per token, whose positions cut it out of its text", {
  texts <- c("Caf\u00e9 UNBELIEVABLE \U0001F600!", NA, "\u4e2d\u6587 e\u0301te")
  table <- as_tibble(bert_tokenize(the_model(), texts))
  expect_identical(names(table), c("row", "position", "token", "token_id", "segment", "start", "end"))
  expect_identical(unique(table$row), c(1L, 3L))
  expect_true(all(is.na(table$start[table$token %in% c("[CLS]", "[SEP]")])))
  words <- table[!is.na(table$start), ]
  cut <- substr(texts[words$row], words$start, words$end)
  expect_identical(cut[words$token == "cafe"], "Caf\u00e9")
  expect_true("\u4e2d" %in% cut)
  expect_true("\U0001F600" %in% cut)
  expect_identical(bert_vocab(the_model())[table$token_id + 1], table$token)
  expect_identical(nrow(as_tibble(bert_tokenize(the_model(), NA_character_))), 0L)
})

test_that("texts longer than max_len are cut, with one message", {
  long <- strrep("word ", 50)
  expect_message(tokens <- bert_tokenize(the_model(), c(long, "short", long), max_len = 10),
    "2 of 3 texts are longer than 10 tokens and were truncated")
  expect_identical(dim(tokens$token_ids), c(3L, 10L))
  expect_identical(tokens$n_tokens, c(52L, 3L, 52L))
  expect_identical(max(as_tibble(tokens)$position), 10L)
  expect_silent(bert_tokenize(the_model(), long, max_len = 10, verbose = FALSE))
  expect_error(bert_tokenize(the_model(), "a", max_len = 513), "513, but this model has only 512",
    class = "bertr_error_max_len")
})

test_that("tokens can be put together again", {
  tokens <- bert_tokenize(the_model(), c("unbelievably good", NA, "yes"))
  expect_identical(bert_detokenize(the_model(), tokens), c("unbelievably good", NA, "yes"))
  expect_identical(bert_detokenize(the_model(), tokens$token_ids), c("unbelievably good", NA, "yes"))
  expect_identical(bert_detokenize(the_model(), c(7592, 2088)), "hello world")
  expect_identical(bert_detokenize(the_model(), list(7592, c(2088, 999))), c("hello", "world !"))
  expect_error(bert_detokenize(the_model(), c(1, 30522)), "0 to 30521: 30522", class = "bertr_error_argument")
  expect_error(bert_detokenize(the_model(), "hello"), "token ids")
  expect_identical(bert_detokenize(the_model(), list()), character())
})

test_that("a token a character in character mode", {
  model <- bert_load(tokens = "characters")
  text <- "ab \u4e2d!"
  expect_identical(bert_count_tokens(model, c(text, "")), c(7L, 2L))
  expect_identical(bert_vocab(model)[bert_tokenize(model, text)$token_ids + 1],
    c("[CLS]", "a", "b", "[unused1]", "\u4e2d", "!", "[SEP]"))
})

test_that("strange texts do no harm", {
  texts <- c("", " ", strrep("a", 1e6), "\ufeff\u200b", "\U0010FFFD", "\r\n\t", strrep("\u0301", 1000))
  expect_identical(bert_count_tokens(the_model(), texts[c(1, 2, 6)]), c(2L, 2L, 2L))
  expect_identical(length(bert_count_tokens(the_model(), texts)), length(texts))
  expect_identical(bert_tokenize(the_model(), texts[[3]])$token_ids, rbind(c(101L, 100L, 102L)))
  expect_error(bert_tokenize(the_model(), "caf\xe9"), "not valid UTF-8 in row 1", class = "bertr_error_encoding")
  expect_identical(dim(bert_tokenize(the_model(), character())$token_ids), c(0L, 0L))
})

test_that("what is no ids is reported", {
  for (x in list(NULL, faq(), function(x) x, "a", TRUE, quote(a), list("a"), list(faq()), new.env(), matrix("a"))) {
    expect_error(bert_detokenize(the_model(), x), "must contain token ids", class = "bertr_error_argument")
  }
  expect_identical(bert_detokenize(the_model(), list(NULL, NA, c(match("car", bert_vocab(the_model())) - 1L, NA))),
    c(NA, NA, "car"))
})
