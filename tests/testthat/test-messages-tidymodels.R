test_that("a step of a recipe says what its arguments must be", {
  step <- structure(list(columns = "text", model = the_model(), options = list(), prefix = "bert",
    keep_original_cols = FALSE), class = "step_bert_embed")
  expect_said({
    check_embed_options("cls", NULL)
    check_embed_options(list("cls"), NULL)
    check_embed_options(list(pol = "cls"), NULL)
    check_embed_options(list(pool = "none"), NULL)
    bake.step_bert_embed(step, data.frame(text = "a", bert_text_d001 = 1))
    bake.step_bert_embed(step, data.frame(label = "a"))
  })
})

test_that("a step and a fit for vetiver are described", {
  expect_said(vetiver_create_description.bert_fit(the_fit()), error = FALSE)
  skip_if_not_installed("recipes")
  step <- step_bert_embed(recipes::recipe(label ~ text, faq()), text)$steps[[1]]
  said <- capture_messages(out <- capture.output(print(step)))
  printed <- gsub("^[*] |:|\n", "", paste(c(out, said), collapse = "")) # newer versions of recipes print it as a list
  expect_said(cat(printed), error = FALSE)
})

test_that("a request without the fields of the fit is reported", {
  expect_said(request_rows(list(txt = "a"), the_fit()))
})
