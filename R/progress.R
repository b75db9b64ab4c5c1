# How a long run shows itself: a bar in the console, a line an epoch in documents and scripts, nothing in tests.
# A reporter is list(event = function(kind, values), close = function()). It writes with cat() only, as
# watcher() demands.
progress <- function(verbose) {
  switch(progress_mode(verbose),
    none = list(event = function(kind, values) NULL, close = function() NULL),
    lines = list(event = epoch_line, close = function() NULL),
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

# A document keeps what goes to standard output; elsewhere that is for results.
epoch_line <- function(kind, values) {
  if (kind == "epoch") {
    cat(epoch_text(values), "\n", sep = "", file = if (knitting()) stdout() else stderr())
  } else if (kind == "resume") {
    cat(resume_text(values), "\n", sep = "", file = if (knitting()) stdout() else stderr())
  }
}

# As "epoch 3/20  loss 0.52  val_loss 0.61  val_accuracy 0.83  1.2 s"
epoch_text <- function(values) {
  measures <- values[!names(values) %in% c("epoch", "epochs", "seconds", "learning_rate")]
  measures <- measures[lengths(measures) > 0]
  shown <- paste(names(measures), vapply(measures, function(x) format(signif(x, 3)), ""))
  place <- sprintf("epoch %d/%d", as.integer(values$epoch), as.integer(values$epochs))
  paste(c(place, shown, sprintf("%.1f s", values$seconds)), collapse = "  ")
}

resume_text <- function(values) {
  sprintf("goes on after epoch %d/%d", as.integer(values$epoch), as.integer(values$epochs))
}

# One line, written over and over: the share done, the time left, and the figures of the latest epoch.
bar_reporter <- function(file = stderr()) {
  line <- ""
  status <- ""
  begun <- list(kind = "", time = 0)
  write <- function(text) {
    text <- strtrim(text, cli::console_width() - 1)
    cat("\r", formatC(text, width = -nchar(line, "width"), flag = "-"), sep = "", file = file)
    line <<- text
  }
  show <- function(kind, done, total) {
    if (kind != begun$kind) {
      begun <<- list(kind = kind, time = now())
    }
    write(paste(bar_text(kind, done / total, now() - begun$time), status))
  }
  event <- function(kind, values) {
    switch(kind,
      encode = show("Encoding", values$done, values$total),
      compare = show("Comparing", values$done, values$total),
      step = show("Training", (values$epoch - 1) * values$steps + values$step, values$epochs * values$steps),
      epoch = status <<- epoch_text(values),
      resume = status <<- resume_text(values)
    )
  }
  close <- function() {
    if (nzchar(line)) {
      write("")
      cat("\r", file = file)
      line <<- ""
    }
  }
  list(event = event, close = close)
}

# As "Training [=====>    ]  45 %  12 s left"
bar_text <- function(kind, share, seconds) {
  width <- 20
  full <- floor(share * width)
  bar <- paste0(strrep("=", full), if (full < width) ">", strrep(" ", max(width - full - 1, 0)))
  left <- if (share > 0) sprintf("%.0f s left", seconds / share * (1 - share)) else ""
  sprintf("%s [%s] %3.0f %%  %s ", kind, bar, 100 * share, left)
}

now <- function() {
  proc.time()[["elapsed"]]
}
