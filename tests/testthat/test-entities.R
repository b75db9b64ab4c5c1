frame <- function(start = integer(), end = integer(), label = character()) {
  tibble::tibble(start = start, end = end, label = label)
}

people <- function() {
  data <- data.frame(text = c("Ada met Mary", "nobody", "Bob in Paris", "Rome"))
  data$entities <- list(frame(c(1, 9), c(3, 12), "PER"), frame(), frame(c(1, 8), c(3, 12), c("PER", "LOC")), NULL)
  data
}

entity_rows <- function(data) {
  complete_rows(read_formula(entities ~ text, data), data, "data", speaker(FALSE), NULL)
}

test_that("a list of data frames is entities, one of relations is not", {
  spec <- read_formula(entities ~ text, people())
  expect_identical(spec[c("task", "outcome")], list(task = "entities", outcome = "entities"))
  expect_true(is_entities(list(NULL, frame())))
  expect_false(is_entities(list(data.frame(head = "a", relation = "r", tail = "b"))))
  expect_false(is_entities(list("a", c("a", "b"))))
  expect_false(is_entities(frame()))
})

test_that("entities cross counted from 0, sorted, and rows without any stay", {
  rows <- entity_rows(people())
  expect_identical(rows$a, c("Ada met Mary", "nobody", "Bob in Paris"))
  settled <- settle_entities(list(task = "entities"), rows$outcome, speaker(TRUE), NULL)
  expect_identical(settled$spec$levels, c("LOC", "PER"))
  target <- entity_target(settled$spec, rows$outcome[c(3, 2, 1)])
  expect_identical(target, list(row = c(0L, 0L, 2L, 2L), start = c(0L, 7L, 0L, 8L), end = c(3L, 12L, 3L, 12L),
    code = c(1L, 0L, 1L, 1L), levels = list("LOC", "PER")))
  unsorted <- flat_entities(list(frame(c(9, 1), c(12, 3), c("b", "a"))))
  expect_identical(unsorted$label, c("a", "b"))
  expect_identical(task_entities()$strata(rows$outcome), c(2L, 1L, 2L))
  expect_error(settle_entities(list(), list(frame()), speaker(TRUE), NULL), "nothing to learn",
    class = "bertr_error_no_entities")
})

test_that("what is wrong with entities is reported with its rows", {
  wrong <- function(..., class = "bertr_error_span") {
    data <- people()
    data$entities[c(1, 3)] <- list(...)
    expect_error(entity_rows(data), class = class)
  }
  ok <- frame(1, 3, "PER")
  expect_match(conditionMessage(wrong(ok, frame(c(1, 3), c(3, 4), "x"))),
    "\"entities\" of `data` has .*overlap in row 3")
  expect_match(conditionMessage(wrong(frame(4, 13, "x"), frame(0, 3, "x"))), "outside its text in rows 1, 3")
  expect_match(conditionMessage(wrong(ok, frame(5, 3, "x"))), "ends before it starts in row 3")
  expect_match(conditionMessage(wrong(frame(NA_real_, 3, "x"), ok)), "missing or fractional `start` in row 1")
  expect_match(conditionMessage(wrong(frame(1, 2.5, "x"), ok)), "fractional `end` in row 1")
  expect_match(conditionMessage(wrong(frame(1, 3, NA_character_), ok)), "without a label in row 1")
  shape <- function(...) conditionMessage(wrong(..., class = "bertr_error_shape"))
  expect_match(shape(ok, data.frame(begin = 1, end = 3)), "is missing one of start and end .* in row 3")
  expect_match(shape("PER", ok), "other than a data frame in row 1")
  expect_match(shape(frame("1", 3, "x"), ok), "in row 1")
  expect_match(shape(frame(1, 3, 7), frame(1, 3, 7)), "in rows 1, 3")
  data <- people()
  data$entities[[3]] <- data.frame() # no columns, no rows: no entity
  expect_length(entity_rows(data)$a, 3)
  expect_error(read_formula(entities ~ text + other, cbind(data, other = "a")) |> entity_outcome(data, "data", NULL),
    "in one text column", class = "bertr_error_pair")
})

