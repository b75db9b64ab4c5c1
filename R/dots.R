# In a method: stops if an argument went into `...` or is not written in full. R would let the one go unseen, and take
# an abbreviation for the argument that it happens to fit.
check_dots <- function(..., call = caller_env()) {
  known <- setdiff(names(formals(rlang::frame_fn(call))), "...")
  given <- c(rlang::names2(as.list(rlang::frame_call(call))[-1]), rlang::names2(rlang::exprs(...)))
  unknown <- setdiff(given, c(known, ""))
  if (length(unknown) > 0) {
    hint <- did_you_mean(unknown[[1]], known, "{.arg {close}}")
    abort("argument", "There is no argument {.arg {unknown[[1]]}}.",
      if (is.null(hint)) "The arguments are {.arg {known}}." else hint, call = call)
  }
  n <- ...length()
  if (n > 0) {
    abort("argument", "{n} argument{?s} too many {?was/were} given.", "The arguments are {.arg {known}}.",
      call = call)
  }
}
