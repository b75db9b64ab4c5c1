# Coverage of the R code: coverage.R REPORT [PATTERN] prints it by file and writes the report (Cobertura's XML).
# PATTERN chooses the tests, as testthat's `filter`. What runs in other R processes does not count.
args <- commandArgs(TRUE)
run <- substitute(
  testthat::test_dir(folder, filter = filter, package = "bertr", load_package = "installed", stop_on_failure = FALSE),
  list(folder = normalizePath("tests/testthat"), filter = if (length(args) > 1) args[[2]])
)
coverage <- covr::package_coverage(type = "none", code = paste(deparse(run), collapse = "\n"), quiet = FALSE)
print(coverage)
covr::to_cobertura(coverage, args[[1]])
