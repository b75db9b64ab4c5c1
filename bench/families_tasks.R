# Every task of a family from R: trained, saved with bert_save() and saveRDS(), read again, and predicted again.
#
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/families_tasks.R
#
# The models are the small random ones of tests/python/small_families.py, 3 layers of 32. Prints, for each family, the
# greatest difference between predictions before and after, for each task.
library(bertr)
families <- c("roberta", "xlm-roberta", "camembert", "distilbert", "electra", "mpnet")
make_folder <- function(family) {
  folder <- tempfile()
  dir.create(folder)
  code <- sprintf("import pathlib, small_families; small_families.make_family(pathlib.Path('%s'), '%s')", folder, family)
  env <- c("LD_LIBRARY_PATH=", "PYTHONPATH=tests/python:inst/python") # not the libraries of R
  system2(Sys.getenv("RETICULATE_PYTHON"), c("-c", shQuote(code)), env = env, stdout = FALSE, stderr = FALSE)
  folder
}

words <- c("cat", "dog", "bird", "fish", "tree", "sun", "moon", "rain")
set.seed(1)
texts <- vapply(1:60, function(i) paste("the", paste(sample(words, sample(3:9, 1), TRUE), collapse = " ")), "")
found <- function(word) regexpr(word, texts, fixed = TRUE)
data <- tibble::tibble(
  text = texts, other = rev(texts), class = ifelse(found("cat") > 0, "yes", "no"), number = as.numeric(nchar(texts)),
  cat = as.integer(found("cat") > 0), dog = as.integer(found("dog") > 0), question = "which one ?"
)
data$entities <- lapply(texts, function(text) {
  at <- gregexpr("cat|dog", text)[[1]]
  at <- at[at > 0]
  data.frame(start = as.integer(at), end = as.integer(at) + 2L, label = rep("pet", length(at)))
})
data$answer <- regmatches(texts, regexpr("[a-z]+$", texts))
data$start <- nchar(texts) - nchar(data$answer) + 1L

tasks <- list(
  classes = class ~ text, numbers = number ~ text, labels = cat + dog ~ text, pairs = class ~ text + other,
  entities = entities ~ text, answers = span(answer, start) ~ question + text, `masked words` = ~text
)

predictions <- function(fit) {
  if (fit$spec$task == "mlm") {
    return(bert_fill_mask(fit, "the [MASK] sleeps", verbose = FALSE)$probability)
  }
  unlist(bert_predict(fit, data, verbose = FALSE), use.names = FALSE)
}

# The greatest difference between two predictions, whose texts must be the same
difference <- function(before, after) {
  numbers <- suppressWarnings(lapply(list(before, after), as.numeric))
  stopifnot(identical(before[is.na(numbers[[1]])], after[is.na(numbers[[2]])]))
  max(abs(numbers[[1]] - numbers[[2]]), na.rm = TRUE)
}

try_task <- function(model, formula) {
  fit <- bert_fit(model, formula, data, epochs = 10, learning_rate = 1e-3, seed = 1, verbose = FALSE)
  before <- predictions(fit)
  folder <- tempfile()
  bert_save(fit, folder)
  saveRDS(fit, paste0(folder, ".rds"))
  again <- list(bert_load(folder, verbose = FALSE), readRDS(paste0(folder, ".rds")))
  max(vapply(again, function(fit) difference(before, predictions(fit)), 0))
}

cat("|", paste(c("family", names(tasks), "vectors, similarities, attention, explanations"), collapse = " | "), "|\n")
for (family in families) {
  model <- bert_load(make_folder(family), verbose = FALSE)
  differences <- vapply(tasks, function(formula) try_task(model, formula), 0)
  fit <- bert_fit(model, class ~ text, data, epochs = 1, seed = 1, verbose = FALSE)
  others <- list(
    bert_embed(model, texts, verbose = FALSE), bert_similarity(model, texts[1:3], verbose = FALSE),
    bert_attention(model, texts[[1]]), bert_explain(fit, texts[[1]], verbose = FALSE)$weight
  )
  finite <- all(is.finite(unlist(others)))
  cat("|", paste(c(family, format(differences, digits = 2), if (finite) "yes" else "no"), collapse = " | "), "|\n")
}
