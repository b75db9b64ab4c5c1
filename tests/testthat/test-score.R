# Writes data frames as Parquet files, and reads one as JSON lines, which show all types
write_parquet <- function(data, path) {
  reticulate::py_run_string("
def write_parquet(columns, path):
    import pyarrow as pa, pyarrow.parquet as pq
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), path)
", local = TRUE)$write_parquet(lapply(data, function(x) lapply(x, function(v) if (!is.na(v)) v)), path)
}

read_parquet <- function(path) {
  text <- reticulate::py_run_string("
def read_parquet(path):
    import json
    import pyarrow.parquet as pq
    table = pq.read_table(path)
    return json.dumps({name: table[name].to_pylist() for name in table.schema.names})
", local = TRUE)$read_parquet(path)
  jsonlite::fromJSON(text, simplifyVector = FALSE)
}

# A column of read_parquet() as that of bert_predict() which it should be: NULL is NA, rows of items are tibbles
as_column <- function(values, like) {
  if (is.list(like)) {
    return(Map(as_items, values, like))
  }
  values <- unlist(lapply(values, function(x) if (is.null(x)) NA else x))
  if (is.factor(like)) factor(values, levels(like), ordered = is.ordered(like)) else as.vector(values, typeof(like))
}

as_items <- function(rows, like) {
  if (is.null(rows) || is.character(like)) {
    return(if (!is.null(rows)) as.character(unlist(rows)))
  }
  columns <- lapply(stats::setNames(nm = names(like)), function(name) {
    as.vector(unlist(lapply(rows, `[[`, name)), typeof(like[[name]]))
  })
  tibble::as_tibble(columns)
}

expect_scored <- function(fit, data, type = NULL) {
  from <- withr::local_tempfile(fileext = ".parquet")
  to <- withr::local_tempfile()
  texts <- data[fit$spec$text]
  write_parquet(texts, from)
  expect_invisible(out <- bert_score(fit, from, to, type = type, verbose = FALSE))
  expect_identical(out, to)
  wanted <- bert_predict(fit, data, type = type)
  got <- read_parquet(file.path(to, basename(from)))
  expect_named(got, c(names(texts), names(wanted)))
  for (name in names(wanted)) {
    expect_equal(as_column(got[[name]], wanted[[name]]), wanted[[name]], tolerance = 1e-6)
  }
}

test_that("files get the predictions of bert_predict(), of every task and type", {
  skip_without_arrow()
  local_chunk_size(4L) # several batches
  data <- do.call(rbind, lapply(split(faq(), faq()$label), head, 5))
  data$other <- rev(data$text)
  data$label <- factor(data$label, ordered = TRUE)
  rows <- data
  rows$text[c(2, 6, 7)] <- NA
  rows$text[c(4, 9)] <- c("", "caf\u00e9 \U1F600 \"quoted\", too")
  fit <- quick_fit(label ~ text, data)
  for (type in c("all", "class", "prob")) {
    expect_scored(fit, rows, type)
  }
  expect_warning(expect_scored(fit, rows[c(2, 6), ]), class = "bertr_warning_no_texts")
  expect_scored(quick_fit(label ~ text + other, data), rows)

  data$card <- grepl("card", data$text)
  data$top <- grepl("top|transfer", data$text)
  fit <- quick_fit(cbind(card, top) ~ text, data)
  for (type in c("class", "prob")) {
    expect_scored(fit, rows, type)
  }
  data$labels <- Map(function(a, b) c("card", "top")[c(a, b)], data$card, data$top)
  expect_scored(quick_fit(labels ~ text, data), rows, "class")

  data$length <- nchar(data$text)
  data$share <- data$length / 1000
  expect_scored(quick_fit(length ~ text, data), rows)
  expect_scored(quick_fit(cbind(length, share) ~ text + other, data), rows)
  expect_scored(quick_fit(share ~ text + other, data, head = bert_head(pair = "cosine")), rows)
})

test_that("list-columns are lists of structs", {
  skip_without_arrow()
  local_chunk_size(4L)
  texts <- c("Ada wrote Notes.", "Notes was written by Ada.", "Ada was born in London.", NA, "", "Nobody came.")
  data <- tibble::tibble(text = texts[c(1:3, 1:3)], question = "Who?", answer = "Ada")
  data$relations <- rep(list(
    data.frame(head_start = 1, head_end = 3, relation = "wrote", tail_start = 11, tail_end = 15),
    data.frame(head_start = 22, head_end = 24, relation = "wrote", tail_start = 1, tail_end = 5),
    data.frame()
  ), 2)
  data$entities <- rep(list(
    data.frame(start = 1, end = 3, label = "who"),
    data.frame(start = 22, end = 24, label = "who"),
    data.frame(start = c(1, 17), end = c(3, 22), label = c("who", "where"))
  ), 2)
  rows <- data.frame(text = texts, question = "Who?")
  entities <- quick_fit(entities ~ text, data, train = "all", epochs = 15, learning_rate = 1e-3)
  expect_gt(sum(row_counts(bert_predict(entities, texts)$.pred_entities)), 2)
  expect_scored(entities, rows)
  relations <- quick_fit(relations ~ text, data, train = "all", epochs = 15, learning_rate = 1e-3)
  expect_gt(sum(row_counts(bert_predict(relations, texts)$.pred_relations)), 0)
  expect_scored(relations, rows)
  spans <- quick_fit(span(answer) ~ question + text, data, train = "all", epochs = 3)
  expect_scored(spans, rows)
  expect_scored(spans, rows, "nbest")
})

test_that("next sentences and vectors", {
  skip_without_arrow()
  local_chunk_size(4L)
  data <- data.frame(a = faq()$text[1:10], b = faq()$text[2:11])
  data$b[3] <- NA
  expect_scored(quick_fit(~ a + b, data, train = "top:1", epochs = 1), data)
  from <- withr::local_tempfile(fileext = ".parquet")
  write_parquet(data, from)
  vectors <- function(text, ...) {
    to <- withr::local_tempfile()
    bert_score(the_model(), from, to, text, keep = character(), ..., verbose = FALSE)
    got <- read_parquet(file.path(to, basename(from)))
    expect_named(got, "vector")
    wanted <- bert_embed(the_model(), data, text = text, ..., verbose = FALSE)
    expect_identical(vapply(got$vector, is.null, NA), unname(is.na(wanted[, 1])))
    expect_equal(do.call(rbind, lapply(got$vector, unlist)), unname(wanted[!is.na(wanted[, 1]), ]), tolerance = 1e-6)
  }
  vectors("b")
  vectors(c("a", "b"), pool = "max", layer = 2:3, normalise = TRUE, max_len = 8)
})

test_that("CSV comes back as read.csv() reads it", {
  skip_without_arrow()
  from <- withr::local_tempdir()
  to <- withr::local_tempfile()
  data <- faq()[1:6, ]
  data$text[2:4] <- c(NA, "a \"b\",\nc", "")
  data$id <- sprintf("%03d", 1:6)
  write.csv(data, file.path(from, "a.csv"), row.names = FALSE)
  write.csv(data[0, ], file.path(from, "b.csv"), row.names = FALSE)
  bert_score(the_fit(), from, to, keep = c("id", "text"), verbose = FALSE)
  got <- read.csv(file.path(to, "a.csv"), check.names = FALSE, colClasses = c(id = "character"))
  expect_identical(got[1:2], data[c("id", "text")], ignore_attr = "row.names")
  wanted <- bert_predict(the_fit(), data)
  wanted$.pred_class <- as.character(wanted$.pred_class)
  expect_equal(got[-(1:2)], as.data.frame(wanted), tolerance = 1e-6)
  expect_identical(readLines(file.path(to, "b.csv")), readLines(file.path(to, "a.csv"), 1))
})

test_that("Spark is named by its URL or a connection", {
  expect_identical(spark_master("local[2]", NULL), "local[2]")
  expect_identical(spark_master(structure(list(master = "yarn"), class = "spark_connection"), NULL), "yarn")
})

test_that("Spark's workers predict what bert_predict() predicts", {
  skip_without_arrow()
  skip_on_cran()
  skip_if_not(reticulate::py_module_available("pyspark") && nzchar(Sys.which("java")), "pyspark and Java")
  data <- faq()[1:9, ]
  data$text[3] <- NA
  data$id <- as.character(1:9)
  from <- withr::local_tempfile(fileext = ".parquet")
  to <- withr::local_tempfile()
  write_parquet(data, from)
  bert_score(the_fit(), from, to, keep = "id", spark = "local[1]", verbose = FALSE)
  got <- lapply(list.files(to, "^part-", full.names = TRUE), read_parquet)
  got <- do.call(Map, c(f = c, got))
  wanted <- bert_predict(the_fit(), data)
  order <- match(data$id, unlist(got$id))
  expect_setequal(unlist(got$id), data$id)
  for (name in names(wanted)) {
    expect_equal(as_column(got[[name]][order], wanted[[name]]), wanted[[name]], tolerance = 1e-6)
  }
})