test_that("predictions are one tibble per row, and can be learned from", {
  spec <- list(levels = c("LOC", "PER"))
  result <- list(row = c(1L, 1L, 3L), start = c(1L, 9L, 2L), end = c(3L, 12L, 2L), code = c(1L, 1L, 0L),
    text = c("Ada", "Mary", "x"), score = c(0.9, 0.8, 0.7))
  out <- entity_predictions(spec, result, c(2L, 3L, 5L), 5, "all")$.pred_entities
  expect_identical(lengths(out), c(0L, 5L, 5L, 0L, 5L))
  expect_identical(out[[2]], tibble::tibble(start = c(1L, 9L), end = c(3L, 12L), label = "PER", text = c("Ada", "Mary"),
    score = c(0.9, 0.8)))
  expect_identical(row_counts(out), c(0L, 2L, 0L, 0L, 1L))
  expect_s3_class(out[[3]], "tbl_df")
  none <- list(row = list(), start = list(), end = list(), code = list(), text = list(), score = list())
  expect_identical(row_counts(entity_predictions(spec, none, 1:2, 2, "all")$.pred_entities), c(0L, 0L))
  expect_identical(entity_predictions(spec, NULL, integer(), 1, "all"), list(.pred_entities = list(NULL)))
})

test_that("words and tags become text and entities", {
  out <- bert_entities(list(c("Ada", "Lovelace", "met", "Bob"), character(), "x"),
    list(c("B-PER", "I-PER", "O", "B-PER"), NULL, factor("O")))
  expect_identical(out$text, c("Ada Lovelace met Bob", "", "x"))
  expect_identical(out$entities[[1]], tibble::tibble(start = c(1L, 18L), end = c(12L, 20L), label = "PER"))
  expect_identical(row_counts(out$entities), c(2L, 0L, 0L))
  spans <- function(...) {
    tags <- c(...)
    out <- bert_entities(list(rep("ab", length(tags))), list(tags))$entities[[1]]
    paste0(out$label, (out$start + 2) / 3, "-", out$end %/% 3 + 1)
  }
  expect_identical(spans("I-a", "I-a", "B-a", "I-b"), c("a1-2", "a3-3", "b4-4")) # IOB1
  expect_identical(spans("S-a", "B-a", "I-a", "E-a", "E-a", "O", "E-b"), c("a1-1", "a2-4", "a5-5", "b7-7")) # BIOES
  expect_identical(spans("NOUN", "NOUN", "VERB", "O", ""), c("NOUN1-1", "NOUN2-2", "VERB3-3"))
  emoji <- bert_entities(list(c("\U1f469\u200d\U1f467", "\u5317\u4eac")), list(c("O", "B-a")))
  expect_identical(substr(emoji$text, emoji$entities[[1]]$start, emoji$entities[[1]]$end), "\u5317\u4eac")
})

test_that("tags are read as seqeval reads them", {
  the_model() # Python runs
  skip_if_not(reticulate::py_module_available("seqeval"))
  seqeval <- reticulate::import("seqeval.metrics.sequence_labeling")
  set.seed(1)
  for (prefixes in list(c("B", "I"), c("B", "I", "E", "S"))) {
    tags <- replicate(50, sample(c("O", outer(prefixes, c("x", "y"), paste, sep = "-")), 12, TRUE), simplify = FALSE)
    out <- bert_entities(rep(list(rep("a", 12)), 50), tags)$entities
    expected <- lapply(tags, function(x) seqeval$get_entities(as.list(x)))
    expect_identical(lapply(out, function(e) paste(e$label, (e$start - 1L) / 2L, (e$end - 1L) / 2L)),
      lapply(expected, function(e) vapply(e, function(s) paste(s[[1]], s[[2]], s[[3]]), "")))
  }
})

