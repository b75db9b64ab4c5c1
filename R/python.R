# The only file that uses reticulate: it starts Python, holds the handle of the module `bertr.bridge`, calls its
# functions and converts their errors to R conditions.

# bridge: the imported module; pid: the process that imported it (TensorFlow does not survive a fork);
# held: are interrupts suspended now? asked: did one arrive in the meantime? starting: is the module being imported?
# precision: that of the option when Python was told
the <- new.env(parent = emptyenv())
the$held <- FALSE
the$asked <- FALSE
the$starting <- FALSE
the$precision <- "auto"

# Calls one function of the bridge; the result stays a Python object (see from_py()). A long call reports to the
# R function `on_event(kind, values)`.
py_call <- function(name, ..., on_event = NULL, call = caller_env()) {
  # errors while evaluating the arguments are ordinary R errors
  args <- list(name, ...)
  without_interrupts({
    run <- py_bridge(call)$run
    if (!is.null(on_event)) {
      args <- c(args, reticulate::r_to_py(watcher(on_event), convert = TRUE))
    }
    outcome <- do.call(run, args)
    if (!inherits(outcome$error, "python.builtin.NoneType")) {
      py_abort(outcome$error, reticulate::py_to_r(outcome$text), reticulate::py_to_r(outcome$trace), call)
    }
    for (note in as_chr(reticulate::py_to_r(outcome$notes))) {
      rlang::warn(note, class = "bertr_warning")
    }
    outcome$value
  })
}

# The same, with the result converted to R.
py_value <- function(name, ..., on_event = NULL, call = caller_env()) {
  without_interrupts({
    result <- py_call(name, ..., on_event = on_event, call = call) # first: converting it starts Python, too
    from_py(result)
  })
}

# Clears pending interrupts, also in Python and in reticulate, which would treat the next error as an interrupt.
py_forget_interrupt <- function() {
  the$asked <- forget_interrupt() || the$asked
  if (the$asked && !is.null(the$bridge)) {
    tryCatch(the$bridge$forget_interrupt(), error = identity)
    forget_interrupt()
    reticulate::py_clear_last_error()
  }
}

# A handle is dead when it came from another session (readRDS(), callr, a restart).
py_is_dead <- function(handle) {
  is.null(handle) || reticulate::py_is_null_xptr(handle)
}

py_bridge <- function(call) {
  without_interrupts(py_module(call))
}

py_module <- function(call) {
  if (!is.null(the$pid) && the$pid != Sys.getpid()) {
    abort("fork", "Python runs in the parent of this forked process, and TensorFlow does not survive a fork.",
      "Use a new R session instead, as with {.fn callr::r} or {.code future::plan(\"multisession\")}.", call = call)
  }
  if (is.null(the$bridge)) {
    the$starting <- TRUE
    on.exit(the$starting <- FALSE)
    py_start(call)
    py_check_packages(call)
    the$threads <- getOption("bertr.threads")
    the$bridge <- py_import(call)
    the$pid <- Sys.getpid()
  }
  warn_late_threads()
  py_follow_precision(call)
  the$bridge
}

# Tells Python the precision of the option, where it has changed
py_follow_precision <- function(call) {
  precision <- getOption("bertr.precision", "auto")
  if (!identical(precision, the$precision)) {
    check_choice(precision, precisions, "options(bertr.precision)", call)
    the$bridge$use_precision(precision)
    the$precision <- precision
  }
}

# TensorFlow reads the number of threads only when it starts; said once for each new value
warn_late_threads <- function() {
  threads <- getOption("bertr.threads")
  if (!identical(threads, the$threads)) {
    the$threads <- threads
    cli::cli_warn(c("{.code options(bertr.threads)} was changed after Python had started, so it has no effect.",
      i = "Restart R and set it before the first call that uses a model."), class = "bertr_warning_threads")
  }
}

