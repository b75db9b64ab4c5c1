test_that("bert_map() says what it needs", {
  data <- data.frame(text = c("a", "b", "c"), x = 1, label = "l")
  map <- bert_map(NULL, diag(4)[, 1:3], method = "pca")
  map$list <- as.list(1:4)
  expect_said({
    bert_map("a", data, text)
    bert_map(the_model(), 1:3)
    bert_map(the_model(), data)
    bert_map(the_model(), data, text, lable)
    bert_map(the_model(), data, text, NA)
    bert_map(the_model(), data, text, c(x, label, text))
    bert_map(the_model(), data$text, columns = "label")
    bert_map(the_model(), data$text, text = "label")
    bert_map(the_model(), data, text, method = "tsne")
    bert_map(the_model(), data, text, pool = "none")
    bert_map(the_model(), data, text, seed = "a")
    bert_map(the_model(), c("a", "b", NA))
    bert_map(the_model(), c("a", NA, NA))
    bert_map(the_model(), character())
    bert_map(NULL, matrix(1:3))
    plot(map["x"])
    plot(map, colour = lable)
    plot(map, colour = list)
  })
})

test_that("bert_map() says that uwot is missing", {
  local_binding("installed", function(package) FALSE, environment())
  expect_said(bert_map(NULL, diag(4), method = "umap"))
})

test_that("a map is printed", {
  values <- cbind(c(-2, -1, 1, 2, NA), c(0.5, -1, 1, -0.5, 0)) # their own components
  rownames(values) <- c("a", "b", "c", "d", "e")
  umap <- bert_map(NULL, values, method = "pca")
  attr(umap, "how") <- "UMAP"
  expect_said({
    print(umap)
    umap["x"]
    bert_map(NULL, values[-5, ], method = "pca")
  }, error = FALSE)
})
