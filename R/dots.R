# In a method: stops if an argument went into `...` or is not written in full. R would let the one go unseen, and take
# an abbreviation for the argument that it happens to fit.
check_dots <- function(..., call = caller_env()) {
  known <- setdiff(names(formals(rlang::frame_fn(call))), "...")
  unknown <- setdiff(c(written_names(call), rlang::names2(rlang::exprs(...))), c(known, ""))
  if (length(unknown) > 0) {
    hint <- did_you_mean(unknown[[1]], known, "{.arg {close}}")
    abort("argument", "Unknown argument {.arg {unknown[[1]]}}.",
      if (is.null(hint)) "The arguments are {.arg {known}}." else hint, call = call)
  }
  n <- ...length()
  if (n > 0) {
    abort("argument", "Got {n} argument{?s} too many.", "The arguments are {.arg {known}}.",
      call = call)
  }
}

# The names in the call of a function as they were written, also of what came through its caller's `...`
written_names <- function(frame) {
  written <- as.list(rlang::frame_call(frame))[-1]
  names <- rlang::names2(written)
  if (any(vapply(written, identical, NA, quote(...)))) {
    caller <- rlang::eval_bare(quote(parent.frame()), frame)
    names <- c(names, rlang::names2(rlang::eval_bare(quote(as.list(substitute(list(...)))), caller)))
  }
  names
}
