# Fails on the first lint anywhere in the R code (settings in .lintr).
folders <- c("R", "tests/testthat", "tests/torture", "inst/examples", "tools")
lints <- unlist(lapply(folders, lintr::lint_dir), recursive = FALSE)
for (lint in lints) print(lint)
quit(status = length(lints) > 0)
