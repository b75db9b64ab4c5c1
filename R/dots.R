# For methods: aborts if an argument ended up in `...` or is abbreviated. R would ignore the former silently and match
# the latter partially.
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

# The argument names in the call of a function as written, including those passed through its caller's `...`
written_names <- function(frame) {
  written <- as.list(rlang::frame_call(frame))[-1]
  names <- rlang::names2(written)
  if (any(vapply(written, identical, NA, quote(...)))) {
    caller <- rlang::eval_bare(quote(parent.frame()), frame)
    names <- c(names, rlang::names2(rlang::eval_bare(quote(as.list(substitute(list(...)))), caller)))
  }
  names
}
