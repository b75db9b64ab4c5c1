# Only declares the Python requirements: reticulate >= 1.41 then creates a suitable environment when Python starts. This
# does not start Python.
.onLoad <- function(libname, pkgname) {
  py_declare()
}
