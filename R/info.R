#' Information about the installation
#'
#' Starts Python if it is not running yet.
#'
#' @return `bert_info()`: a list of class `bert_info`. `ready` is TRUE if Python has everything that bertr needs and the
#'   default model's weights are on this machine. `problem` says what is wrong, or is `NULL`. `bertr`, `r` and
#'   `reticulate` are versions. With Python also `python`, `python_path`, `keras`, `tensorflow`, `backend`, `numpy`,
#'   `threads` (used by TensorFlow), `onednn` (does TensorFlow use it? NULL if unknown), `gpus` (names),
#'   `precision` (the type of the numbers that models compute with, see [bert_control()]) and `default_model` (folder of
#'   the default weights, or `""`).
#'
#'   `bert_devices()`: a tibble with one row per device: `device` (`"CPU"` or `"GPU"`) and `name`.
#' @examples
#' bert_info()
#' @examplesIf bertr::bert_info()$ready
#' bert_devices()
#' @export
bert_info <- function() {
  versions <- list(
    bertr = as.character(utils::packageVersion("bertr")),
    r = as.character(getRversion()),
    reticulate = as.character(utils::packageVersion("reticulate"))
  )
  python <- tryCatch(py_value("info"), bertr_error = function(e) list(problem = cli::ansi_strip(conditionMessage(e))))
  if (identical(python$default_model, "")) {
    python$problem <- "The default model's weights are not on this machine; bert_load() downloads them."
  }
  structure(c(list(ready = is.null(python$problem)), versions, python), class = "bert_info")
}

#' @export
print.bert_info <- function(x, ...) {
  check_dots(...)
  cat("<bert_info> ", if (x$ready) "ready" else "not ready", "\n", sep = "")
  x <- x[names(x) != "ready"]
  x <- x[lengths(x) > 0]
  values <- vapply(x, function(value) paste(value, collapse = ", "), "")
  cat(paste0("  ", format(names(x)), "  ", values, "\n"), sep = "")
  invisible(x)
}

#' @rdname bert_info
#' @export
bert_devices <- function() {
  info <- py_value("info")
  gpus <- as_chr(info$gpus)
  tibble(
    device = c("CPU", rep("GPU", length(gpus))),
    name = c(counted(info$threads, "thread"), gpus)
  )
}
