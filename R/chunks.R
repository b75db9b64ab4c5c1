# Texts are passed to Python in chunks, so that only one chunk is in memory in addition to the texts and the result.
chunk_size <- 10000

# Calls the Python function `name` on the complete texts of every chunk and passes each result to
# `use(result, rows, chunk)`. `result` is NULL if no text is complete. `chunk` are positions among all texts, `rows` the
# positions in the chunk that have a result. `options` may be a function of the positions of the complete texts among
# all. At the end it says how many texts were truncated.
py_chunks <- function(name, object, texts, options, verbose, call, use, size = chunk_size) {
  reporter <- progress(verbose)
  on.exit(reporter$close())
  handle <- NULL
  n_truncated <- 0
  max_len <- NULL
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
      given <- if (is.function(options)) options(chunk[rows]) else options
      result <- py_value(name, handle, to_texts(some$a), to_texts(some$b), given, on_event = event, call = call)
      n_truncated <<- n_truncated + result$n_truncated
      max_len <<- result$max_len
      done <<- done + length(rows)
    }
    use(result, rows, chunk)
  }
  starts <- chunk_starts(n, size)
  for (k in seq_along(starts)) {
    if (length(starts) > 1) {
      collect(k)
    }
    one_chunk(starts[[k]]) # a separate function, so that the last chunk is no longer referenced when it is collected
  }
  say_truncated(speaker(verbose), n_truncated, total, max_len)
}

# Frees the temporary objects of checks and chunks, which would otherwise accumulate. Not before every chunk, and a full
# collection even less often: with a million texts a collection takes 0.06 s, a full one 0.2 s.
collect <- function(k) {
  if (k %% 2 == 1) gc(full = k %% 20 == 1)
}

# Start of each chunk of 1 to n; one empty chunk for n = 0
chunk_starts <- function(n, size = chunk_size) {
  seq(1, max(n, 1), by = size)
}

# The indices of one chunk. Not all at once: they would take four bytes per text during the whole call.
chunk_from <- function(start, n, size = chunk_size) {
  seq.int(start, length.out = min(size, n - start + 1))
}
