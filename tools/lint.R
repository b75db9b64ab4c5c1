# Fails on the first lint anywhere in the R code (settings in .lintr).
lints <- unlist(lapply(c("R", "tests/testthat", "tests/torture", "inst/examples", "tools"), lintr::lint_dir), recursive = FALSE)
for (lint in lints) print(lint)
quit(status = length(lints) > 0)
