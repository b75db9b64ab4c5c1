# Ctrl-C and Esc while Python runs: see also interrupts.py.

# R crashes if an interrupt unwinds through Python's frames, so all code that touches Python runs in here. An interrupt
# during the code stops a long call at its next batch (see watcher()); otherwise it is raised in R when the code has
# finished. With `keep` a result has priority and the interrupt is dropped.
without_interrupts <- function(code, keep = FALSE) {
  if (the$held) {
    return(code)
  }
  the$held <- TRUE
  the$asked <- FALSE
  on.exit(the$held <- FALSE)
  stopped <- FALSE
  suspendInterrupts(tryCatch(
    result <- code,
    bertr_interrupt = function(e) the$asked <- stopped <<- TRUE,
    finally = py_forget_interrupt()
  ))
  if (stopped || (the$asked && !keep)) rlang::interrupt() else result
}

# TRUE if an interrupt is pending in R, which this clears
forget_interrupt <- function() {
  # Sys.sleep() also runs pending tasks of R's event loop (from the package later, for example), which may fail
  tryCatch({
    allowInterrupts(Sys.sleep(0))
    FALSE
  }, interrupt = function(e) TRUE, error = function(e) FALSE)
}

# An R function for Python to call. It never raises a condition, which would unwind through Python's frames.
# Returns TRUE after Ctrl-C or Esc; Python then stops at the next batch.
watcher <- function(on_event) {
  force(on_event) # a promise would keep the caller's frame and the result alive through a reference cycle via Python
  function(kind, values) {
    try(on_event(kind, values), silent = TRUE)
    forget_interrupt()
  }
}
