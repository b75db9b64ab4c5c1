# Folds of cross-validation: a list of list(train, held), the row numbers of each fold.

# `v` folds, or those of an rset, for the complete `rows` of data (numbers), with their strata and groups
make_folds <- function(v, rows, n, strata, groups, seed, call) {
  if (is.data.frame(v)) {
    return(rset_folds(v, rows, n, call))
  }
  fold <- with_seed(seed, if (is.null(groups)) deal_rows(strata, v) else deal_groups(groups, strata, v))
  lapply(seq_len(v), function(k) list(train = rows[fold != k], held = rows[fold == k]))
}

check_v <- function(v, rows, groups, call) {
  if (!is_number(v) || v < 2 || v != round(v)) {
    got <- got_text(v)
    abort("argument", "{.arg v} must be a whole number of at least 2, or an rset, not {got}.", call = call)
  }
  if (v > rows) {
    abort("argument", "{.code v = {v}} folds need at least {v} complete rows, but {.arg data} has {rows}.", call = call)
  }
  n <- length(unique(groups))
  if (!is.null(groups) && n < v) {
    few <- if (n == 1) "all complete rows are in one group" else paste("there are only", n)
    abort("argument", "{.code v = {v}} folds need at least {v} groups, but {few}.",
      "Use fewer folds, or another column as {.arg groups}.", call = call)
  }
}

# The fold of each row: the shuffled rows of every stratum are dealt to the folds in turn.
deal_rows <- function(strata, v) {
  shuffled <- sample.int(length(strata))
  fold <- integer(length(strata))
  fold[shuffled[order(strata[shuffled])]] <- rep_len(seq_len(v), length(strata))
  fold
}

# The same for whole groups: the largest first, each to the fold that has least of the group's strata so far, so that
# the folds' shares of the strata become about equal.
deal_groups <- function(groups, strata, v) {
  groups <- as.integer(factor(groups))
  size <- unclass(table(groups, strata)) # [groups, strata]
  size <- size[, colSums(size) > 0, drop = FALSE]
  share <- sweep(size, 2, colSums(size), "/")
  load <- matrix(0, v, ncol(size))
  fold <- integer(nrow(size))
  shuffled <- sample.int(nrow(size))
  for (group in shuffled[order(-rowSums(size)[shuffled])]) {
    fold[[group]] <- order(load %*% share[group, ], rowSums(load))[[1]]
    load[fold[[group]], ] <- load[fold[[group]], ] + share[group, ]
  }
  fold[groups]
}

# The folds of an rset of the package rsample, without incomplete rows
rset_folds <- function(rset, rows, n, call) {
  splits <- rset$splits
  if (!is.list(splits) || length(splits) == 0 || !all(vapply(splits, is_split, NA))) {
    abort("argument", "{.arg v} must be a whole number or an rset, as from {.fn rsample::vfold_cv}: a data frame with a
      list-column {.field splits}.", call = call)
  }
  other <- Find(function(size) size != n, lapply(splits, function(split) nrow(split$data)))
  if (!is.null(other)) {
    abort("argument", "The rset {.arg v} was made of data with {other} row{?s}, but {.arg data} has {n}.",
      "Make it of the same data.", call = call)
  }
  held <- lapply(splits, function(split) {
    out <- split$out_id
    if (length(out) == 0 || anyNA(out)) setdiff(seq_len(n), split$in_id) else out
  })
  times <- tabulate(unlist(held), n)
  abort_rows("argument", which(times > 1), "The rset {.arg v} holds out rows more than once, for example",
    "Use one that holds out each row at most once, such as {.code rsample::vfold_cv(data, v = 5)}.", call = call)
  lapply(seq_along(splits), function(k) {
    # bootstrapped rows count once: a fit does not need them twice
    list(train = intersect(unique(splits[[k]]$in_id), rows), held = intersect(held[[k]], rows))
  })
}

# The rows to train on of a split, as rsample::analysis() gives them; anything else as it is
analysis_rows <- function(data) {
  if (inherits(data, "rsplit") && is_split(data)) data$data[data$in_id, , drop = FALSE] else data
}

is_split <- function(x) {
  is.list(x) && is.data.frame(x$data) && is.numeric(x$in_id)
}

# The column that a quosure names, or NULL without one
one_column <- function(quo, data, arg, call) {
  if (rlang::quo_is_null(quo)) {
    return(NULL)
  }
  name <- chosen_columns(quo, setdiff(names(data), ""), "data", call)
  if (!rlang::is_string(name) || is.na(name)) {
    shown <- rlang::as_label(rlang::quo_get_expr(quo))
    abort("column", "{.arg {arg}} must name one column of {.arg data}, not {.code {shown}}.",
      "Its columns are {.val {shorten(names(data), 10)}}.", call = call)
  }
  check_columns(name, data, call = call)
  if (!is.atomic(data[[name]]) || NCOL(data[[name]]) != 1) {
    abort("column", "{column_label(name, \"data\")} must be a plain column to be used as {.arg {arg}}, not
      {.obj_type_friendly {data[[name]]}}.", call = call)
  }
  data[[name]]
}