test_that("words and tags that do not fit are reported", {
  expect_error(bert_entities(list("a"), list()), "1 row, but `tags` has 0", class = "bertr_error_tags")
  expect_error(bert_entities(list("a", c("a", "b")), list("O", "O")), "differ in length in row 2",
    class = "bertr_error_tags")
  expect_error(bert_entities(list(c("a", NA)), list(c("O", "O"))), "contain a missing or empty word in row 1",
    class = "bertr_error_tags")
  expect_error(bert_entities(list(c("a", "b")), list(c("B-x", "x"))), "with and without a prefix such as B- in row 1",
    class = "bertr_error_tags")
  expect_error(bert_entities("a", "O"), "`tokens` must be a list", class = "bertr_error_tags")
})

test_that("CoNLL files are read", {
  file <- withr::local_tempfile(lines = c("-DOCSTART- -X- O O", "", "EU NNP B-NP B-ORG", "rejects VBZ B-VP O", "",
    " ", "# NN B-NP O", "German JJ I-NP B-MISC", ""))
  out <- read_conll(file)
  expect_identical(out$text, c("EU rejects", "# German"))
  expect_identical(out$entities[[2]], tibble::tibble(start = 3L, end = 8L, label = "MISC"))
  expect_identical(read_conll(file, tag = 2)$entities[[1]]$label, c("NNP", "VBZ"))
  lines <- c("# text = don't", "1-2\tdon't\t_\t_", "1\tdo\tdo\tAUX", "2\tn't\tnot\tPART")
  conllu <- withr::local_tempfile(lines = lines)
  out <- read_conll(conllu, token = 2, tag = 4, sep = "\t", comment = "#")
  expect_identical(out$text, "do n't")
  expect_identical(out$entities[[1]]$label, c("AUX", "PART"))
  expect_error(read_conll(conllu, sep = "\t"), "too few columns in line 1", class = "bertr_error_file")
  expect_error(read_conll("nowhere"), "does not exist", class = "bertr_error_file")
  expect_error(read_conll("no/where"), "does not exist", class = "bertr_error_file")
  expect_identical(nrow(read_conll(withr::local_tempfile(lines = character()))), 0L)
})

test_that("a file that may not be read is not said to be absent or damaged", {
  skip_on_os(c("windows", "mac"))
  file <- withr::local_tempfile(lines = "EU NNP")
  Sys.chmod(file, "000")
  closed <- withr::local_tempdir()
  writeLines("EU NNP", file.path(closed, "file"))
  Sys.chmod(closed, "000")
  withr::defer(Sys.chmod(closed, "700"))
  calls <- c(sprintf("bertr::read_conll('%s')", c(file, file.path(closed, "file"))),
    sprintf("bertr:::read_rds('%s')", file))
  code <- sprintf("for (f in expression(%s)) tryCatch(eval(f), error = function(e) cat(conditionMessage(e)))",
    paste(calls, collapse = ", "))
  # a superuser's R gives up the capabilities to read everything
  less <- c("setpriv", "--bounding-set=-dac_override,-dac_read_search")
  command <- c(if (file.access(file, 4) == 0) less, file.path(R.home("bin"), "Rscript"), "-e", code)
  said <- withr::with_envvar(c(R_LIBS = paste(.libPaths(), collapse = ":")),
    system2(command[1], shQuote(command[-1]), stdout = TRUE, stderr = TRUE))
  said <- gsub("\\s+", " ", paste(said, collapse = " "))
  expect_length(gregexpr("could not be read: Permission denied.", said, fixed = TRUE)[[1]], 3)
})

