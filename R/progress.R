# Progress of long runs: in the console a bar, with a line for every epoch above it; in documents and scripts only these
# lines, in scripts also one line per minute during longer work; nothing in tests. Documents get fewer lines and no
# times, so that they render the same twice.
# A reporter is list(event = function(kind, values), close = function()). It only writes with cat(), as
# required by watcher().

most_lines <- function() if (knitting()) 10 else 20 # epochs printed per fit
quiet_seconds <- 60 # longest silence in a script

progress <- function(verbose) {
  switch(progress_mode(verbose),
    none = list(event = function(kind, values) NULL, close = function() NULL),
    lines = line_reporter(),
    bar = bar_reporter()
  )
}

progress_mode <- function(verbose) {
  if (!verbose || identical(Sys.getenv("TESTTHAT"), "true")) {
    "none"
  } else if (rlang::is_interactive() && !knitting()) {
    "bar"
  } else {
    "lines"
  }
}

knitting <- function() {
  isTRUE(getOption("knitr.in.progress"))
}

# Documents show standard output; elsewhere it is reserved for results. The lines per minute in scripts never appear in
# documents.
line_reporter <- function(file = if (knitting()) stdout() else stderr(), waiting = stderr(), clock = now) {
  said <- clock()
  left <- pacer(clock)
  say <- function(text, file) {
    cat(text, "\n", sep = "", file = file)
    said <<- clock()
  }
  lines <- epoch_lines(function(text) say(text, file))
  event <- function(kind, values) {
    late <- clock() - said >= quiet_seconds
    seconds <- left(kind, values)
    if (kind == "epoch") {
      lines$event(values, late && !knitting())
    } else if (kind %in% names(said_once)) {
      say(said_once[[kind]](values), file)
    } else if (late && kind %in% names(work)) {
      say(paste(c(work_text(kind, values), left_text(seconds)), collapse = "  "), waiting)
    }
  }
  list(event = event, close = lines$close)
}

# One line that is overwritten: the fraction done, the time left, and the state of the training.
bar_reporter <- function(file = stderr(), clock = now) {
  line <- ""
  left <- pacer(clock)
  write <- function(text) {
    text <- strtrim(text, cli::console_width() - 1)
    cat("\r", formatC(text, width = -nchar(line, "width"), flag = "-"), sep = "", file = file)
    line <<- text
  }
  wipe <- function() {
    if (nzchar(line)) {
      write("")
      cat("\r", file = file)
      line <<- ""
    }
  }
  keep <- function(text) {
    wipe()
    cat(text, "\n", sep = "", file = file)
  }
  lines <- epoch_lines(keep)
  event <- function(kind, values) {
    seconds <- left(kind, values)
    if (kind == "epoch") {
      lines$event(values)
    } else if (kind %in% names(said_once)) {
      keep(said_once[[kind]](values))
    }
    if (kind %in% names(work)) {
      where <- switch(work[[kind]],
        Training = training_text(values),
        Downloading = arrived_text(values),
        Scoring = rate_text(values)
      )
      write(paste(c(bar_text(work[[kind]], share_done(kind, values)), left_text(seconds), where), collapse = "  "))
    }
  }
  close <- function() {
    wipe()
    lines$close()
  }
  list(event = event, close = close)
}

# Writes a line for each finished epoch, or for evenly spaced ones if there are very many, and for any that is `late`.
# At the end also for the last one: training may have stopped early.
epoch_lines <- function(write) {
  unsaid <- NULL
  event <- function(values, late = FALSE) {
    unsaid <<- values
    if (late || has_line(values$epoch, values$epochs)) {
      close()
    }
  }
  close <- function() {
    if (!is.null(unsaid)) {
      write(epoch_text(unsaid))
      unsaid <<- NULL
    }
  }
  list(event = event, close = close)
}

has_line <- function(epoch, epochs) {
  most <- most_lines()
  epochs <= most || (epoch * most) %/% epochs > ((epoch - 1) * most) %/% epochs
}

# Kinds of events and the work that each one reports
work <- c(encode = "Encoding", score = "Scoring", compare = "Comparing", step = "Training", epoch = "Training",
  download = "Downloading")

