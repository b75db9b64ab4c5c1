new <- data.frame(text = c("Where is my card?", NA, "never seen before"), label = "a")

prepared <- function(..., data = faq()) {
  recipes::prep(step_bert_embed(recipes::recipe(label ~ text, data), text, ...))
}

test_that("a recipe gives the vectors of bert_embed(), with names", {
  skip_if_not_installed("recipes")
  recipe <- prepared(model = the_model())
  out <- recipes::bake(recipe, new)
  expected <- bert_embed(the_model(), new$text)
  expect_named(out, c("label", paste0("bert_text_", colnames(expected))))
  expect_equal(unname(as.matrix(out[-1])), unname(expected), tolerance = 1e-5)
  expect_equal(dim(recipes::bake(recipe, NULL)), c(nrow(faq()), 385))

  options <- list(pool = "cls", max_len = 8)
  other <- prepared(model = the_fit(), options = options, prefix = "b", keep_original_cols = TRUE)
  out <- recipes::bake(other, new)
  expect_named(out[1:3], c("text", "label", "b_text_d001"))
  expected <- bert_embed(the_fit(), new$text, pool = "cls", max_len = 8, verbose = FALSE)
  expect_equal(unname(as.matrix(out[-(1:2)])), unname(expected), tolerance = 1e-5)
})

test_that("a prepared recipe is small and survives saveRDS()", {
  skip_if_not_installed("recipes")
  recipe <- recipes::prep(step_bert_embed(recipes::recipe(label ~ text, faq()), text), retain = FALSE)
  file <- withr::local_tempfile()
  saveRDS(recipe, file)
  expect_lt(file.size(file), 1e5) # the weights take 90 MB
  expect_equal(recipes::bake(readRDS(file), new), recipes::bake(recipe, new))
})

test_that("tidy(), print() and required_pkgs() describe the step", {
  skip_if_not_installed("recipes")
  recipe <- step_bert_embed(recipes::recipe(label ~ text, faq()), text, id = "x")
  described <- tibble(terms = "text", model = "all-MiniLM-L6-v2", id = "x")
  expect_identical(tidy(recipe, 1), described)
  expect_identical(tidy(recipes::prep(recipe), 1), described)
  said <- capture_messages(out <- capture.output(print(recipe$steps[[1]]))) # newer versions of recipes use messages
  expect_match(paste(c(out, said), collapse = ""), "BERT vectors of:? *text")
  expect_identical(generics::required_pkgs(recipe$steps[[1]]), "bertr")
  none <- recipes::prep(step_bert_embed(recipes::recipe(label ~ text, faq()), recipes::all_numeric()))
  expect_named(recipes::bake(none, new), c("text", "label"))
  expect_identical(nrow(tidy(none, 1)), 0L)
})

test_that("columns that are not texts, and names that are taken, are reported", {
  skip_if_not_installed("recipes")
  expect_error(prepared(data = transform(faq(), text = 1)), "must be text")
  taken <- recipes::recipe(label ~ ., transform(faq(), bert_text_d001 = 1))
  expect_error(recipes::prep(step_bert_embed(taken, text, model = the_model())), "already have a column")
})
