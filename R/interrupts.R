# Ctrl-C and Esc while Python runs: see also interrupts.py.

# R crashes when an interrupt unwinds through Python's frames, so whatever touches Python runs in here. An interrupt
# that comes meanwhile ends a long call at its next batch (see watcher()), or else is R's again when the code is
# through. With `keep` a result is worth more: then the interrupt is forgotten.
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

# TRUE if R has noted an interrupt, which it forgets
forget_interrupt <- function() {
  # Sys.sleep() also runs what waits in R's event loop (of the package later, say), which may fail
  tryCatch({
    allowInterrupts(Sys.sleep(0))
    FALSE
  }, interrupt = function(e) TRUE, error = function(e) FALSE)
}

# An R function for Python to call. No condition leaves it, as it would unwind through Python's frames.
# TRUE for Ctrl-C or Esc, upon which Python stops at the next batch.
watcher <- function(on_event) {
  force(on_event) # a promise would hold the caller's frame, and with it the result, for good: a ring through Python
  function(kind, values) {
    try(on_event(kind, values), silent = TRUE)
    forget_interrupt()
  }
}
