# What the tasks say of their outcomes; nothing is trained
fit <- function(formula, data, ...) bert_fit(the_model(), formula, data, ..., seed = 1)

test_that("numbers that cannot be learned are reported", {
  data <- data.frame(text = letters[1:4], same = 1, endless = c(1, Inf, 2, -Inf), size = c(1, 5, 2, 7))
  data$share <- c(0.1, 0.2, 0.9, 0.3)
  logit <- bert_head(link = "logit")
  word <- transform(data, share = "a")
  expect_said({
    fit(same ~ text, data)
    fit(cbind(size, same) ~ text, data)
    fit(endless ~ text, data)
    fit(size ~ text, data, head = logit)
    fit(share ~ text, data, validation = word)
  })
})

test_that("numbers that may mean something else are reported", {
  local_no_training()
  data <- data.frame(text = letters[1:8], yes = c(0, 1), stars = c(1, 3, 5, 1), share = 1:8 / 10)
  data$other <- rev(data$share)
  expect_said({
    fit(yes ~ text, data)
    fit(stars ~ text, data)
    fit(share ~ text, data)
    fit(cbind(share, other) ~ text, data)
  }, error = FALSE)
})

test_that("labels that cannot be learned are reported", {
  data <- data.frame(text = letters[1:4], card = c(TRUE, FALSE), long = c(0, 1, 1, 0))
  data$tags <- list("a", c("a", "b"), character(), "b")
  mixed <- data
  mixed$tags[[2]] <- 1
  other <- transform(data, long = c(0, 2, 3, 1), tags = "a")
  words <- data
  words$tags <- list("O", c("B-person", "I-person", "O"), "O", "B-place")
  none <- data
  none$tags[] <- list(character())
  invalid <- data
  invalid$tags[[2]] <- c("a", "\xff")
  expect_said({
    fit(tags ~ text, mixed)
    fit(tags ~ text, none)
    fit(tags ~ text, invalid)
    fit(tags ~ text, data, validation = other)
    fit(card ~ text, data, validation = transform(data, card = 1 * card))
    fit(tags ~ text, words)
    fit(cbind(card, long) ~ text, data, validation = other)
  })
})

test_that("labels that are the same in all rows are reported", {
  local_no_training()
  data <- data.frame(text = letters[1:4], card = c(TRUE, FALSE), no = 0, yes = 1)
  expect_said({
    fit(cbind(card, no) ~ text, data)
    fit(cbind(card, no, yes) ~ text, data)
  }, error = FALSE)
})

test_that("entities that cannot be learned are reported", {
  data <- data.frame(text = c("Ada met Mary", "Bob in Paris"), other = "b")
  frame <- function(start, end, label = "x") data.frame(start = start, end = end, label = label)
  both <- function(first, second = frame(1, 3), formula = entities ~ text, ...) {
    data$entities <- list(first, second)
    fit(formula, data, ...)
  }
  expect_said({
    both("Ada")
    both(data.frame(begin = 1, end = 3))
    both(frame("1", 3), frame(1, 3, 7))
    both(frame(NA_real_, 3))
    both(frame(1, 2.5))
    both(frame(1, 3, NA_character_))
    both(frame(1, 3, latin1))
    both(frame(5, 3))
    both(frame(4, 13), frame(0, 3))
    both(frame(c(1, 3), c(3, 4)))
    both(data.frame(), data.frame())
    both(frame(1, 3), formula = entities ~ text + other)
    both(frame(1, 3), validation = transform(data, entities = "a"))
  })
})

test_that("relations that cannot be learned are reported", {
  whole <- data.frame(head_start = 1, head_end = 3, relation = "met", tail_start = 9, tail_end = 11)
  data <- data.frame(text = c("Ada met Bob.", "Bob met Ada."), other = "b")
  both <- function(..., first = whole, formula = relations ~ text, more = list()) {
    changes <- list(...)
    first[names(changes)] <- changes
    data$relations <- list(first, whole)
    do.call(fit, c(list(formula, data), more))
  }
  expect_said({
    both(first = "Ada")
    both(first = whole[c("head_start", "relation")])
    both(head_start = "1")
    both(relation = NA)
    both(relation = latin1)
    both(head_start = 1.5)
    both(tail_end = NA_real_)
    both(head_end = 20)
    both(tail_start = 0)
    both(tail = "Bib")
    both(head = "Ado")
    both(first = data.frame(head = "Ado", relation = "met", tail = "Bob"))
    both(first = data.frame(head = "Ada", relation = "met", tail = ""))
    both(formula = relations ~ text + other)
    both(more = list(validation = transform(data, relations = "a")))
    fit(relations ~ text, tibble(data["text"], relations = list(whole[0, ], whole[0, ])))
  })
  data$text <- c("Ada met Bob and Bob.", "Bob met Ada, Ada met Bob.")
  data$relations <- list(data.frame(head = "Ada", relation = "met", tail = "Bob"))
  expect_said(fit(relations ~ text, data), error = FALSE)
  expect_said(fit(relations ~ text, data[1, ]), error = FALSE)
})

test_that("answers that cannot be learned are reported", {
  data <- data.frame(question = "Who?", context = c("the cat and the cat", "a red dog"), answer = c("cat", "dog"))
  data$start <- c(5, 7)
  learn <- function(formula = span(answer, start) ~ question + context, ...) fit(formula, transform(data, ...))
  single <- span(answer) ~ question + context
  expect_said({
    learn(span() ~ question + context)
    learn(span(answer, start, start) ~ question + context)
    learn(single)
    learn(start = NA_real_)
    learn(single, answer = "Cat")
    learn(answer = " ")
    learn(answer = "")
    learn(answer = 1)
    learn(start = letters[1:2])
    learn(start = c(5, 7.5))
    learn(start = c(4, 6))
    learn(start = c(50, 0))
  })
})
