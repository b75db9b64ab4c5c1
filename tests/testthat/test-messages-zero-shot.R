test_that("bert_zero_shot() says what it needs", {
  expect_said({
    bert_zero_shot(the_model(), "a", c("b", "c"))
    bert_zero_shot(the_fit(), "a", c("b", "c"))
    bert_zero_shot(the_words(), "a", c("b", "c"))
    bert_zero_shot(the_inference(), "a", "b")
    bert_zero_shot(the_inference(), "a", c("b", "b"))
    bert_zero_shot(the_inference(), "a", c("b", NA), several = TRUE)
    bert_zero_shot(the_inference(), "a", 1)
    bert_zero_shot(the_inference(), "a", c("b", "c"), template = "It is.")
    bert_zero_shot(the_inference(), "a", c("b", "c"), several = NA)
    bert_zero_shot(the_inference(), 1, c("b", "c"))
  })
})
