# Entities: labelled spans of one text, none within another, from a list-column of tibbles (start, end, label).
task_entities <- function() {
  new_task(
    expects = "a list-column of data frames with columns start, end and label",
    accepts = function(lhs, data) is.symbol(lhs) && is_entities(data[[as.character(lhs)]]),
    spec = function(lhs, data) list(outcome = as.character(lhs)),
    outcome = entity_outcome,
    settle = settle_entities,
    labels = function(spec, outcome) flat_entities(outcome)[c("label", "row")],
    match = function(spec, outcome) outcome,
    says = function(spec) counted(length(spec$levels), "label"),
    strata = function(outcome) 1L + (row_counts(outcome) > 0), # with and without entities
    target = entity_target,
    truth = entity_truth,
    types = "all",
    predict = entity_predictions
  )
}

# A list of data frames (relations are such lists too, with more columns); the contents are checked later
is_entities <- function(x) {
  frames <- Filter(is.data.frame, x)
  is.list(x) && !is.data.frame(x) && length(frames) > 0 &&
    !any(vapply(frames, function(f) "relation" %in% names(f), NA))
}

# The column with its rows checked: NULL where missing, else a data frame of start, end and label
entity_outcome <- function(spec, data, arg, call) {
  check_columns(spec$outcome, data, arg, call)
  check_one_column(spec, call)
  x <- data[[spec$outcome]]
  what <- function() column_label(spec$outcome, arg)
  if (!is.list(x) || is.data.frame(x)) {
    abort("entities", "{what()} must be a list of data frames, not {.obj_type_friendly {x}}.", call = call)
  }
  missing <- is_missing(x)
  x[missing] <- list(NULL)
  frame <- vapply(x, is.data.frame, NA)
  bad <- which(!missing & !frame)
  abort_rows("shape", bad, "{what()} contains something other than a data frame", entity_hints$shape, call = call)
  filled <- which(row_counts(x) > 0)
  abort_rows("shape", filled[!vapply(x[filled], has_entity_columns, NA)],
    "{what()} is missing one of start and end (numbers) and label (text)", entity_hints$shape, call = call)
  check_entities(flat_entities(x), text_columns(spec$text, data, arg, call)$a, what(), call)
  x
}

check_one_column <- function(spec, call) {
  if (length(spec$text) > 1) {
    abort("pair", "Entities are found in one text column, but the formula names {length(spec$text)}.", call = call)
  }
}

has_entity_columns <- function(x) {
  all(c("start", "end", "label") %in% names(x)) && is.numeric(x$start) && is.numeric(x$end) &&
    (is.character(x$label) || is.factor(x$label))
}

# All entities of a list-column as one list of columns, with their `row`, ordered by row and start
flat_entities <- function(x) {
  n <- row_counts(x)
  x <- x[n > 0]
  column <- function(name) unlist(lapply(x, function(f) to_plain(f[[name]])), use.names = FALSE)
  label <- mark_utf8(as.character(column("label")))
  flat <- list(row = rep(seq_along(n), n), start = column("start"), end = column("end"), label = label)
  if (length(x) > 0) {
    flat <- lapply(flat, `[`, order(flat$row, flat$start))
  }
  flat
}

to_plain <- function(x) {
  if (is.factor(x)) as.character(x) else x
}

row_counts <- function(x) {
  vapply(x, function(f) if (is.data.frame(f)) nrow(f) else 0L, 0L, USE.NAMES = FALSE)
}

check_entities <- function(flat, text, what, call) {
  if (length(flat$row) == 0) {
    return(invisible())
  }
  fail <- function(bad, why, hint = entity_hints$span) {
    abort_rows("span", unique(flat$row[which(bad)]), "{what} {why}", hint, call = call)
  }
  for (name in c("start", "end")) {
    place <- flat[[name]]
    fail(is.na(place) | place != round(place), paste0("has a missing or fractional `", name, "`"))
  }
  fail(is.na(flat$label) | !nzchar(flat$label), "has an entity without a label", entity_hints$shape)
  fail(!validUTF8(flat$label), "has a label that is not valid UTF-8", NULL)
  fail(flat$end < flat$start, "has an entity that ends before it starts")
  length <- nchar(text)[flat$row]
  fail(flat$start < 1 | (!is.na(length) & flat$end > length), "has an entity outside its text")
  n <- length(flat$row)
  fail(c(FALSE, flat$row[-1] == flat$row[-n] & flat$start[-1] <= flat$end[-n]), "has entities that overlap")
}

entity_hints <- list(
  shape = "Every row must be a data frame with columns start, end and label; one without rows means no entities.",
  span = "Positions count characters from 1 and include both ends, as in {.code substr(text, start, end)}."
)

settle_entities <- function(spec, outcome, say, call) {
  labels <- unique(flat_entities(outcome)$label)
  if (length(labels) == 0) {
    abort("no_entities", "No complete row has an entity, so there is nothing to learn.", call = call)
  }
  spec$levels <- sort(labels, method = "radix")
  list(spec = spec, outcome = outcome)
}

entity_target <- function(spec, outcome) {
  flat <- flat_entities(outcome)
  levels <- all_levels(spec$levels, flat$label)
  list(row = to_ints(flat$row - 1L), start = to_ints(flat$start - 1), end = to_ints(flat$end),
    code = to_ints(match(flat$label, levels) - 1L), levels = as.list(levels))
}

# The target, and whether every word is labeled
entity_truth <- function(spec, rows) {
  c(entity_target(spec, rows$outcome), words = are_words(flat_entities(rows$outcome), rows$a))
}

# Is every word a separate entity, as with parts of speech? Then no entity contains a space and no text is left over.
are_words <- function(entities, text) {
  inside <- substr(text[entities$row], entities$start, entities$end)
  if (length(inside) == 0 || any(grepl("[[:space:]]", inside))) {
    return(FALSE)
  }
  labelled <- split(entities$end - entities$start + 1, factor(entities$row, seq_along(text)))
  all(vapply(labelled, sum, 0) == nchar(gsub("[[:space:]]", "", text)))
}

entity_predictions <- function(spec, result, rows, n, type) {
  out <- vector("list", n)
  if (length(rows) > 0) {
    columns <- list(
      start = as_int(result$start), end = as_int(result$end), label = spec$levels[as_int(result$code) + 1L],
      text = as_chr(result$text), score = as.double(unlist(result$score))
    )
    out[rows] <- split_tibbles(columns, as_int(result$row), length(rows))
  }
  list(.pred_entities = out)
}

as_int <- function(x) {
  as.integer(unlist(x))
}
