data <- faq()[1:2, ]

test_that("bert_predict() and augment() say what they need", {
  pairs <- the_fit()
  pairs$spec$text <- c("question", "answer")
  expect_said({
    bert_predict(1, "a")
    bert_predict(the_model(), "a")
    bert_predict(the_model(), "a", "b")
    bert_predict(the_model(), "a", "b", type = "class")
    bert_predict(the_fit(), data.frame(x = "a"))
    bert_predict(the_fit(), data.frame(text = 1))
    bert_predict(the_fit(), NULL)
    bert_predict(the_fit(), list("a", "b"))
    bert_predict(the_fit(), c("a", latin1))
    bert_predict(the_fit(), "a", type = "probs")
    bert_predict(the_fit(), "a", verbose = NA)
    bert_predict(the_words(), "a")
    bert_predict(pairs, "a")
    predict(the_fit())
    predict(the_fit(), data, newdata = data)
    augment(the_fit(), "a")
    augment(the_fit(), transform(data, .pred_class = label))
    augment(the_fit(), data.frame(data, .pred_class = 1, .pred_card_arrival = 1))
  })
})

test_that("texts that are all NA, and rows that are not here, are reported", {
  query <- structure(list(), class = c("tbl_SQLiteConnection", "tbl_dbi", "tbl_sql", "tbl_lazy", "tbl"))
  arrow <- structure(new.env(), class = c("Table", "ArrowTabular", "ArrowObject", "R6"))
  split <- structure(list(data = data, in_id = 1L, out_id = NA), class = "rsplit")
  pairs <- the_fit()
  pairs$spec$text <- c("question", "answer")
  expect_said(invisible(bert_predict(the_fit(), c(NA, NA))), error = FALSE)
  expect_said({
    bert_fit(the_model(), label ~ text, query)
    bert_fit(the_model(), label ~ text, arrow)
    bert_predict(the_fit(), query)
    bert_predict(pairs, query)
    bert_embed(the_model(), arrow, text = text)
    bert_evaluate(the_fit(), split)
    bert_predict(the_fit(), split)
  })
})

test_that("an argument that a method does not have is reported", {
  expect_said({
    predict(the_fit(), data, typ = "prob")
    predict(the_fit(), data, threshold = 0.5)
    predict(the_fit(), data, "class", TRUE, 1)
    print(the_fit(), 1, 2)
  })
})

test_that("cut texts are reported", {
  long <- strrep("word ", 400)
  expect_said({
    invisible(bert_predict(the_fit(), c("a", long)))
    invisible(bert_predict(the_fit(), c(long, long, NA)))
  }, error = FALSE)
})

test_that("bert_evaluate() says what it needs", {
  other <- data
  other$label <- "b"
  kept <- the_fit()
  kept$spec$computed <- "log(price)"
  two <- the_fit()
  two$spec$levels <- two$info$levels <- c("no", "yes")
  expect_said({
    bert_evaluate(the_model(), data)
    bert_evaluate(the_fit(), "a")
    bert_evaluate(the_fit(), data["text"])
    bert_evaluate(the_fit(), data[0, ])
    bert_evaluate(the_fit(), data, event = "age_limit")
    bert_evaluate(two, data, event = "maybe")
    bert_evaluate(kept, data)
  })
})

test_that("what looks closer at classes says what it needs", {
  regression <- the_fit()
  regression$spec[c("task", "outcome")] <- list("regression", "label")
  regression$info$levels <- character()
  labels <- the_fit()
  labels$spec$task <- "multilabel"
  unseen <- transform(data, label = "age_limit")
  curve <- bert_curve(the_fit(), faq())
  expect_said({
    bert_evaluate(the_fit(), faq(), by = "label")
    bert_evaluate(the_fit(), faq(), event = "card_arrival", by = "class")
    bert_evaluate(regression, faq(), by = "class")
    bert_confusion(labels, faq())
    bert_confusion(the_model(), faq())
    bert_confusion(the_fit(), data["text"])
    bert_curve(the_fit(), faq(), type = "auc")
    bert_curve(regression, faq())
    bert_curve(the_fit(), faq(), event = "card_arrival")
    bert_curve(the_fit(), unseen)
    bert_reliability(labels, faq())
    bert_reliability(the_fit(), unseen)
    plot(bert_confusion(the_fit(), faq())[1:2, ])
    plot(curve[".level"])
    glance(curve[".level"])
    plot(bert_reliability(the_fit(), faq())["n"])
  })
  expect_said({
    invisible(bert_confusion(the_fit(), rbind(faq(2), unseen)))
    invisible(bert_curve(the_fit(), rbind(faq(2), unseen)))
    invisible(bert_reliability(the_fit(), rbind(faq(2), unseen)))
  }, error = FALSE)
})

test_that("bert_calibrate() says what it needs", {
  two <- the_fit()
  two$spec$levels <- two$info$levels <- c("card_arrival", "no")
  labels <- the_fit()
  labels$spec$task <- "multilabel"
  words <- the_words()
  wrong <- the_fit()
  wrong$info$event_threshold <- list(event = 2)
  expect_said({
    wrong
    bert_calibrate(the_model(), faq())
    bert_calibrate(words, faq())
    bert_calibrate(the_fit(), "a")
    bert_calibrate(the_fit(), data["text"])
    bert_calibrate(the_fit(), faq(4))
    bert_calibrate(the_fit(), faq(), event = "card_arrival")
    bert_calibrate(the_fit(), faq(), threshold = 0.5)
    bert_calibrate(the_fit(), faq(), threshold = "f1")
    bert_calibrate(the_fit(), faq(), threshold = "f_meas")
    bert_calibrate(labels, faq(), threshold = "f_meas")
    bert_calibrate(two, transform(data, label = "card_arrival"), threshold = "f_meas")
    bert_calibrate(two, data, threshold = "f_meas", event = "yes")
  })
})

test_that("bert_evaluate() says which rows it drops or counts as wrong", {
  data$label[[1]] <- NA
  one <- transform(faq()[1:4, ], label = c("a", label[2:4]))
  several <- transform(one, label = c("a", "b", "b", label[[4]]))
  relation <- list(what = "relation", labels = "met", rows = 1)
  evaluate <- function(new_data) invisible(bert_evaluate(the_fit(), new_data))
  expect_said({
    evaluate(rbind(data, faq()[3, ]))
    evaluate(one)
    evaluate(several)
  }, error = FALSE)
  local_binding("unknown_labels", function(...) relation, environment())
  expect_said(say_unknown(list(task = "relations"), NULL, speaker(TRUE), "wrong"), error = FALSE)
})

test_that("objects that were built by hand are reported", {
  hollow <- structure(list(), class = "bert_fit")
  wrong <- the_fit()
  wrong$info$epochs <- "ten"
  other <- the_fit()
  other$spec$levels <- c("a", "b", "c")
  expect_said({
    bert_predict(hollow, "a")
    bert_predict(wrong, "a")
    bert_predict(other, "a")
    bert_vocab(structure(list(info = list()), class = "bert_model"))
    print(structure(list(), class = "bert_tokens"))
  })
})

test_that("each kind of field is named in words", {
  # as no one object has all of them
  expect_said(for (kind in field_kinds) cat(kind[[1]], "\n", sep = ""), error = FALSE)
})

test_that("a plot says what it cannot draw", {
  none <- the_fit()
  none$history <- none$history[0, ]
  x <- bert_attention(the_model(), "a", layer = 4:6)
  expect_said({
    plot(none)
    plot(x, layer = 3)
    plot(x, head = 1:2)
    plot.bert_attention(unclass(x)[1, 1, , ])
  })
})
