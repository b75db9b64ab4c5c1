# The sentences of the package's functions: strings in which a space parts words
sentences <- function(x) {
  if (is.function(x)) {
    sentences(body(x))
  } else if (is.character(x)) {
    grep("[[:alnum:]}.,;:)] +[[:alpha:]{`]", x, value = TRUE)
  } else if (is.call(x) || is.list(x)) {
    unlist(lapply(as.list(x), sentences))
  }
}

# A pattern for what is made of a template of cli or sprintf() with any values
as_pattern <- function(template) {
  while (!identical(template, shorter <- gsub("[{][^{}]*[}]", "\u0001", template))) { # the innermost braces first
    template <- shorter
  }
  template <- gsub("%[.0-9]*[a-z]", "\u0001", template)
  template <- gsub("([[:punct:]])", "\\\\\\1", gsub("[[:space:]]+", " ", trimws(template)))
  gsub("\u0001", ".*", template)
}

# Those that no snapshot shows, and why
unshown <- c(
  "mean of" = "is drawn, not printed",
  "lambda x: x" = "is Python",
  "margin: 0.3em 0; line-height: 1.7; white-space: pre-wrap;" = "is a style in HTML",
  "<span style=\"background-color: %s; color: black; border-radius: 0.2em;\"%s>%s</span>" = "is HTML",
  "Words that " = "is HTML", " the score; the stronger, the more." = "is HTML",
  " of the variance)" = "is drawn", " largest of " = "is drawn", ", sd " = "is drawn",
  "Ask its owner for permission to read it, or check the disk or network drive it is on." =
    "needs a process that may not read everything, see test-entities.R",
  "What to Train" = "is a label of dials",
  "probability of the predicted class" = "is drawn", "share of correct predictions" = "is drawn",
  "; points: mean probability" = "is drawn", "estimate, in % of the true class" = "is drawn"
)

test_that("all that the package can say is in a snapshot", {
  skip_on_cran()
  namespace <- asNamespace("bertr")
  said <- unique(unlist(lapply(ls(namespace), function(name) sentences(get(name, namespace)))))
  expect_gt(length(said), 300)
  files <- setdiff(list.files(test_path("_snaps"), "[.]md$", full.names = TRUE),
    list.files(test_path("_snaps"), "[.]new[.]md$", full.names = TRUE))
  shown <- unlist(lapply(files, readLines, encoding = "UTF-8"))
  shown <- gsub("[[:space:]]+", " ", shown)
  missing <- Filter(function(x) !any(grepl(as_pattern(x), shown, perl = TRUE)), setdiff(said, names(unshown)))
  expect_identical(missing, character())
  expect_identical(setdiff(names(unshown), said), character())
})
