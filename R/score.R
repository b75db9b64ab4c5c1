#' Score tables in files
#'
#' Adds the columns of [bert_predict()], or the vectors of [bert_embed()], to tables in files, and writes them into
#' another folder. The tables may be larger than memory: they are read, scored and written 10,000 rows at a time. A call
#' that was interrupted or killed goes on where it was when it is made again.
#'
#' Needs the Python package pyarrow. Run `bert_install(score = TRUE)`; if reticulate creates Python's environment, call
#' `reticulate::py_require("pyarrow")` before the first use of bertr instead.
#'
#' @section Files:
#' `from` is one file or a folder, with the files in its folders. Names that start with a dot or an underscore are
#' skipped. All files must have the same format, known by their names:
#' - `.parquet`. The types of the kept columns stay; each must be the same in all files. Classes are a dictionary, which
#'   the package arrow reads as a factor.
#' - `.csv`, with a header. All columns are kept as text, unchanged. `NA` and nothing, both without quotes, are missing
#'   values. The output is written as by `write.csv(row.names = FALSE)`; vectors and other lists are JSON.
#' - `.jsonl`, `.ndjson` or `.json`: JSON lines, an object on each. The columns of a file are those of its first line;
#'   what other lines lack is missing.
#'
#' Texts must be valid UTF-8. Each file gives one file with the same name, format, rows and order. Rows are never left
#' out: where a text is missing, so are the added columns.
#'
#' What is wrong with columns and folders is reported before anything is scored. A damaged file does not stop the
#' others: the call does them and then ends with an error that names it. After its repair the same call does the rest.
#'
#' @section Going on after a kill:
#' The output of a file appears only when it is complete. Until then its finished batches of 10,000 rows are in the
#' hidden folder `.bertr-score` of `to`, so not more than one batch is lost, also with one large file. The result is the
#' same as without the kill. `.bertr-score` also says which run the folder belongs to: another fit, other columns or
#' options, or changed files are refused. Files added to `from` are scored by the next call.
#'
#' @section Spark:
#' With `spark` a cluster does the work, through PySpark, which `bert_install(spark = TRUE)` installs, and Java 17 or
#' later. Only Parquet is read and written. `from` and `to` are folders that all machines see under this path, or
#' addresses that Spark knows, such as `hdfs://` and `s3a://`. The fit and bertr's Python code are sent to the workers.
#' They need neither R nor bertr, but a Python of the same version as here with TensorFlow, Keras, safetensors, pandas
#' and pyarrow; if its path is not the same there, set the environment variable `PYSPARK_PYTHON` to it. Each task uses
#' one thread, and the GPU that Spark gives it, if any.
#'
#' The output is Spark's: a folder of files `part-*`. All rows are in it once, but files and order of rows are not kept,
#' so keep a column that identifies rows. Classes are text. `_bertr_checkpoint` in `to` knows which files are done: the
#' same call goes on after the driver was killed. A damaged file needs another name after its repair, as Spark looks at
#' each name once. Files at addresses are not checked before: all must have the columns of the first one.
#'
#' A connection of sparklyr gives only the address of its master: bertr starts an application of its own there. With
#' Spark Connect (`sc://`) the server's application does the work, with the Python of its workers.
#'
#' @param object A fit from [bert_fit()] or [bert_load()], or a model from [bert_load()].
#' @param from A file or a folder.
#' @param to The folder of the result: a new or empty one, or that of the same call before. It must not be in `from`.
#' @param text For a model: the column with the texts, or the two columns of pairs, as strings. A fit knows the names of
#'   its columns.
#' @param keep Columns of the files to keep in the result, as strings; `character()` for none. `NULL` (default): all.
#' @param type What to predict, as in [bert_predict()].
#' @param pool,layer,combine,normalise,prompt,max_len How to compute vectors, as in [bert_embed()]; `pool = "none"` is
#'   not possible.
#' @param spark `NULL` (default): this machine does the work. Or the URL of the master of a Spark cluster, such as
#'   `"spark://host:7077"`, `"yarn"`, or `"local[4]"` for four processes here; or the address of a Spark Connect server,
#'   `"sc://host:15002"`; or a connection of sparklyr.
#' @param verbose Show progress, with rows per second and the time left, and a summary? `TRUE` by default.
#' @param ... Must be empty; other arguments are refused.
#' @return `to`, invisibly. Its files have the columns in `keep` and then for a fit those of [bert_predict()], for a
#'   model the column `vector`, a list of numbers. The tibbles in a list-column, such as `.pred_entities`, are lists of
#'   structs.
#' @seealso [bert_predict()] and [bert_embed()] for data in R.
#' @examplesIf bertr::bert_info()$ready && reticulate::py_module_available("pyarrow")
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#'
#' from <- tempfile(fileext = ".csv")
#' to <- tempfile()
#' write.csv(faq, from, row.names = FALSE)
#' bert_score(fit, from, to, keep = "label", type = "class")
#' head(read.csv(file.path(to, basename(from))))
#' unlink(c(from, to), recursive = TRUE)
#' @export
bert_score <- function(object, ...) {
  UseMethod("bert_score")
}

