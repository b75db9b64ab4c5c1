text <- "The cat sat, because it was tired."

test_that("the attention of a text is an array of probabilities", {
  x <- bert_attention(the_model(), text)
  tokens <- c("[CLS]", "the", "cat", "sat", ",", "because", "it", "was", "tired", ".", "[SEP]")
  expect_identical(dim(x), c(6L, 12L, 11L, 11L))
  expect_identical(dimnames(x), list(layer = as.character(1:6), head = as.character(1:12), from = tokens, to = tokens))
  expect_true(all(x >= 0))
  expect_equal(as.vector(apply(x, 1:3, sum)), rep(1, 6 * 12 * 11), tolerance = 1e-5)
  some <- bert_attention(the_model(), text, layer = c(5, 2), head = 3)
  expect_identical(dimnames(some)[1:2], list(layer = c("5", "2"), head = "3"))
  expect_equal(some["2", "3", , ], x["2", "3", , ], tolerance = 1e-5)
  expect_identical(dim(x["6", "1", , ]), c(11L, 11L))
  expect_output(print(x), "layers 1, 2, 3, 4, 5, 6; heads .*11 tokens: \\[CLS\\] the cat")
})

test_that("a pair follows its text, and a text too long is cut", {
  pair <- bert_attention(the_model(), "Who sat?", "The cat.")
  expect_identical(dimnames(pair)$from, c("[CLS]", "who", "sat", "?", "[SEP]", "the", "cat", ".", "[SEP]"))
  expect_message(short <- bert_attention(the_model(), text, max_len = 4), "longer than 4 tokens")
  expect_identical(dim(short)[3:4], c(4L, 4L))
  expect_silent(bert_attention(the_model(), text, max_len = 4, verbose = FALSE))
})

test_that("one row a value", {
  x <- bert_attention(the_model(), text, layer = c(3, 1), head = 2:4)
  table <- as_tibble(x)
  expect_identical(names(table), c("layer", "head", "from", "to", "from_token", "to_token", "attention"))
  expect_identical(nrow(table), length(x))
  expect_identical(unique(table$layer), c(3L, 1L))
  at <- cbind(match(table$layer, c(3, 1)), match(table$head, 2:4), table$from, table$to)
  expect_identical(table$attention, unclass(x)[at])
  expect_identical(table$from_token, dimnames(x)$from[table$from])
  expect_identical(table$to_token, dimnames(x)$to[table$to])
})

test_that("a fit shows its own encoder", {
  fit <- quick_fit(label ~ text, faq(), train = "top:1", epochs = 1)
  own <- bert_attention(fit, text)
  base <- bert_attention(the_model(), text)
  expect_equal(own["5", , , ], base["5", , , ], tolerance = 1e-5)
  expect_false(isTRUE(all.equal(own["6", , , ], base["6", , , ], tolerance = 1e-5)))
  expect_equal(bert_attention(the_fit(), text), base, tolerance = 1e-5)
})

test_that("a heat map is drawn", {
  file <- withr::local_tempfile(fileext = ".png")
  png(file)
  x <- bert_attention(the_model(), text, layer = 4:6)
  before <- par("mar")
  expect_invisible(plot(x))
  plot(x, layer = 4, head = 2, col = c("white", "black"))
  expect_identical(par("mar"), before)
  dev.off()
  expect_gt(file.size(file), 1000)
  expect_error(plot(x, layer = 3), "one of the layers in `x` \\(4, 5, 6\\)", class = "bertr_error_argument")
  expect_error(plot(x, head = 1:2), "one of the heads", class = "bertr_error_argument")
})

test_that("wrong arguments give a one-sentence error", {
  error <- function(...) conditionMessage(expect_error(bert_attention(...), class = "bertr_error_argument"))
  expect_match(error(the_model(), text, layer = 0), "`layer` must contain whole numbers from 1 to 6, not 0")
  expect_match(error(the_model(), text, layer = 7), "1 to 6, not 7")
  expect_match(error(the_model(), text, head = c(1, 13)), "`head` must contain whole numbers from 1 to 12, not 13")
  expect_match(error(the_model(), c(text, text)), "one text, not 2 texts")
  error(the_model(), NA_character_)
  expect_match(error(the_model(), character()), "one text, not 0 texts")
  error(the_model(), text, pair = NA_character_)
  error("a", text)
  expect_error(bert_attention(the_model(), text, max_len = 600), "512", class = "bertr_error_max_len")
})

test_that("what is not an array of attention is reported", {
  for (x in list(list(), 1, NULL, array(1, c(1, 1, 1, 1)))) {
    x <- structure(if (is.null(x)) list() else x, class = "bert_attention")
    for (verb in list(print, as_tibble, plot)) {
      expect_error(verb(x), "must be a complete array from", class = "bertr_error_argument")
    }
  }
})
