# A model or fit is a plain list plus an environment with the Python object. Copies share the environment, so a dead
# object is rebuilt only once.
new_handle <- function(py) {
  handle <- new.env(parent = emptyenv())
  handle$py <- py
  handle$version <- as.character(utils::packageVersion("bertr"))
  handle
}

# The Python object of a model or fit, rebuilt if it died with its session.
live <- function(object, call = caller_env()) {
  handle <- object$handle
  if (py_is_dead(handle$py)) {
    check_version(handle$version, call)
    handle$py <- revive(object, call)
  }
  handle$py
}

check_version <- function(version, call) {
  mine <- as.character(utils::packageVersion("bertr"))
  if (utils::compareVersion(version, mine) > 0) {
    abort("version", "This object was created by bertr {version}, which is newer than the installed {mine}.",
      "Update bertr.", call = call)
  }
}

revive <- function(object, call) {
  UseMethod("revive")
}

#' @exportS3Method
revive.bert_model <- function(object, call) {
  if (object$info$format == "keras") {
    abort("no_weights", "This model of {.fn bert_from_keras} comes from another R session and has no weights here.",
      "Save such models with {.fn bert_save}.", call = call)
  }
  folder <- base_of(object$info)
  options <- c(object$options, list(head = FALSE), pinned(object$info))
  py <- py_call("load", folder, options, call = call)
  if (!identical(py_value("describe", py)$fingerprint, object$info$fingerprint)) {
    abort("changed", "The model in {.file {folder}} has changed since this object was created.",
      "Load it again with {.fn bert_load}.", call = call)
  }
  py
}

#' @exportS3Method
revive.bert_fit <- function(object, call) {
  if (!is.null(object$saved)) {
    return(reload(object, call))
  }
  if (is.null(object$weights)) {
    abort("no_weights", "This fit comes from another R session and contains no weights.",
      "Fit with {.code bert_control(serialize = TRUE)}, or save fits with {.fn bert_save}.", call = call)
  }
  py_call("from_bytes", object$weights, base_of(object$base), call = call)
}

# Loads the fit in a folder again and checks that it has not changed
reload <- function(object, call) {
  saved <- object$saved
  of_hub <- !is.null(saved$options) # its folder may be gone: then it is downloaded again
  folder <- if (of_hub) base_of(object$base) else saved$folder
  options <- c(saved$options, if (of_hub) pinned(object$base))
  py <- tryCatch(py_call("load", folder, options, call = call), bertr_error_source = function(e) NULL)
  if (is.null(py) || !py_value("is_fit", py) || !identical(py_value("fingerprint", py), saved$fingerprint)) {
    abort("changed", "The fit in {.file {saved$folder}} is missing or has changed since this object was loaded.",
      "A fit from {.fn bert_load} needs its folder: restore it, or load another fit with {.fn bert_load}.", call = call)
  }
  py
}

# The commit of a model whose files must be downloaded again, as an option of `load`
pinned <- function(info) {
  if (!dir.exists(info$folder) && nzchar(info$commit)) list(revision = info$commit)
}

# Where a model's files are: its folder, else the name to download it by.
base_of <- function(info) {
  if (dir.exists(info$folder)) info$folder else info$source
}
