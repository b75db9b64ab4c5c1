# Only declares what Python will need: reticulate >= 1.41 then builds a fitting environment by itself
# when Python starts. Nothing here starts Python.
.onLoad <- function(libname, pkgname) {
  py_declare()
}
