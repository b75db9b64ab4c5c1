texts <- c("Where is my new card? It has not arrived.", "Please cancel my transfer, I sent it to the wrong account!")

# A fit that is not too sure, so that probabilities tell logits
unsure_fit <- function() {
  if (is.null(once$unsure)) {
    once$unsure <- quick_fit(label ~ text, faq(), head = bert_head(units = 8))
  }
  once$unsure
}

# Explained once
the_reasons <- function() {
  if (is.null(once$reasons)) {
    once$reasons <- bert_explain(unsure_fit(), texts, verbose = FALSE)
  }
  once$reasons
}

sums <- function(why) as.vector(tapply(why$weight, why$row, sum))

test_that("words have weights and places, and the weights add up", {
  why <- the_reasons()
  expect_s3_class(why, c("bert_explanation", "tbl_df"), exact = FALSE)
  expect_identical(names(why), c("row", "word", "weight", "start", "end"))
  expect_identical(why$word, substr(texts[why$row], why$start, why$end))
  expect_identical(paste(why$word[why$row == 1], collapse = " "), "Where is my new card ? It has not arrived .")
  about <- summary(why)
  prediction <- bert_predict(unsure_fit(), texts)
  expect_identical(about$class, as.character(prediction$.pred_class))
  expect_equal(about$probability, apply(as.matrix(prediction[-1]), 1, max), tolerance = 1e-4)
  expect_equal(about$score, qlogis(about$probability), tolerance = 1e-6)
  expect_equal(sums(why), about$score - about$masked_score, tolerance = 0.01)
  expect_true(all(about$gap < 0.01))
  expect_identical(about$part, c(NA_character_, NA_character_))
})

test_that("the masked score is that of the text with all words masked", {
  masked <- gsub("[[:alnum:]]+|[[:punct:]]", "[MASK] ", texts)
  prob <- as.matrix(bert_predict(unsure_fit(), masked, type = "prob"))
  about <- summary(the_reasons())
  own <- prob[cbind(1:2, match(about$class, sub(".pred_", "", colnames(prob), fixed = TRUE)))]
  expect_equal(about$masked_score, qlogis(own), tolerance = 1e-3)
})

test_that("texts come as in bert_predict(), and positions are characters", {
  odd <- c("\U0001F600 Ich m\u00f6chte 我的卡!", "cafe\u0301 <b>card</b>")
  why <- bert_explain(the_fit(), data.frame(id = 1:4, text = c(odd[[1]], NA, " \t", odd[[2]])), verbose = FALSE)
  expect_identical(unique(why$row), c(1L, 4L))
  expect_identical(why$word, substr(odd[ifelse(why$row == 1, 1, 2)], why$start, why$end))
  expect_true("cafe\u0301" %in% why$word && "\u6211" %in% why$word)
  local_chunk_size(1)
  expect_equal(as_tibble(bert_explain(the_fit(), odd, verbose = FALSE))$weight, why$weight, tolerance = 1e-4)
})

test_that("a class may be chosen, for all texts or for each", {
  levels <- the_fit()$spec$levels
  one <- bert_explain(the_fit(), texts, class = levels[[1]], verbose = FALSE)
  expect_identical(summary(one)$class, rep(levels[[1]], 2))
  each <- bert_explain(the_fit(), texts, class = factor(levels[2:1]), verbose = FALSE)
  expect_identical(summary(each)$class, levels[2:1])
  expect_equal(each$weight[each$row == 2], one$weight[one$row == 2], tolerance = 1e-4)
  local_chunk_size(1)
  expect_identical(summary(bert_explain(the_fit(), texts, levels[2:1], verbose = FALSE))$class, levels[2:1])
})

test_that("occlusion is the fall of the score", {
  why <- bert_explain(unsure_fit(), texts[[1]], method = "occlusion", verbose = FALSE)
  about <- summary(why)
  prob <- as.matrix(bert_predict(unsure_fit(), sub("card", "[MASK]", texts[[1]]), type = "prob"))
  own <- prob[, match(about$class, unsure_fit()$spec$levels)]
  expect_equal(why$weight[why$word == "card"], about$score - qlogis(own), tolerance = 1e-3, ignore_attr = TRUE)
  expect_identical(c(about$gap, about$steps), c(NA_real_, NA_real_))
})

