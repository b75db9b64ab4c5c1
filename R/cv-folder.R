# The checkpoint folder of bert_cv(): `cv.rds` identifies the run, `fold-1.rds` and so on are the results of finished
# folds, and `fold-2-run` is the checkpoint of a fold in training. Files are written under another name and renamed, so
# each is whole.

cv_file <- function(folder) {
  file.path(path.expand(folder), "cv.rds")
}

fold_file <- function(folder, k) {
  file.path(path.expand(folder), paste0("fold-", k, ".rds"))
}

run_of_fold <- function(folder, k) {
  file.path(path.expand(folder), paste0("fold-", k, "-run"))
}

# The seed of the run in the folder, else `seed`
cv_seed <- function(folder, seed, call) {
  kept <- read_rds(cv_file(folder), call)
  if (is.list(kept) && is_number(kept$seed)) kept$seed else seed
}

# Hashes of all that the results depend on
cv_identity <- function(run, read, folds, call) {
  parts <- list(
    model = py_value("fingerprint", live(run$model, call), call = call), formula = read$spec,
    data = read$train[c("a", "b", "outcome")], folds = folds, settings = lapply(run$settings, unclass), seed = run$seed
  )
  vapply(parts, rlang::hash, "")
}

# Begins a run in the folder, or checks that the one in it is the same
open_cv_folder <- function(folder, identity, seed, call) {
  kept <- read_rds(cv_file(folder), call)
  if (is.null(kept)) {
    others <- list.files(path.expand(folder))
    if (length(others) > 0) {
      abort("folder", "{.file {folder}} contains other files, such as {.file {others[[1]]}}.",
        "Choose an empty or new folder as {.arg checkpoint}.", call = call)
    }
    return(write_rds(list(identity = identity, seed = seed), cv_file(folder), call))
  }
  differs <- names(identity)[!identity %in% kept$identity]
  if (length(differs) > 0) {
    abort("checkpoint", "{.file {folder}} contains another cross-validation: it differs in the {.field {differs}}.",
      "Delete the folder to start over, or choose another one.", call = call)
  }
}

kept_fold <- function(folder, k, call) {
  if (!is.null(folder)) read_rds(fold_file(folder, k), call)
}

keep_fold <- function(folder, k, result, call) {
  if (!is.null(folder)) {
    write_rds(result, fold_file(folder, k), call)
    unlink(run_of_fold(folder, k), recursive = TRUE)
  }
}

# NULL if there is no such file, or a damaged one
read_rds <- function(file, call = caller_env()) {
  if (file.exists(file)) {
    check_file(file, call)
    tryCatch(readRDS(file), error = function(e) NULL)
  }
}

write_rds <- function(x, file, call) {
  new <- paste0(file, ".new")
  done <- tryCatch({
    dir.create(dirname(file), recursive = TRUE, showWarnings = FALSE)
    saveRDS(x, new)
    file.rename(new, file)
  }, error = function(e) FALSE, warning = function(w) FALSE)
  if (!done) {
    abort("checkpoint", "{.file {file}} could not be written.", "Choose another folder or free some space.",
      call = call)
  }
}
