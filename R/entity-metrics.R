# An entity is correct if its text, start, end and label all match, as in conlleval and seqeval. If every word is
# labeled, words are also counted one by one.
entity_metrics <- function(spec, truth, results, texts) {
  found <- lapply(results, function(r) {
    list(row = r$rows[as_int(r$row)], start = as_int(r$start), end = as_int(r$end),
      label = spec$levels[as_int(r$code) + 1L])
  })
  column <- function(name) unlist(lapply(found, `[[`, name))
  found <- list(row = column("row"), start = column("start"), end = column("end"), label = column("label"))
  truth <- flat_entities(truth)
  right <- found$label[entity_keys(found) %in% entity_keys(truth)]
  out <- found_metrics(right, found$label, truth$label, all_levels(spec$levels, truth$label))
  if (!are_words(truth, texts$a)) {
    return(out)
  }
  rbind(out, tibble(.metric = "accuracy", .estimator = "multiclass", .estimate = word_accuracy(truth, found),
    .level = NA_character_))
}

entity_keys <- function(flat) {
  paste(flat$row, as.integer(flat$start), as.integer(flat$end), flat$label)
}

# Is every word a separate entity, as with parts of speech? Then no entity contains a space and no text is left over.
are_words <- function(truth, text) {
  if (length(truth$row) == 0 || any(grepl("[[:space:]]", substr(text[truth$row], truth$start, truth$end)))) {
    return(FALSE)
  }
  labelled <- split(truth$end - truth$start + 1, factor(truth$row, seq_along(text)))
  all(vapply(labelled, sum, 0) == nchar(gsub("[[:space:]]", "", text)))
}

# The share of true words with an entity of the same label at their first character
word_accuracy <- function(truth, found) {
  place <- function(flat) flat$row * 2^32 + flat$start # texts are shorter than that
  found <- lapply(found, `[`, order(place(found)))
  at <- findInterval(place(truth), place(found))
  at[at == 0] <- NA
  same <- found$row[at] == truth$row & found$end[at] >= truth$start & found$label[at] == truth$label
  sum(same, na.rm = TRUE) / length(truth$row)
}
