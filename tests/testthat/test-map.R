clusters <- function(n = 20, width = 5) {
  withr::with_seed(1, rbind(
    cbind(5, matrix(rnorm(n * (width - 1), sd = 0.2), n)), cbind(matrix(rnorm(n * (width - 1), sd = 0.2), n), 5)
  ))
}

test_that("a map has a row per text, and keeps columns", {
  data <- faq()
  data$text[2] <- NA
  data$n <- nchar(data$text)
  map <- bert_map(the_model(), data, text, c(label, n), method = "pca")
  expect_s3_class(map, c("bert_map", "tbl_df"))
  expect_identical(names(map), c("x", "y", "label", "n", "text"))
  expect_identical(map$text, data$text)
  expect_identical(map$label, data$label)
  expect_identical(which(is.na(map$x)), 2L)
  expect_identical(which(is.na(map$y)), 2L)
  expect_identical(names(bert_map(the_model(), data$text, method = "pca")), c("x", "y", "text"))
  expect_equal(bert_map(the_model(), data, "text", "label", method = "pca")$x, map$x)
})

test_that("a PCA is that of the vectors", {
  vectors <- bert_embed(the_model(), faq()$text)
  map <- bert_map(NULL, vectors, method = "pca")
  expect_identical(names(map), c("x", "y"))
  decomposed <- svd(scale(vectors, scale = FALSE))
  expected <- decomposed$u[, 1:2] %*% diag(decomposed$d[1:2])
  expect_equal(abs(cbind(map$x, map$y)), abs(expected), tolerance = 1e-5)
  share <- round(100 * decomposed$d^2 / sum(decomposed$d^2))
  expect_identical(attr(map, "axes")[[1]], paste0("component 1 (", share[[1]], " % of the variance)"))
  # the sign does not depend on the order of rows
  turned <- bert_map(NULL, vectors[rev(seq_len(nrow(vectors))), ], method = "pca")
  expect_equal(rev(turned$x), map$x, tolerance = 1e-5)
  expect_equal(bert_map(the_model(), faq()$text, method = "pca")$x, map$x, tolerance = 1e-5)
  expect_identical(bert_map(NULL, matrix(1, 4, 2), method = "pca")$x, rep(0, 4)) # all the same
})

test_that("a fit maps with its own encoder", {
  fit <- quick_fit(label ~ text, faq(), train = "top:1", epochs = 1)
  own <- bert_map(fit, faq()$text, method = "pca")
  expect_equal(own$x, bert_map(NULL, bert_embed(fit, faq()$text), method = "pca")$x, tolerance = 1e-5)
  expect_false(isTRUE(all.equal(own$x, bert_map(the_model(), faq()$text, method = "pca")$x, tolerance = 1e-3)))
})

test_that("a UMAP keeps neighbours together, and is the same again", {
  skip_if_not_installed("uwot")
  vectors <- clusters()
  rownames(vectors) <- 1:40
  map <- bert_map(NULL, vectors)
  expect_identical(attr(map, "axes"), c("UMAP 1", "UMAP 2"))
  expect_identical(map$text, as.character(1:40))
  expect_identical(bert_map(NULL, vectors), map)
  expect_false(identical(bert_map(NULL, vectors, seed = 2)$x, map$x))
  distance <- as.matrix(dist(cbind(map$x, map$y)))
  diag(distance) <- Inf
  expect_identical(apply(distance, 1, which.min) > 20, rep(c(FALSE, TRUE), each = 20), ignore_attr = TRUE)
  set.seed(1)
  state <- .Random.seed
  vectors[3, 2] <- NA
  expect_identical(which(is.na(bert_map(NULL, vectors[1:6, ])$x)), 3L)
  expect_identical(.Random.seed, state)
})

test_that("without uwot it is a PCA", {
  local_binding("installed", function(package) FALSE, environment())
  expect_match(attr(bert_map(NULL, clusters()), "how"), "^PCA")
})

test_that("names stand at medians and do not overlap", {
  map <- bert_map(NULL, clusters(), method = "pca")
  map$class <- rep(c("a", "b"), each = 20)
  drawn <- map_drawn(map, rlang::quo(NULL), "x")
  expect_identical(drawn$name, "class")
  expect_identical(drawn$labels$label, c("a", "b"))
  expect_equal(drawn$labels$x, as.vector(tapply(map$x, map$class, median)))
  expect_identical(drawn$colours[1:20], rep(drawn$colours[[1]], 20))
  y <- spread(c(0, 0, 0, 5), c(1, 1, 1.1, 1), rep(1, 4), 0.5)
  expect_true(all(diff(sort(y[1:3])) > 0.45))
  expect_identical(y[[4]], 1)
  many <- map[rep(1:40, 2), ]
  many$class <- as.character(c(1:41, 1:39))
  expect_identical(nrow(map_drawn(many, rlang::quo(class), "x")$labels), 40L)
  map$class[1] <- NA
  expect_identical(map_drawn(map, rlang::quo(NULL), "x")$colours[[1]], "grey70")
  map$n <- 1:40
  shades <- map_drawn(map, rlang::quo("n"), "x")
  expect_identical(nrow(shades$labels), 0L)
  expect_identical(shades$colours[c(1, 40)], shade_colours[c(1, 64)])
})

test_that("maps are drawn", {
  map <- bert_map(NULL, clusters(), method = "pca")
  file <- withr::local_tempfile(fileext = ".png")
  png(file)
  before <- par("mar")
  expect_invisible(plot(map))
  map$n <- c(NA, 2:40)
  plot(map, colour = n, pch = 3, main = "numbers")
  map$class <- rep(c(TRUE, FALSE), 20)
  plot(map, colour = class)
  expect_identical(par("mar"), before)
  dev.off()
  expect_gt(file.size(file), 1000)
})