test_that("deleting the words with the largest weights changes more than deleting others", {
  data <- faq(6, "valid.csv")
  fit <- quick_fit(label ~ text, faq(6), epochs = 20)
  why <- bert_explain(fit, data, verbose = FALSE)
  classes <- match(summary(why)$class, fit$spec$levels)
  fall <- function(choose) {
    changed <- vapply(seq_along(data$text), function(i) {
      words <- why[why$row == i, ]
      gone <- words[choose(words$weight, ceiling(nrow(words) / 4)), ]
      characters <- strsplit(data$text[[i]], "")[[1]]
      characters[unlist(Map(seq, gone$start, gone$end))] <- " "
      paste(characters, collapse = "")
    }, "")
    prob <- as.matrix(bert_predict(fit, changed, type = "prob", verbose = FALSE))
    summary(why)$probability - prob[cbind(seq_along(classes), classes)]
  }
  withr::local_seed(1)
  random <- rowMeans(replicate(3, fall(function(weights, n) sample(length(weights), n))))
  expect_gt(mean(fall(function(weights, n) order(-weights)[seq_len(n)])), 1.5 * mean(random))
})

test_that("labels, numbers, pairs, answers and entities are explained", {
  data <- faq()
  data$card <- grepl("card", data$text)
  data$long <- nchar(data$text) > 50
  why <- bert_explain(quick_fit(cbind(card, long) ~ text, data), texts, class = "card", verbose = FALSE)
  expect_identical(summary(why)$class, c("card", "card"))

  data$n <- nchar(data$text)
  numbers <- quick_fit(n ~ text, data)
  why <- bert_explain(numbers, texts, verbose = FALSE)
  expect_equal(summary(why)$score, bert_predict(numbers, texts)$.pred, tolerance = 1e-4)
  expect_identical(summary(why)$probability, c(NA_real_, NA_real_))
  data$share <- data$n / max(data$n)
  shares <- quick_fit(share ~ text, data, head = bert_head(link = "logit"))
  about <- summary(bert_explain(shares, texts, verbose = FALSE))
  expect_equal(about$probability, bert_predict(shares, texts)$.pred, tolerance = 1e-4)

  data$other <- rev(data$text)
  pairs <- quick_fit(n ~ text + other, data, head = bert_head(pair = "cosine"))
  why <- bert_explain(pairs, data[1:2, ], verbose = FALSE)
  expect_identical(names(why), c("row", "text", "word", "weight", "start", "end"))
  given <- ifelse(why$text == "text", data$text[why$row], data$other[why$row])
  expect_identical(why$word, substr(given, why$start, why$end))
  expect_equal(sums(why), with(summary(why), score - masked_score), tolerance = 0.01)

  data$answer <- ifelse(data$card, "card", "")
  data$question <- "what?"
  span <- quick_fit(span(answer) ~ question + text, data, epochs = 3)
  why <- bert_explain(span, data[1:3, ], verbose = FALSE)
  part <- bert_predict(span, data[1:3, ])$.pred_text
  expect_identical(summary(why)$part, part)
  expect_identical(unique(why$text), c("question", "text"))

  data$entities <- lapply(data$text, function(text) {
    at <- regexpr("card", text)
    tibble::tibble(start = as.integer(at), end = start + 3L, label = "thing")[at > 0, ]
  })
  entities <- quick_fit(entities ~ text, data, epochs = 3)
  about <- summary(bert_explain(entities, texts, class = "thing", verbose = FALSE))
  expect_identical(about$class, c("thing", "thing"))
  expect_true(all(nzchar(about$part)))
})

test_that("what was not read has no words", {
  fit <- quick_fit(label ~ text, faq(), max_len = 6)
  expect_message(why <- bert_explain(fit, texts[[1]]), "longer than 6 tokens")
  expect_identical(why$word, c("Where", "is", "my", "new"))
  expect_output(print(why), "Where is my new \\.\\.\\.")
})

test_that("chosen rows and words can be printed, drawn and shown", {
  why <- the_reasons()
  expect_identical(summary(why[why$row == 2, ])$row, 2L)
  expect_output(print(why[order(-why$weight), ]), "Where is my new card[?] It has not arrived[.]")
  expect_output(print(why[why$weight > 1e6, ]), "0 texts, 0 words")
  expect_identical(class(as_tibble(why)), c("tbl_df", "tbl", "data.frame"))
})

test_that("colours are used where there are some, and lines fit", {
  why <- the_reasons()
  plain <- capture.output(print(why))
  expect_false(any(cli::ansi_has_any(plain)))
  for (colours in c(8, 256)) {
    withr::local_options(cli.num_colors = colours, cli.width = 40)
    lines <- capture.output(print(why))
    expect_true(any(cli::ansi_has_any(lines)))
    expect_lte(max(cli::ansi_nchar(lines[-1], "width")), 40)
  }
})

