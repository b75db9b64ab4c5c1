# Fails on any lint in the R code (settings in .lintr), and on a function of the package that is defined twice: the last
# file would win without a word.
folders <- c("R", "tests/testthat", "tests/torture", "inst/examples", "tools")
lints <- unlist(lapply(folders, lintr::lint_dir), recursive = FALSE)
for (lint in lints) print(lint)
names <- unlist(lapply(list.files("R", full.names = TRUE), function(file) {
  sets <- Filter(function(x) is.call(x) && identical(x[[1]], as.name("<-")) && is.name(x[[2]]), parse(file))
  vapply(sets, function(x) as.character(x[[2]]), "")
}))
twice <- unique(names[duplicated(names)])
if (length(twice) > 0) cat("Defined more than once in R/:", twice, "\n")
quit(status = length(lints) > 0 || length(twice) > 0)
