# What is said where Python cannot be used. Each cause is put on here; the tests of sessions have them for real.

test_that("a Python that cannot be started, or lacks something, is reported", {
  the_model() # so that Python runs
  local_binding("py_choose", function() NULL, environment())
  none <- function() py_start(NULL)
  broken <- function() {
    local_binding("py_choose", function() stop("Error 2 occurred.\nand more"), environment())
    py_start(NULL)
  }
  lacks <- function(backend) {
    withr::local_envvar(KERAS_BACKEND = backend)
    py_check_packages(NULL)
  }
  error <- function(kind) reticulate::import_builtins(convert = FALSE)[[kind]]("no such thing")
  import <- function() py_abort(error("ImportError"), "ImportError: no such thing.\nand more", "", NULL)
  any_other <- function() py_abort(error("ValueError"), "ValueError: no such thing.", "Traceback", NULL)
  expect_said({
    none()
    broken()
    lacks("theano")
    import()
    any_other()
    py_check_numpy("2.1.0", numeric_version("1.28"), NULL)
  })
})

test_that("a forked process is reported", {
  model <- the_model()
  pid <- the$pid
  the$pid <- -1L
  withr::defer(the$pid <- pid)
  expect_said(bert_embed(model, "a"))
})

test_that("a wrong number of threads is reported", {
  the_model() # so that Python runs
  withr::local_options(bertr.threads = 0)
  expect_said(py_import(NULL))
})

test_that("a number of threads that comes too late is reported once", {
  model <- the_model()
  before <- the$threads
  withr::defer(the$threads <- before)
  withr::local_options(bertr.threads = 3)
  expect_said({
    bert_count_tokens(model, "a")
    bert_count_tokens(model, "a")
  }, error = FALSE)
})

test_that("a wrong precision is reported", {
  model <- the_model()
  withr::local_options(bertr.precision = "double")
  expect_said(bert_count_tokens(model, "a"))
})

test_that("bert_install() says what it did, and what it could not do", {
  local_binding("py_install", function(envname, packages, ...) NULL, environment())
  expect_said({
    bert_install()
    bert_install("other")
  }, error = FALSE)
  local_binding("py_install", function(envname, packages, ...) if (length(packages) == 1) stop("no"), environment())
  expect_said(bert_install(), error = FALSE)
  expect_said({
    bert_install(1)
    bert_install(gpu = "yes")
  })
})

test_that("bert_info() says what is missing", {
  problem <- function(value) {
    local_binding("py_value", function(...) value(), environment())
    cat(bert_info()$problem)
  }
  expect_said({
    problem(function() list(default_model = ""))
    problem(function() abort("no_python", "bertr needs {.pkg Python}.", "A hint."))
  }, error = FALSE)
})