# Starts Python: the one the user configured, else the environment of bert_install(), else what reticulate finds.
py_start <- function(call) {
  # without this, old versions of reticulate ask whether to install Miniconda
  old <- Sys.getenv("RETICULATE_MINICONDA_ENABLED", NA)
  if (is.na(old)) {
    Sys.setenv(RETICULATE_MINICONDA_ENABLED = "FALSE")
    on.exit(Sys.unsetenv("RETICULATE_MINICONDA_ENABLED"))
  }
  config <- tryCatch(py_choose(), error = identity)
  if (is.null(config) || inherits(config, "error")) {
    why <- if (is.null(config)) "none was found" else first_line(conditionMessage(config))
    abort("no_python", "bertr needs Python, but it could not be started: {why}.",
      "Run {.run bertr::bert_install()} and restart R, or point RETICULATE_PYTHON to a Python with TensorFlow.",
      call = call)
  }
}

py_choose <- function() {
  if (!reticulate::py_available() && reticulate::virtualenv_exists("r-bertr")) {
    reticulate::use_virtualenv("r-bertr", required = FALSE)
  }
  reticulate::py_config()
}

py_check_packages <- function(call) {
  python <- reticulate::py_config()$python
  backend <- Sys.getenv("KERAS_BACKEND", "tensorflow")
  find_spec <- reticulate::import("importlib.util")$find_spec
  missing <- Filter(function(name) is.null(find_spec(name)), c(backend, "keras", "numpy", "safetensors"))
  if (length(missing) > 0) {
    abort("no_tensorflow", "The Python at {.file {python}} is missing the
      {cli::qty(missing)}package{?s} {.pkg {missing}}.",
      "Run {.run bertr::bert_install()} and restart R, or install {cli::qty(missing)}{?it/them} there with pip.",
      call = call)
  }
  numpy <- reticulate::import("importlib.metadata")$version("numpy")
  py_check_numpy(numpy, utils::packageVersion("reticulate"), call)
}

# Before 1.38 reticulate returns arrays of numpy 2 unconverted, without an error.
py_check_numpy <- function(numpy, reticulate, call) {
  if (reticulate < "1.38" && numpy_version(numpy) >= "2") {
    abort("numpy", "reticulate {reticulate} cannot read the arrays of numpy {numpy}.",
      "Update reticulate to 1.38 or later, or run {.code pip install \"numpy<2\"} in that Python, and restart R.",
      call = call)
  }
}

# "2.1.0rc1" -> 2.1.0
numpy_version <- function(x) {
  numeric_version(sub("^([0-9.]*[0-9]).*", "\\1", x))
}

py_import <- function(call) {
  environ <- reticulate::import("os", convert = FALSE)$environ
  settings <- py_settings()
  for (name in names(settings)) {
    environ$setdefault(name, settings[[name]])
  }
  threads <- getOption("bertr.threads")
  if (!is.null(threads)) {
    check_whole(threads, "options(bertr.threads)", call = call)
    environ$update(list(BERTR_THREADS = as.character(as.integer(threads))))
  }
  sys <- reticulate::import("sys", convert = FALSE)
  old <- reticulate::py_to_r(sys$dont_write_bytecode)
  # an installed R package must not grow __pycache__ folders
  sys$dont_write_bytecode <- TRUE
  on.exit(sys$dont_write_bytecode <- old)
  folder <- system.file("python", package = "bertr")
  bridge <- tryCatch(
    py_quietly(reticulate::import_from_path("bertr.bridge", folder, convert = FALSE)),
    error = function(e) {
      last <- reticulate::py_last_error()
      py_abort(attr(last, "exception"), conditionMessage(e), last$message, call)
    }
  )
  for (remark in as_chr(reticulate::py_to_r(bridge$start()))) {
    cli::cli_warn("{remark}")
  }
  bridge
}