test_that("a fit of entities predicts, is evaluated, is kept, and learns from its own predictions", {
  data <- bert_entities(
    list(c("Ada", "Lovelace", "met", "Bob", "."), c("It", "rains", "."), c("Bob", "saw", "Ada", "Lovelace")),
    list(c("B-PER", "I-PER", "O", "B-PER", "O"), c("O", "O", "O"), c("B-PER", "O", "B-PER", "I-PER"))
  )
  data <- data[rep(1:3, 8), ]
  expect_message(fit <- bert_fit(the_model(), entities ~ text, data, epochs = 12, seed = 1, validation = data[1:3, ]),
    NA)
  expect_output(print(fit), "entities (1 label): entities ~ text", fixed = TRUE)
  expect_no_match(capture.output(print(fit)), "pooling")
  expect_identical(last_epoch(fit)$val_f_meas, 1)
  new <- data.frame(text = c("Bob met Ada Lovelace.", NA, ""))
  out <- bert_predict(fit, new)
  expect_identical(nrow(out), 3L)
  expect_identical(out$.pred_entities[[1]]$text, c("Bob", "Ada Lovelace"))
  expect_identical(out$.pred_entities[[1]]$start, c(1L, 9L))
  expect_null(out$.pred_entities[[2]])
  expect_identical(nrow(out$.pred_entities[[3]]), 0L)
  metrics <- bert_evaluate(fit, data)
  expect_identical(metrics$.estimate[[3]], 1)
  missing <- tibble::tibble(text = NA, entities = data$entities[1:2]) # a column of only NA is logical
  expect_error(bert_evaluate(fit, missing), "no complete rows", class = "bertr_error")
  folder <- withr::local_tempfile()
  bert_save(fit, folder)
  expect_equal(bert_predict(bert_load(folder), new), out, tolerance = 1e-6)
  again <- augment(fit, data)
  expect_identical(entity_target(fit$spec, again$.pred_entities), entity_target(fit$spec, data$entities))
  again <- quick_fit(.pred_entities ~ text, again, epochs = 1)
  expect_identical(again$spec$levels, "PER")
  unknown <- data
  unknown$entities[[2]] <- frame(1, 2, "LOC")
  expect_message(bert_evaluate(fit, unknown), "\"LOC\", in 1 row: counted as wrong")
})

test_that("words can be those between spaces", {
  data <- bert_entities(list(c("They", "do", "n't", "come", "."), c("I", "do", "n't", "know", ".")),
    list(c("PRON", "AUX", "PART", "VERB", "PUNCT"), c("PRON", "AUX", "PART", "VERB", "PUNCT")))[rep(1:2, 8), ]
  fit <- quick_fit(entities ~ text, data, head = bert_head(words = "space"), epochs = 12, seed = 1)
  folder <- withr::local_tempfile()
  bert_save(fit, folder)
  found <- bert_predict(bert_load(folder), "They do n't know.")$.pred_entities[[1]]
  expect_identical(found$text, c("They", "do", "n't", "know."))
  expect_identical(found$label[1:3], c("PRON", "AUX", "PART"))
  expect_error(bert_head(words = "blank"), "words", class = "bertr_error_argument")
})

test_that("hostile words and files are reported", {
  for (x in list(NULL, 1, "a", faq(), function(x) x, list(1), list(list("a")), new.env(), quote(a))) {
    expect_error(bert_entities(x, list("O")), class = "bertr_error_tags")
    expect_error(bert_entities(list("a"), x), class = "bertr_error_tags")
  }
  file <- withr::local_tempfile(lines = c("Rome B-LOC", "", "is O"))
  expect_identical(nrow(read_conll(file)), 2L)
  for (x in list(1, NA_character_, "", c("a", "b"), list(), TRUE)) {
    expect_error(read_conll(file, sep = x), "sep", class = "bertr_error_argument")
    expect_error(read_conll(file, comment = x), "comment", class = "bertr_error_argument")
    expect_error(read_conll(x), class = "bertr_error")
  }
  expect_error(read_conll(dirname(file)), "is a folder, not a file", class = "bertr_error_file")
  expect_error(read_conll(file, token = 1e9), "too few columns", class = "bertr_error_file")
  expect_identical(nrow(read_conll(withr::local_tempfile(lines = character()))), 0L)
  utf16 <- withr::local_tempfile()
  writeBin(iconv("Rome B-LOC\n", "UTF-8", "UTF-16LE", toRaw = TRUE)[[1]], utf16)
  expect_error(read_conll(utf16), "is not UTF-8 text", class = "bertr_error_file")
})
