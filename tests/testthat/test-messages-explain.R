test_that("bert_explain() says what it needs", {
  numbers <- the_fit()
  numbers$spec$task <- "span"
  numbers$spec$levels <- NULL
  numbers$spec[c("answer", "start")] <- list("a", character())
  numbers$info$levels <- character()
  pairs <- the_fit()
  pairs$spec$text <- c("question", "answer")
  expect_said({
    bert_explain(the_model(), "a")
    bert_explain(the_fit(), 1)
    bert_explain(the_fit(), data.frame(x = "a"))
    bert_explain(pairs, "a")
    bert_explain(the_fit(), c(NA, NA))
    bert_explain(the_fit(), character())
    bert_explain(the_fit(), c("", "  "))
    bert_explain(the_fit(), "a", class = "card_arival")
    bert_explain(the_fit(), "a", class = c("card_arrival", "age_limit"))
    bert_explain(the_fit(), "a", class = 1)
    bert_explain(numbers, "a", class = "card_arrival")
    bert_explain(the_fit(), "a", method = "gradients")
    bert_explain(the_fit(), "a", verbose = NA)
    bert_explain(the_words(), "a")
  })
})

test_that("bert_explain() says which texts it does not explain fully", {
  expect_said({
    invisible(bert_explain(the_fit(), c("My card", NA, "")))
    invisible(bert_explain(the_fit(), c("My card", NA)))
    invisible(bert_explain(the_fit(), strrep("word ", 400), method = "occlusion"))
    say_gaps(speaker(TRUE), 3)
    say_gaps(speaker(TRUE), c(3, 4))
  }, error = FALSE)
})

test_that("explanations are printed", {
  why <- fixed_reasons()
  many <- why[rep(1, 7), ]
  many$row <- 1:7
  about <- attr(why, "about")[rep(1, 7), ]
  about$row <- 1:7
  texts <- list(text = rep("My card is late, (why)?", 7))
  answers <- fixed_reasons("span", c(NA, NA))
  answers_about <- attr(answers, "about")
  answers_about[c("class", "probability")] <- list(NA_character_, NA_real_)
  answers_about$part <- c("card", "")
  pair <- why[why$row == 1, ]
  pair$text <- ifelse(pair$start < 12, "question", "answer")
  attr(pair, "texts") <- list(question = "My card is", answer = "My card is late, (why)?")
  expect_said({
    print(why)
    print(structure(many, about = about, texts = texts))
    print(structure(answers, about = answers_about))
    print(pair)
    print(why[0, ])
    print(why["word"])
    print(why, 1)
  })
})

test_that("plots and lime say what they need", {
  why <- fixed_reasons()
  many <- structure(why[rep(1, 13), ], about = attr(why, "about")[rep(1, 13), ])
  many$row <- 1:13
  about <- attr(many, "about")
  about$row <- 1:13
  tokens <- c("[CLS]", "[SEP]")
  empty <- structure(array(0.5, c(1, 1, 2, 2), dimnames = list(layer = "1", head = "1", from = tokens, to = tokens)),
    class = "bert_attention")
  expect_said({
    plot(structure(many, about = about))
    plot(why["word"])
    plot(empty)
    predict_model.bert_fit(the_words(), "a", "prob")
  })
})
