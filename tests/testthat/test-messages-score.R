# Files that Python reads, and what bert_score() says of them and of its arguments
local_tables <- function(env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  write.csv(faq()[1:3, ], file.path(folder, "a.csv"), row.names = FALSE)
  folder
}

test_that("bert_score() says what it did", {
  skip_without_arrow()
  from <- local_tables()
  to <- withr::local_tempfile()
  fit <- the_fit()
  expect_said(
    {
      bert_score(fit, from, to)
      write.csv(faq()[1, ], file.path(from, "b.csv"), row.names = FALSE)
      bert_score(fit, from, to)
      bert_score(the_model(), file.path(from, "b.csv"), withr::local_tempfile(), "text", max_len = 5)
      bert_score(fit, from, to, verbose = FALSE)
      say_scored(list(rows = 600), "hdfs://scored", NULL, speaker(TRUE)) # by Spark
    },
    error = FALSE
  )
})

test_that("bert_score() says what it needs", {
  skip_without_arrow()
  from <- local_tables()
  to <- withr::local_tempfile()
  taken <- withr::local_tempdir()
  writeLines("", file.path(taken, "notes.txt"))
  expect_said({
    bert_score(1, from, to)
    bert_score(the_fit(), 1, to)
    bert_score(the_fit(), from, NULL)
    bert_score(the_fit(), from, to, keep = 1)
    bert_score(the_fit(), from, to, keep = c("label", "label"))
    bert_score(the_fit(), from, to, keep = c("label", "id"))
    bert_score(the_fit(), from, to, type = "vector")
    bert_score(the_fit(), from, to, text = "text")
    bert_score(the_words(), from, to)
    bert_score(the_model(), from, to)
    bert_score(the_model(), from, to, c("a", "b", "c"))
    bert_score(the_model(), from, to, "txt")
    bert_score(the_model(), from, to, "text", pool = "none")
    bert_score(the_fit(), file.path(from, "c.csv"), to)
    bert_score(the_fit(), from, file.path(from, "out"))
    bert_score(the_fit(), from, taken)
    bert_score(the_fit(), from, to, spark = 1)
  })
  bert_score(the_fit(), from, to, verbose = FALSE)
  expect_said(bert_score(the_fit(), from, to, type = "class"))
  file.create(file.path(from, "a.pickle"))
  expect_said(bert_score(the_fit(), from, to))
})

test_that("bert_score() names damaged files once the others are done", {
  skip_without_arrow()
  from <- local_tables()
  to <- withr::local_tempfile()
  writeLines(c("text,label", "a,b,c"), file.path(from, "b.csv"))
  expect_said(bert_score(the_fit(), from, to))
  expect_identical(list.files(to), "a.csv")
  file.create(file.path(from, "c.csv"))
  expect_said(bert_score(the_fit(), from, to))
})
