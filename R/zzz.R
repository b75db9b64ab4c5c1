# Only declares the Python requirements: reticulate >= 1.41 then creates a suitable environment when Python starts. And
# asks to be told when Keras is imported, and when parsnip is loaded. This does not start Python.
.onLoad <- function(libname, pkgname) {
  py_declare()
  py_follow_keras()
  when_loaded("parsnip", register_parsnip)
}

# Calls `f` as soon as another package is loaded
when_loaded <- function(package, f) {
  if (isNamespaceLoaded(package)) {
    f()
  } else {
    setHook(packageEvent(package, "onLoad"), function(...) f())
  }
}
