# Objects of every class that has methods, as cheap as they come
object_of <- function(class) {
  switch(class,
    bert_model = the_model(), bert_fit = the_fit(), bert_control = bert_control(), bert_head = bert_head(),
    bert_info = bert_info(), bert_tokens = bert_tokenize(the_model(), "a"),
    bert_attention = bert_attention(the_model(), "a"), summary.bert_model = summary(the_model()),
    summary.bert_fit = summary(the_fit()), structure(list(), class = class)
  )
}

test_that("no method lets an argument go unseen", {
  methods <- grep("[.]bert_", ls(asNamespace("bertr")), value = TRUE)
  methods <- Filter(function(name) "..." %in% names(formals(get(name, asNamespace("bertr")))), methods)
  methods <- methods[!startsWith(methods, "plot.")] # go to graphics
  methods <- setdiff(methods, paste0("print.bert_", c("confusion", "curve", "reliability", "map"))) # as tibbles
  others <- "^(as[.]tags|knit_print|model_type|predict_model|update|tunable|vetiver_[a-z_]+|handler_[a-z]+)[.]"
  methods <- methods[!grepl(others, methods)] # called by other packages
  if (!requireNamespace("ggplot2", quietly = TRUE)) {
    methods <- methods[!startsWith(methods, "autoplot.")]
  }
  expect_gt(length(methods), 14)
  for (name in methods) {
    generic <- sub("[.](summary[.])?bert_.*", "", name)
    call <- switch(generic, formula = stats::formula, autoplot = ggplot2::autoplot, match.fun(generic))
    object <- object_of(sub(paste0("^", generic, "[.]"), "", name))
    data <- if (generic %in% c("predict", "augment")) list(faq()[1:2, ])
    expect_error(do.call(call, c(list(object), data, other = 1)), "Unknown argument `other`",
      class = "bertr_error_argument")
    expect_error(do.call(call, c(list(object), rep(list(NULL), 20))), "too many", class = "bertr_error_argument")
  }
})

test_that("no argument is mistaken for another", {
  data <- faq()[1:2, ]
  expect_error(predict(the_fit(), data, typ = "prob"), "Unknown argument `typ`.*mean `type`",
    class = "bertr_error_argument")
  expect_error(predict(the_fit(), new = data), "Unknown argument `new`", class = "bertr_error_argument")
  expect_error(augment(the_fit(), data, ty = "prob"), "mean `type`", class = "bertr_error_argument")
  expect_identical(predict(the_fit(), data, "class"), predict(the_fit(), data, type = "class"))
})

test_that("the choice that was meant is named", {
  expect_error(bert_head(pool = "mena"), "\"pooler\", not \"mena\".*Did you mean \"mean\"",
    class = "bertr_error_argument")
  expect_error(predict(the_fit(), "a", type = "response"), "\"prob\", not \"response\"", class = "bertr_error_argument")
  expect_error(bert_head(pool = 1), "not 1", class = "bertr_error_argument")
  expect_error(quick_fit(label ~ text, faq(), train = "heads"), "not \"heads\"", class = "bertr_error_argument")
  expect_null(did_you_mean("sum", c("mean", "max"), "{close}"))
  expect_null(did_you_mean("", c("a", "b"), "{close}"))
})
