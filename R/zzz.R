# Only declares the Python requirements: reticulate >= 1.41 then creates a suitable environment when Python starts. And
# asks to be told when Keras is imported. This does not start Python.
.onLoad <- function(libname, pkgname) {
  py_declare()
  py_follow_keras()
}