share_done <- function(kind, values) {
  switch(kind,
    step = ((values$epoch - 1) + values$step / values$steps) / values$epochs,
    epoch = values$epoch / values$epochs,
    score = values$share,
    values$done / values$total
  )
}

# Estimated seconds left for the work of an event, from the progress since its first event: training may resume an
# earlier run, and texts are encoded again after every epoch. NA if unknown.
pacer <- function(clock) {
  begun <- list()
  function(kind, values) {
    if (!kind %in% names(work)) {
      return(NA)
    }
    name <- work[[kind]]
    done <- share_done(kind, values)
    if (is.null(begun[[name]]) || done < begun[[name]]$last) {
      begun[[name]] <<- list(time = clock(), share = done)
    }
    begun[[name]]$last <<- done
    new <- done - begun[[name]]$share
    if (new > 0) (clock() - begun[[name]]$time) / new * (1 - done) else NA
  }
}

# As "epoch 3/20  loss 0.52  accuracy 0.9  val_loss 0.61  val_accuracy 0.83  1.2 s"
epoch_text <- function(values) {
  metrics <- values[!names(values) %in% c("epoch", "epochs", "seconds", "learning_rate")]
  metrics <- metrics[lengths(metrics) > 0]
  shown <- paste(names(metrics), vapply(metrics, function(x) format(signif(x, 3)), ""))
  seconds <- if (!knitting()) sprintf("%.1f s", values$seconds)
  paste(c(place_text("epoch", values$epoch, values$epochs), shown, seconds), collapse = "  ")
}

resume_text <- function(values) {
  paste("resuming after", place_text("epoch", values$epoch, values$epochs))
}

# Events that print a permanent line, as "Downloaded owner/name, 438 MB"
said_once <- list(
  resume = resume_text,
  downloaded = function(values) sprintf("Downloaded %s, %s MB", values$name, megabytes(values$total)),
  truncated = function(values) {
    cli::format_inline("{values$texts} of {values$rows} text{?s} {cli::qty(values$texts)}{?is/are} longer than
      {values$max_len} tokens and will be truncated.", keep_whitespace = FALSE)
  },
  remark = function(values) values$text
)

# As "120 of 438 MB"
arrived_text <- function(values) {
  paste(megabytes(values$done), "of", megabytes(values$total), "MB")
}

megabytes <- function(bytes) {
  formatC(bytes / 1e6, format = "f", digits = if (bytes < 1e7) 1 else 0)
}

# As "epoch 3/20  loss 0.52"
training_text <- function(values) {
  paste0(place_text("epoch", values$epoch, values$epochs), "  loss ", format(signif(values$loss, 3)))
}

# As "12000 rows  850 rows/s"
rate_text <- function(values) {
  sprintf("%.0f rows  %s rows/s", values$done, format(signif(values$rate, 3)))
}

# As "epoch 3/20  step 7/90  loss 0.52", or "encoding 300/9000"
work_text <- function(kind, values) {
  if (kind == "download") {
    return(paste("downloading", arrived_text(values)))
  }
  if (kind == "score") {
    return(sprintf("scoring %.0f %%  %s", 100 * values$share, rate_text(values)))
  }
  if (kind != "step") {
    return(place_text(tolower(work[[kind]]), values$done, values$total))
  }
  sub("  ", paste0("  ", place_text("step", values$step, values$steps), "  "), training_text(values), fixed = TRUE)
}

place_text <- function(what, at, of) {
  sprintf("%s %.0f/%.0f", what, at, of)
}

# As "Training [=====>    ]  45 %"
bar_text <- function(what, share) {
  width <- 20
  full <- floor(share * width)
  bar <- paste0(strrep("=", full), if (full < width) ">", strrep(" ", max(width - full - 1, 0)))
  sprintf("%s [%s] %3.0f %%", what, bar, 100 * share)
}

# As "40 s left"; NULL if unknown
left_text <- function(seconds) {
  if (!is.na(seconds)) {
    unit <- if (seconds < 100) c(1, "s") else if (seconds < 6000) c(60, "min") else c(3600, "h")
    sprintf("%.0f %s left", seconds / as.numeric(unit[[1]]), unit[[2]])
  }
}

now <- function() {
  proc.time()[["elapsed"]]
}
