test_that("a file is read, starts counted from 1", {
  file <- withr::local_tempfile(fileext = ".json")
  writeLines('{"version": "v2.0", "data": [{"title": "Rivers", "paragraphs": [{"context": "\\ud83d\\ude00 The Rhine.",
    "qas": [
      {"id": "a", "question": "Which?", "answers": [{"text": "Rhine", "answer_start": 6},
        {"text": "The Rhine", "answer_start": 2}]},
      {"id": "b", "question": "Who?", "is_impossible": true, "answers": []},
      {"id": "c", "question": "Hidden?"}
    ]}]}]}', file)
  out <- read_squad(file)
  expect_identical(out, tibble(id = c("a", "b", "c"), title = "Rivers", question = c("Which?", "Who?", "Hidden?"),
    context = "\U0001F600 The Rhine.", answer = c("Rhine", "", NA), start = c(7L, NA, NA),
    answers = list(c("Rhine", "The Rhine"), character(), character())))
  expect_identical(substr(out$context, out$start, out$start + 4)[[1]], "Rhine")
  spec <- read_formula(span(answer, start) ~ question + context, out)
  rows <- complete_rows(spec, out, "data", speaker(FALSE), NULL)
  expect_identical(rows$outcome$start, c(7L, 0L))
})

test_that("other files are reported", {
  expect_error(read_squad("nowhere.json"), "does not exist", class = "bertr_error_file")
  expect_error(read_squad(1), "a single non-empty string", class = "bertr_error_argument")
  file <- withr::local_tempfile(lines = "{}")
  expect_error(read_squad(file), "is not a SQuAD file", class = "bertr_error_file")
})

test_that("a field of the wrong type is reported", {
  file <- withr::local_tempfile(lines = '{"data": [{"paragraphs": [{"context": "a b", "qas": [
    {"id": "1", "question": "?", "answers": [{"text": "b", "answer_start": "2"}]}]}]}]}')
  expect_error(read_squad(file), "answer_start.*whole number", class = "bertr_error_file")
})