# TensorFlow writes its startup messages to the process's standard error before any log level applies.
py_quietly <- function(code) {
  os <- reticulate::import("os")
  saved <- os$dup(2L)
  null <- os$open(os$devnull, os$O_WRONLY)
  os$dup2(null, 2L)
  on.exit({
    os$dup2(saved, 2L)
    os$close(saved)
    os$close(null)
  })
  code
}

# Environment variables that must be set before Python imports Keras; the user's values take precedence.
py_settings <- function() {
  cache <- suppressWarnings(tools::R_user_dir("bertr", "cache")) # it warns where there is no home directory
  settings <- c(TF_CPP_MIN_LOG_LEVEL = "3", KERAS_BACKEND = "tensorflow",
    BERTR_CACHE = Sys.getenv("BERTR_HOME", cache))
  # importing Keras writes a settings file: keep it out of the home directory of users who have none
  if (!dir.exists("~/.keras")) {
    settings[["KERAS_HOME"]] <- file.path(cache, "keras")
  }
  settings
}

# Converts a Python exception to an R condition. Ours (BertrError) has a code, a sentence and a hint.
py_abort <- function(exception, text, trace, call) {
  if (inherits(exception, "bertr.errors.BertrError")) {
    field <- function(name) as.character(reticulate::py_to_r(reticulate::py_get_attr(exception, name)))
    message <- field("message")
    hint <- field("hint")
    if (field("code") == "interrupt") {
      # without_interrupts() converts it to an R interrupt, which is not possible while interrupts are suspended
      stop(structure(class = c("bertr_interrupt", "condition"), list(message = message, call = NULL)))
    }
    abort(field("code"), "{message}", if (nzchar(hint)) "{hint}", call = call)
  }
  what <- first_line(text)
  if (inherits(exception, "python.builtin.ImportError")) {
    python <- reticulate::py_config()$python
    abort("import", "The Python at {.file {python}} could not import what bertr needs: {what}.",
      "Run {.run bertr::bert_install()} and restart R, or repair that Python's packages with pip.", call = call)
  }
  hint <- "This is a bug in bertr; {.code rlang::last_error()$trace_python} shows where."
  cli::cli_abort(c("bertr's Python code failed unexpectedly: {what}.", i = hint),
    class = c("bertr_error_python", "bertr_error"), call = call, trace_python = trace)
}

first_line <- function(x) {
  sub("[.:]?\\s*$", "", strsplit(x, "\n", fixed = TRUE)[[1]][[1]])
}

# Does nothing before reticulate 1.41, which has no py_require().
py_declare <- function() {
  if ("py_require" %in% getNamespaceExports("reticulate")) {
    py_require <- getExportedValue("reticulate", "py_require")
    py_require(python_packages(), python_version = paste0(">=", oldest("Python")))
  }
}

# Keras must know the class of a layer before it loads a model with it. If Keras is imported by somebody else, our
# module is imported after it; whatever prevents that must not disturb those who do not need it. Does nothing in old
# versions of reticulate, which do not export the hook.
py_follow_keras <- function() {
  if ("py_register_load_hook" %in% getNamespaceExports("reticulate")) {
    register <- getExportedValue("reticulate", "py_register_load_hook")
    register("keras", function() {
      if (!the$starting) {
        try(suppressWarnings(py_bridge(NULL)), silent = TRUE)
      }
    })
  }
}

py_install <- function(envname, packages, options = character()) {
  if (!reticulate::virtualenv_exists(envname)) {
    reticulate::virtualenv_create(envname)
  }
  reticulate::virtualenv_install(envname, packages, pip_options = options)
}

# For marshal.R, the only place that decides what to convert
py_convert <- function(x) {
  without_interrupts(reticulate::py_to_r(x))
}

# A Python object for the user, whose values `$` converts. py_to_r() leaves them unconverted before reticulate 1.42.
py_for_user <- function(x) {
  without_interrupts(reticulate::py_eval("lambda x: x")(x))
}

py_json <- function(name, x) {
  without_interrupts(reticulate::import("json")[[name]](x))
}
