# Selects the rows of a data frame: complete ones for training and evaluation, some held out for validation.

# The complete rows of `data`: list(a, b, outcome, row), where `row` are their positions in `data`
complete_rows <- function(spec, data, arg, say, call) {
  check_data(data, arg, call)
  texts <- text_columns(spec$text, data, arg, call)
  check_single(spec$outcome, data, arg, call)
  outcome <- task_of(spec)$outcome(spec, data, arg, call)
  keep <- which(texts$complete & !is_missing(outcome))
  if (length(keep) == 0) {
    why <- if (nrow(data) == 0) "has no rows" else
      "has no complete rows: each is missing a value in a column of the formula"
    abort("no_rows", "{.arg {arg}} {why}.", call = call)
  }
  dropped <- nrow(data) - length(keep)
  if (dropped > 0) {
    say("Dropped {dropped} of {nrow(data)} row{?s} of {.arg {arg}} with missing values.")
  }
  c(take(texts, keep), list(outcome = take_outcome(outcome, keep), row = keep))
}

# A column may be a matrix or a data frame itself.
check_single <- function(names, data, arg, call) {
  wide <- Filter(function(name) NCOL(data[[name]]) != 1, intersect(names, names(data)))
  if (length(wide) > 0) {
    x <- data[[wide[[1]]]]
    abort("outcome", "{column_label(wide[[1]], arg)} is a table of {NCOL(x)} columns, but an outcome must be a
      single column.",
      "Add these columns to {.arg {arg}} and name them in {.code cbind()}.", call = call)
  }
}

# Which rows of an outcome (a vector, a list-column or a data frame of columns) are missing: NULL, NA, NA in any column
is_missing <- function(outcome) {
  if (is.data.frame(outcome)) {
    Reduce(`|`, lapply(outcome, is.na))
  } else if (is.list(outcome)) {
    vapply(outcome, function(x) is.null(x) || (is.atomic(x) && anyNA(x)), NA)
  } else {
    is.na(outcome)
  }
}

take_outcome <- function(outcome, rows) {
  if (is.data.frame(outcome)) outcome[rows, , drop = FALSE] else outcome[rows]
}

subset_rows <- function(rows, keep) {
  c(take(rows, keep), list(outcome = take_outcome(rows$outcome, keep)))
}

# `validation` of bert_fit(): NULL, a share of the training rows, or a data frame.
# Returns list(train, valid); valid is NULL without validation.
split_rows <- function(spec, rows, validation, seed, say, call) {
  if (is.null(validation)) {
    return(list(train = rows))
  }
  if (is.data.frame(validation)) {
    valid <- complete_rows(spec, validation, "validation", say, call)
    refuse_unknown(spec, valid, "validation", call)
    valid$outcome <- task_of(spec)$match(spec, valid$outcome)
    return(list(train = rows, valid = valid))
  }
  check_share(validation, call)
  held <- with_seed(seed, hold_out(task_of(spec)$strata(rows$outcome), validation))
  if (length(held) == 0) {
    n <- length(rows$a)
    abort("validation", "{.code validation = {validation}} of {n} row{?s} leaves no validation rows.",
      "Use a larger share, or a data frame.", call = call)
  }
  list(train = subset_rows(rows, -held), valid = subset_rows(rows, held))
}

check_share <- function(x, call) {
  if (!is_number(x) || x <= 0 || x >= 1) {
    got <- got_text(x)
    abort("argument", "{.arg validation} must be a data frame or a number between 0 and 1, not {got}.", call = call)
  }
}

# Rows to hold out: `share` of every stratum (rounded up or down so that the total fits), chosen at random.
# Every stratum keeps at least one row.
hold_out <- function(strata, share) {
  shuffled <- sample.int(length(strata))
  size <- tabulate(strata)[strata]
  candidates <- shuffled[size[shuffled] > 1]
  candidates <- candidates[order(strata[candidates])]
  # hold out a row whenever the accumulated share reaches another whole row
  steps <- floor(seq_along(candidates) * share + stats::runif(1))
  held <- candidates[diff(c(0, steps)) > 0]
  emptied <- tabulate(strata[held], max(strata)) == tabulate(strata, max(strata))
  sort(held[!(emptied[strata[held]] & !duplicated(strata[held]))])
}

# Evaluates `code` with a fixed seed and restores the user's random state.
with_seed <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (is.null(old)) rm(".Random.seed", envir = globalenv()) else assign(".Random.seed", old, globalenv()))
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  code
}

# A function that prints messages, or nothing with verbose = FALSE.
speaker <- function(verbose) {
  function(message, envir = parent.frame()) {
    if (verbose) {
      cli::cli_inform(message, .envir = envir)
    }
  }
}

say_truncated <- function(say, n_truncated, n, max_len) {
  if (n_truncated > 0) {
    say("{n_truncated} of {n} text{?s} {cli::qty(n_truncated)}{?is/are} longer than {max_len} tokens
      {cli::qty(n_truncated)}and {?was/were} truncated.")
  }
}