#' @export
bert_score.default <- function(object, ...) {
  check_class(object, c("bert_fit", "bert_model"), "object")
}

#' @rdname bert_score
#' @export
bert_score.bert_fit <- function(object, from, to, keep = NULL, type = NULL, spark = NULL, verbose = TRUE, ...) {
  call <- rlang::current_env()
  check_dots(...)
  check_class(object, "bert_fit", "object")
  check_flag(verbose, "verbose")
  columns <- column_kinds(empty_predictions(object$spec, type, call))
  what <- if (learned_pairs(object$spec)) "next_sentence" else "predict"
  plan <- list(what = what, text = as.list(object$spec$text), columns = columns, rows = batch_rows(object$spec))
  score_files(object, from, to, keep, plan, list(), spark, verbose, call)
}

#' @rdname bert_score
#' @export
bert_score.bert_model <- function(object, from, to, text, keep = NULL, pool = NULL, layer = NULL,
                                  combine = c("mean", "concatenate"), normalise = NULL, prompt = NULL, max_len = NULL,
                                  spark = NULL, verbose = TRUE, ...) {
  call <- rlang::current_env()
  check_dots(...)
  check_class(object, "bert_model", "object")
  check_names(if (!missing(text)) text, "text", "one column or two", 1:2, call)
  options <- embed_options(object, pools, pool, layer, combine, normalise, prompt, max_len, verbose, call)
  columns <- list(list(name = "vector", kind = "vector"))
  plan <- list(what = "embed", text = as.list(text), columns = columns, rows = to_int(chunk_size))
  score_files(object, from, to, keep, plan, options, spark, verbose, call)
}

score_files <- function(object, from, to, keep, plan, options, spark, verbose, call) {
  check_path(from, "from", call)
  check_path(to, "to", call)
  if (!is.null(keep)) {
    check_names(keep, "keep", "columns", seq_along(c(keep, 0)) - 1, call)
  }
  master <- if (!is.null(spark)) spark_master(spark, call)
  plan["keep"] <- list(if (!is.null(keep)) as.list(mark_utf8(keep)))
  handle <- live(object, call)
  options$max_len <- py_value("cut_length", handle, options$max_len, call = call)
  plan$options <- options
  reporter <- progress(verbose)
  on.exit(reporter$close())
  done <- py_value("score", handle, path.expand(from), path.expand(to), plan, master, on_event = reporter$event,
    call = call)
  reporter$close()
  say_scored(done, to, options$max_len, speaker(verbose))
  invisible(to)
}

# Names of columns in files
check_names <- function(x, arg, of, lengths, call) {
  if (!is.character(x) || !length(x) %in% lengths || anyNA(x)) {
    abort("argument", "{.arg {arg}} must be the names of {of}, not {.obj_type_friendly {x}}.", call = call)
  }
  twice <- x[duplicated(x)]
  if (length(twice) > 0) {
    abort("argument", "{.arg {arg}} names the column {.val {twice[[1]]}} twice.", call = call)
  }
}

# The URL of Spark's master; that of a connection of sparklyr, whose own Python cannot be reached
spark_master <- function(spark, call) {
  if (inherits(spark, "spark_connection")) {
    spark <- spark$master
  }
  check_string(spark, "spark", call)
  spark
}

say_scored <- function(done, to, max_len, say) {
  if (is.null(done$files)) { # by Spark, which tells only this
    return(say("Scored {done$rows} row{?s} into {.file {to}}."))
  }
  before <- done$files_before
  already <- if (before > 0) " {before} file{?s} {?was/were} done before."
  say(c(paste0("Scored {done$rows} row{?s} of {done$files} file{?s} into {.file {to}}.", already)))
  say_truncated(say, done$n_truncated, done$rows, max_len)
}

# The columns of a prototype and what they are: Python makes the same ones
column_kinds <- function(prototype) {
  unname(Map(function(name, x) {
    if (is.factor(x)) {
      list(name = name, kind = "factor", levels = as.list(levels(x)), ordered = is.ordered(x))
    } else {
      list(name = name, kind = typeof(x))
    }
  }, names(prototype), prototype))
}

batch_rows <- function(spec) {
  to_int(min(chunk_size, task_of(spec)$chunk))
}