test_that("as HTML words have backgrounds, and text is escaped", {
  skip_if_not_installed("htmltools")
  why <- bert_explain(unsure_fit(), "Where is <b>my</b> card?", verbose = FALSE)
  html <- as.character(htmltools::as.tags(why))
  expect_match(html, "<strong>[a-z_]+, probability [01][.0-9]*</strong>")
  expect_match(html, "<span style=\"background-color: #[0-9A-F]{6}; color: black;[^>]*>card</span>")
  expect_match(html, ">&lt;</span>", fixed = TRUE)
  lines <- regmatches(html, gregexpr("(?s)<p.*?</p>", html, perl = TRUE))[[1]]
  plain <- trimws(gsub("<[^>]*>", "", lines))
  expect_identical(plain, c("Where is &lt;b&gt;my&lt;/b&gt; card?",
    "Words that raise or lower the score; the stronger, the more."))
  # the word of the largest weight has one of the colours of the key
  largest <- why$word[[which.max(abs(why$weight))]]
  colour <- sub(paste0(".*background-color: (#[0-9A-F]{6});[^>]*>", largest, "</span>.*"), "\\1", lines[[1]])
  expect_match(lines[[2]], colour, fixed = TRUE)
})

test_that("R Markdown gets HTML only where it can show it", {
  skip_if_not_installed("htmltools")
  skip_if_not_installed("knitr")
  why <- the_reasons()
  old <- knitr::opts_knit$get("rmarkdown.pandoc.to")
  withr::defer(knitr::opts_knit$set(rmarkdown.pandoc.to = old))
  knitr::opts_knit$set(rmarkdown.pandoc.to = "html")
  expect_s3_class(knitr::knit_print(why), "knit_asis")
  knitr::opts_knit$set(rmarkdown.pandoc.to = "latex")
  expect_output(knitr::knit_print(why), "<bert_explanation>")
})

test_that("lime gets what it asks for", {
  # as lime calls them: the type of the model, then probabilities of changed texts, of which some are empty
  expect_identical(model_type.bert_fit(the_fit()), "classification")
  prob <- predict_model.bert_fit(the_fit(), c(texts, ""), type = "prob")
  expect_s3_class(prob, "data.frame")
  expect_identical(names(prob), the_fit()$spec$levels)
  expect_equal(rowSums(prob), rep(1, 3), tolerance = 1e-5, ignore_attr = TRUE)
  raw <- predict_model.bert_fit(the_fit(), texts, type = "raw")
  expect_identical(raw, data.frame(Response = as.character(bert_predict(the_fit(), texts)$.pred_class)))
  data <- faq()
  data$n <- nchar(data$text)
  numbers <- quick_fit(n ~ text, data)
  expect_identical(model_type.bert_fit(numbers), "regression")
  expect_identical(predict_model.bert_fit(numbers, texts, type = "raw"),
    data.frame(Response = bert_predict(numbers, texts)$.pred))
})

test_that("bars are drawn for at most twelve texts", {
  why <- the_reasons()
  file <- withr::local_tempfile(fileext = ".png")
  png(file)
  before <- par("mar", "mfrow")
  expect_invisible(plot(why))
  plot(why[why$row == 1, ], col = "grey")
  expect_identical(par("mar", "mfrow"), before)
  dev.off()
  expect_gt(file.size(file), 1000)
})

test_that("of many words the largest are drawn, those of pairs after the name of their text", {
  why <- fixed_reasons()
  one <- why[why$row == 1, ]
  bars <- explained_bars(one, "text", 3)
  expect_identical(bars$label, c("card", "late", ")"))
  expect_identical(bars$weight, c(2, 1.25, -0.5))
  expect_identical(weight_label(bars, one), "weight (the 3 largest of 8)")
  expect_identical(weight_label(explained_bars(one, "text", 8), one), "weight")
  one$text <- rep(c("question", "answer"), each = 4)
  bars <- explained_bars(one, c("question", "answer"), 5)
  expect_identical(bars$label, c("question:", "card", "late", "answer:", ")"))
  expect_identical(is.na(bars$weight), c(TRUE, FALSE, FALSE, TRUE, FALSE))
})

test_that("no probability is 0 or 1", {
  expect_identical(vapply(c(1 - 1e-9, 0.9994, 0.5, 0.0006, 1e-9), probability_label, ""),
    c("above 0.999", "0.999", "0.5", "0.001", "below 0.001"))
})
