test_that("check_text() passes valid text on as UTF-8", {
  latin1 <- "caf\xe9"
  Encoding(latin1) <- "latin1"
  expect_identical(check_text(c(latin1, NA, ""), "x"), c("caf\u00e9", NA, ""))
  expect_identical(check_text(factor(c("b", NA, "a")), "x"), c("b", NA, "a"))
  unmarked <- rawToChar(as.raw(c(0x63, 0xc3, 0xa9)))
  expect_identical(Encoding(check_text(unmarked, "x")), "UTF-8")
  expect_identical(check_text(character(), "x"), character())
  mixed <- check_text(rep(c(latin1, unmarked, NA, "plain"), 30000), "x") # several pieces
  expect_identical(mixed, rep(c("caf\u00e9", "c\u00e9", NA, "plain"), 30000))
  expect_identical(unique(Encoding(mixed)), c("UTF-8", "unknown"))
})

test_that("check_text() names the rows that are not UTF-8", {
  bad <- c("fine", "caf\xe9", NA, "\xff")
  expect_error(check_text(bad, "`x`"), "not valid UTF-8 in rows 2, 4", class = "bertr_error_encoding")
  expect_error(check_text(bad, "`x`"), "iconv")
  expect_error(check_text(rep("\xff", 10), "`x`"), "rows 1, 2, 3, 4, 5 and 5 more")
  bytes <- "caf\xe9"
  Encoding(bytes) <- "bytes"
  expect_error(check_text(bytes, "`x`"), "row 1", class = "bertr_error_encoding")
})

test_that("a setting that is not UTF-8 is reported", {
  for (bad in list("a\xff", `Encoding<-`("caf\xc3\xa9", "bytes"))) {
    expect_error(check_string(bad, "x"), "`x` is not valid UTF-8", class = "bertr_error_encoding")
    expect_error(check_choice(bad, "a", "x"), "`x` is not valid UTF-8", class = "bertr_error_encoding")
    expect_error(read_conll(bad), "`file` is not valid UTF-8", class = "bertr_error_encoding")
    expect_error(bert_control(schedule = bad), "`schedule` is not valid UTF-8", class = "bertr_error_encoding")
  }
  expect_null(check_string(`Encoding<-`("caf\xe9", "latin1"), "x"))
})

test_that("labels in files are those in UTF-8, marked or not", {
  marked <- "K\u00f6ln"
  unmarked <- `Encoding<-`(marked, "unknown")
  latin1 <- iconv(marked, "UTF-8", "latin1")
  texts <- c("K\u00f6ln is big", "Bonn is small", "K\u00f6ln is old")
  towns <- function(labels) {
    tibble::tibble(text = texts, tags = as.list(labels), towns = Map(function(text, label) {
      data.frame(start = 1, end = nchar(sub(" .*", "", text)), label = label)
    }, texts, labels))
  }
  labels <- list(c(marked, "town", marked), c(unmarked, "town", unmarked), c(latin1, "town", marked))
  for (formula in list(tags ~ text, towns ~ text)) {
    levels <- lapply(labels, function(x) {
      training_rows(formula, towns(x), NULL, NULL, NULL, 1, identity, NULL)$spec$levels
    })
    expect_identical(levels[[1]], c("K\u00f6ln", "town"))
    expect_identical(levels[[2]], levels[[1]])
    expect_identical(levels[[3]], levels[[1]])
    expect_identical(unique(unlist(lapply(levels, Encoding))), c("UTF-8", "unknown"))
  }
})

test_that("a path that this locale cannot write is not changed into another one", {
  path <- file.path(withr::local_tempdir(), "mod\u00e8le")
  expect_null(check_path(path, "x"))
  withr::local_locale(c(LC_CTYPE = "C"))
  for (path in c(path, `Encoding<-`(path, "unknown"))) {
    expect_error(check_path(path, "x"), "UTF-8 locale", class = "bertr_error_encoding")
    expect_error(bert_load(path), class = "bertr_error_encoding")
    expect_error(bert_control(checkpoint = path), class = "bertr_error_encoding")
    expect_error(read_squad(path), class = "bertr_error_encoding")
  }
  expect_identical(list.files(dirname(path)), character())
})

test_that("an embedded NUL cannot become an R string", {
  expect_error(rawToChar(as.raw(c(0x61, 0x00, 0x62))), "nul")
})

test_that("arguments of the wrong kind are reported", {
  expect_error(check_number("a", "x", 0), "`x` must be a single number of at least 0, not a string",
    class = "bertr_error_argument")
  expect_error(check_number(0, "x", 0, 1, open = TRUE), "above 0 and at most 1, not 0")
  expect_error(check_number(NA_real_, "x"), "a single number")
  expect_error(check_whole(1.5, "x"), "whole number, not 1.5")
  expect_error(check_flag(NA, "x"), "TRUE or FALSE")
  expect_error(check_string("", "x"), "a single non-empty string")
  expect_error(check_choice("c", c("a", "b"), "x"), "\"a\" or \"b\"")
  expect_error(check_data(1, "d"), "`d` must be a data frame", class = "bertr_error_data")
  expect_error(check_class(1, c("bert_model", "bert_fit"), "m"), "bert_load\\(\\).* or .*bert_fit\\(\\)")
})

test_that("settings are checked where they are made", {
  expect_s3_class(bert_control(), "bert_control")
  expect_error(bert_control(warmup = 2), "from 0 to 1, not 2")
  expect_error(bert_control(clip = 0), "above 0")
  expect_error(bert_control(dropout = 1), "dropout")
  expect_error(bert_control(serialize = NA), "TRUE or FALSE")
  expect_identical(bert_head(c(256, 256))$units, c(256L, 256L))
  expect_error(bert_head(units = 0), "whole numbers from 1 to 100,000")
  expect_error(bert_head(pool = "sum"), "\"cls\"")
  expect_output(print(bert_head(c(8, 4), 0.5)), "units +8, 4")
})

test_that("check_text() makes no copy of what needs no change", {
  x <- rep_len(c("plain", "caf\u00e9", NA), 120000) # several pieces
  expect_identical(rlang::obj_address(check_text(x, "x")), rlang::obj_address(x))
  x[[110000]] <- "\xff"
  expect_error(check_text(x, "`x`"), "row 110000", class = "bertr_error_encoding")
})
