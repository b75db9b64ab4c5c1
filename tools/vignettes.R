# Renders vignettes/*.Rmd.orig to vignettes/*.Rmd with their results, because machines that build the package need not
# have TensorFlow. `vignettes.R NAME...` renders only these. Each runs in an R session of its own.
library(callr)

render <- function(name) {
  unlink(Sys.glob(file.path("figures", paste0(name, "-*.png"))))
  message("Rendering ", name)
  r(function(name) {
    knitr::opts_chunk$set(
      collapse = TRUE, comment = "#>", fig.path = paste0("figures/", name, "-"), fig.width = 7, fig.height = 4.2,
      dpi = 100, dev.args = list(type = "cairo"), error = FALSE
    )
    options(width = 90, cli.num_colors = 1)
    knitr::knit(paste0(name, ".Rmd.orig"), paste0(name, ".Rmd"), quiet = TRUE)
  }, list(name), stderr = "2>&1", stdout = "")
  without_places(paste0(name, ".Rmd"))
}

# Shows the folder of bert_install() in place of this machine's environment
without_places <- function(file) {
  lines <- readLines(file)
  here <- dirname(dirname(Sys.getenv("RETICULATE_PYTHON")))
  writeLines(gsub(here, "~/.virtualenvs/r-bertr", lines, fixed = TRUE), file)
}

setwd("vignettes")
names <- commandArgs(TRUE)
if (length(names) == 0) {
  names <- sub("[.]Rmd[.]orig$", "", list.files(pattern = "[.]Rmd[.]orig$"))
}
invisible(lapply(names, render))
