texts <- c("A man is eating.", NA, "Somebody has lunch.", "Stocks fell.")

test_that("one row a text, NA where it is NA", {
  x <- bert_embed(the_model(), texts)
  expect_identical(dim(x), c(4L, 384L))
  expect_identical(colnames(x)[c(1, 10, 384)], c("d001", "d010", "d384"))
  expect_named(as_tibble(x), sort(colnames(x)))
  expect_true(all(is.na(x[2, ])))
  expect_false(anyNA(x[-2, ]))
  expect_identical(dim(bert_embed(the_model(), NA_character_)), c(1L, 384L))
  expect_identical(dim(bert_embed(the_model(), character())), c(0L, 384L))
})

test_that("a text's vector does not depend on the others", {
  x <- bert_embed(the_model(), texts)
  for (i in c(1, 3, 4)) {
    expect_equal(bert_embed(the_model(), texts[[i]])[1, ], x[i, ], tolerance = 1e-5)
  }
})

test_that("pooling is what it says", {
  tokens <- bert_embed(the_model(), texts, pool = "none")
  expect_null(tokens[[2]])
  expect_identical(dim(tokens[[4]]), c(5L, 384L))
  expect_equal(bert_embed(the_model(), texts, pool = "mean")[4, ], colMeans(tokens[[4]]), tolerance = 1e-5)
  expect_equal(bert_embed(the_model(), texts, pool = "cls")[4, ], tokens[[4]][1, ], tolerance = 1e-5)
  expect_equal(bert_embed(the_model(), texts, pool = "max")[4, ], apply(tokens[[4]], 2, max), tolerance = 1e-5)
  expect_equal(bert_embed(the_model(), texts, normalise = FALSE), bert_embed(the_model(), texts, pool = "mean"))
  unit <- bert_embed(the_model(), texts, pool = "mean", normalise = TRUE)
  expect_equal(rowSums(unit^2), c(1, NA, 1, 1), tolerance = 1e-6)
  expect_gt(sum(unit[1, ] * unit[3, ]), sum(unit[1, ] * unit[4, ]))
})

test_that("lower layers are those of the lower model", {
  expect_equal(bert_embed(bert_load(layers = 2), texts, normalise = FALSE), bert_embed(the_model(), texts, layer = 2),
    tolerance = 1e-5)
  expect_error(bert_embed(the_model(), texts, layer = 7), "from 0 to 6, not 7", class = "bertr_error_argument")
})

test_that("several layers are averaged or put side by side", {
  each <- lapply(c(4, 6), function(k) bert_embed(the_model(), texts, layer = k))
  expect_equal(bert_embed(the_model(), texts, layer = c(4, 6)), (each[[1]] + each[[2]]) / 2, tolerance = 1e-5)
  wide <- bert_embed(the_model(), texts, layer = c(4, 6), combine = "concatenate")
  expect_identical(dim(wide), c(4L, 768L))
  expect_identical(colnames(wide)[c(1, 768)], c("d001", "d768"))
  expect_equal(unname(wide), unname(do.call(cbind, each)), tolerance = 1e-5)
  reversed <- bert_embed(the_model(), texts, layer = c(6, 4), combine = "concatenate", normalise = TRUE)
  expect_equal(unname(reversed), unname(wide[, c(385:768, 1:384)]) / sqrt(rowSums(wide^2)), tolerance = 1e-5)
  expect_equal(bert_embed(the_model(), texts, combine = "concatenate"), bert_embed(the_model(), texts))
  tokens <- bert_embed(the_model(), texts, pool = "none", layer = c(4, 6), combine = "concatenate")
  expect_equal(colMeans(tokens[[4]]), wide[4, ], tolerance = 1e-5)
  none <- bert_embed(the_model(), NA_character_, layer = 1:3, combine = "concatenate")
  expect_identical(dim(none), c(1L, 1152L))
})

test_that("what is not a layer is reported", {
  expect_error(bert_embed(the_model(), texts, layer = c(2, 9)), "0 to 6, not 9", class = "bertr_error_argument")
  expect_error(bert_embed(the_model(), texts, layer = 1.5), "0 to 6, not 1.5", class = "bertr_error_argument")
  expect_error(bert_embed(the_model(), texts, layer = NA_real_), "0 to 6, not NA", class = "bertr_error_argument")
  expect_error(bert_embed(the_model(), texts, layer = integer()), "0 to 6", class = "bertr_error_argument")
  expect_error(bert_embed(the_model(), texts, layer = "last"), "0 to 6, not a string", class = "bertr_error_argument")
  expect_error(bert_embed(the_model(), texts, combine = "sum"), "\"mean\"", class = "bertr_error_argument")
})

test_that("a data frame needs its text columns named", {
  data <- data.frame(a = texts, b = rev(texts), n = 1:4)
  expect_equal(bert_embed(the_model(), data, ~a), bert_embed(the_model(), texts))
  pairs <- bert_embed(the_model(), data, ~ a + b)
  expect_identical(which(is.na(pairs[, 1])), c(2L, 3L))
  expect_error(bert_embed(the_model(), data), "For example `text = a`", class = "bertr_error_column")
  expect_error(bert_embed(the_model(), data, ~n), "must be text", class = "bertr_error_text")
  expect_error(bert_embed(the_model(), data, ~z), "no column", class = "bertr_error_column")
  expect_error(bert_embed(the_model(), 1:3), "must be text, not an integer vector", class = "bertr_error_text")
  expect_error(bert_embed(the_fit, texts), "bert_load\\(\\)", class = "bertr_error_argument")
  expect_error(bert_embed(the_model(), texts, pool = "sum"), "\"mean\"")
})

test_that("a fit gives the vectors of its own encoder", {
  fit <- quick_fit(label ~ text, faq(), train = "top:1", epochs = 1)
  expect_false(isTRUE(all.equal(bert_embed(fit, texts), bert_embed(the_model(), texts))))
  expect_equal(bert_embed(fit, texts, layer = 5), bert_embed(the_model(), texts, layer = 5), tolerance = 1e-5)
})
