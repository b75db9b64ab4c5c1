# What vetiver calls, without vetiver; then with it, where it is installed

test_that("a request is answered as bert_predict() does", {
  texts <- faq()$text[1:2]
  answer <- handler_predict.bert_fit(list(model = the_fit()), type = "prob")
  expected <- bert_predict(the_fit(), texts, type = "prob")
  # as plumber reads JSON: an array of objects, one object, an object of arrays
  expect_identical(answer(list(body = data.frame(id = 1:2, text = texts))), expected)
  expect_identical(answer(list(body = list(text = texts))), expected)
  expect_equal(answer(list(body = list(text = texts[[2]]))), expected[2, ], tolerance = 1e-5)
  expect_error(answer(list(body = list(txt = texts))), "no field text", class = "bertr_error_data")
  expect_error(answer(list(body = list(text = 5))), "must be text", class = "bertr_error_text")
})

test_that("a prototype has the text columns, and a prepared fit its weights", {
  pair <- the_fit()
  pair$spec$text <- c("question", "answer")
  expect_identical(vetiver_ptype.bert_fit(pair), tibble(question = character(), answer = character()))
  expect_identical(vetiver_prepare_model.bert_fit(the_fit()), the_fit())
  expect_match(vetiver_create_description.bert_fit(the_fit()), "classification")
  folder <- withr::local_tempfile()
  bert_save(the_fit(), folder)
  prepared <- vetiver_prepare_model.bert_fit(bert_load(folder))
  moved <- unserialize(serialize(prepared, NULL))
  unlink(folder, recursive = TRUE)
  handler_startup.bert_fit(list(model = moved))
  expect_equal(bert_predict(moved, faq()$text), bert_predict(the_fit(), faq()$text), tolerance = 1e-5)
})

test_that("vetiver serves a fit", {
  skip_if_not_installed("vetiver")
  model <- vetiver::vetiver_model(the_fit(), "faq")
  expect_identical(model$prototype, tibble(text = character()))
  expect_identical(model$metadata$required_pkgs, "bertr")
  read <- unserialize(serialize(model, NULL)) # as from a board
  expect_equal(predict(read, faq()[1:2, ]), bert_predict(the_fit(), faq()[1:2, ]))
  server <- vetiver::vetiver_api(plumber::pr(), read)
  handler <- server$routes$predict$getFunc()
  expect_equal(handler(list(body = faq()[1:2, ])), bert_predict(the_fit(), faq()[1:2, ]))
})
