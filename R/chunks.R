# Many texts cross the bridge a chunk at a time, so that beyond the texts and the result memory holds one chunk's.
chunk_size <- 10000

# Calls Python's `name` on the complete texts of every chunk; `use(result, rows, chunk)` takes each result (NULL where
# no text is complete): `chunk` are places among all texts, `rows` those in the chunk that have a result.
# Gives the number of texts that were cut.
py_chunks <- function(name, object, texts, options, verbose, call, use, size = chunk_size) {
  reporter <- progress(verbose)
  on.exit(reporter$close())
  handle <- NULL
  n_truncated <- 0
  done <- 0
  total <- sum(texts$complete)
  event <- function(kind, values) {
    reporter$event(kind, list(done = done + values$done, total = total))
  }
  n <- length(texts$complete)
  one_chunk <- function(start) {
    chunk <- chunk_from(start, n, size)
    rows <- which(texts$complete[chunk])
    result <- NULL
    if (length(rows) > 0) {
      some <- take(texts, chunk[rows])
      handle <<- if (is.null(handle)) live(object, call) else handle
      result <- py_value(name, handle, to_texts(some$a), to_texts(some$b), options, on_event = event, call = call)
      n_truncated <<- n_truncated + result$n_truncated
      done <<- done + length(rows)
    }
    use(result, rows, chunk)
  }
  starts <- chunk_starts(n, size)
  for (k in seq_along(starts)) {
    if (length(starts) > 1) {
      collect(k)
    }
    one_chunk(starts[[k]]) # in a function of its own, so that nothing of the last chunk is held when it is collected
  }
  n_truncated
}

# What checks and chunks leave behind would else pile up to a share of all that R holds. Not before every chunk, and
# what grew old more rarely still: with a million texts R takes 0.06 s for it, and 0.2 if it looks at what is old, too.
collect <- function(k) {
  if (k %% 2 == 1) gc(full = k %% 20 == 1)
}

# 1 to n in pieces, for n = 0 one empty piece: where each of them begins, ...
chunk_starts <- function(n, size = chunk_size) {
  seq(1, max(n, 1), by = size)
}

# ... and one of them, not all at once: they would take four bytes a text for as long as the call lasts.
chunk_from <- function(start, n, size = chunk_size) {
  seq.int(start, length.out = min(size, n - start + 1))
}
