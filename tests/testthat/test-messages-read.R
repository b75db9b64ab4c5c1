test_that("read_conll() says what it cannot read", {
  short <- withr::local_tempfile(lines = c("Ada B-PER", "met", "Bob"))
  latin1 <- withr::local_tempfile()
  writeBin(charToRaw("caf\xe9 O\n"), latin1)
  utf16 <- withr::local_tempfile()
  writeBin(as.raw(c(0x41, 0, 0x0a, 0)), utf16)
  mixed <- withr::local_tempfile(lines = c("Ada PER", "met O", "Bob B-PER"))
  empty <- withr::local_tempfile(lines = c("Ada,B-PER", ",O"))
  expect_said({
    read_conll(1)
    read_conll("nowhere.txt")
    read_conll(tempdir())
    read_conll(short)
    read_conll(short, token = 0)
    read_conll(short, tag = "last")
    read_conll(short, sep = "")
    read_conll(short, comment = 1)
    read_conll(latin1)
    read_conll(utf16)
    read_conll(mixed)
    read_conll(empty, sep = ",")
  })
})

test_that("bert_entities() says what its lists must be", {
  expect_said({
    bert_entities("Ada", "B-PER")
    bert_entities(list("Ada"), list(1))
    bert_entities(list("Ada", "Bob"), list("B-PER"))
    bert_entities(list(c("Ada", "met")), list("B-PER"))
    bert_entities(list("Ada", c("Bob", NA)), list("O", c("O", "O")))
    bert_entities(list("caf\xe9"), list("O"))
    bert_entities(list("Ada"), list("\xff"))
  })
})

test_that("read_squad() says what it cannot read", {
  other <- withr::local_tempfile(lines = "{}")
  no_json <- withr::local_tempfile(lines = "")
  wrong <- withr::local_tempfile(lines = '{"data": [{"paragraphs": [{"context": "a b", "qas": [
    {"id": "1", "question": "?", "answers": [{"text": "b", "answer_start": "2"}]}]}]}]}')
  expect_said({
    read_squad(1)
    read_squad("nowhere.json")
    read_squad(no_json)
    read_squad(other)
    read_squad(wrong)
  })
})
