# All errors go through abort(): one sentence, one hint, and a class to catch.
# `message` and `hint` are cli templates evaluated in the caller.
abort <- function(code, message, hint = NULL, call = caller_env(2), envir = parent.frame()) {
  class <- c(paste0("bertr_error_", code), "bertr_error")
  cli::cli_abort(c(message, i = hint), class = class, call = call, .envir = envir)
}

# Aborts if `rows` is not empty. The error is `message`, then for example "in rows 1, 2", then `after`.
abort_rows <- function(code, rows, message, hint = NULL, after = "", call = caller_env(2), envir = parent.frame()) {
  if (length(rows) > 0) {
    where <- cli::format_inline("in {cli::qty(length(rows))}row{?s} {some(rows)}")
    abort(code, paste0(message, " ", where, after, "."), hint, call = call, envir = envir)
  }
}

check_string <- function(x, arg, call = caller_env()) {
  if (!rlang::is_string(x) || is.na(x) || !nzchar(x)) {
    abort("argument", "{.arg {arg}} must be a single non-empty string, not {.obj_type_friendly {x}}.", call = call)
  }
  check_valid(x, arg, call)
}

# Base R functions fail on strings with invalid bytes
check_valid <- function(x, arg, call) {
  if (rlang::is_string(x) && !is.na(x) && (Encoding(x) == "bytes" || !validEnc(x))) {
    abort("encoding", "{.arg {arg}} is not valid UTF-8.", call = call)
  }
}

# A path to give to Python
check_path <- function(path, arg, call = caller_env()) {
  check_string(path, arg, call)
  check_locale(suppressWarnings(path.expand(path)), arg, call)
}

# It needs characters that the locale of this session has: R would change others, and name another folder.
check_locale <- function(path, arg, call) {
  from <- if (Encoding(path) == "unknown") "" else Encoding(path)
  utf8 <- iconv(path, from, "UTF-8")
  if (is.na(utf8) || !identical(iconv(iconv(utf8, "UTF-8", ""), "", "UTF-8"), utf8)) {
    locale <- Sys.getlocale("LC_CTYPE")
    abort("encoding", "{.arg {arg}} or the working directory has characters that the locale of this session,
      {.val {locale}}, does not have.",
      "Start R in a UTF-8 locale, for example with the environment variable LC_ALL set to C.UTF-8.", call = call)
  }
}

# A path to a file that can be read
check_file <- function(file, call = caller_env()) {
  if (dir.exists(file)) {
    abort("file", "{.file {file}} is a folder, not a file.", call = call)
  }
  problem <- tryCatch(close(file(file, "rb")), warning = conditionMessage, error = conditionMessage)
  if (!is.character(problem)) {
    return(invisible())
  }
  if (!file.exists(file) && is_open(dirname(path.expand(file)))) {
    abort("file", "File {.file {file}} does not exist.", call = call)
  }
  why <- sub(".*: ", "", problem)
  abort("file", "{.file {file}} could not be read: {why}.",
    "Ask its owner for permission to read it, or check the disk or network drive it is on.", call = call)
}

# Can what is in a folder be seen? Of one that does not exist, the folder above it decides.
is_open <- function(folder) {
  if (dir.exists(folder) || folder == dirname(folder)) file.access(folder, 1) == 0 else is_open(dirname(folder))
}

check_flag <- function(x, arg, call = caller_env()) {
  if (!rlang::is_bool(x) || is.na(x)) {
    abort("argument", "{.arg {arg}} must be TRUE or FALSE, not {.obj_type_friendly {x}}.", call = call)
  }
}

check_choice <- function(x, choices, arg, call = caller_env()) {
  check_valid(x, arg, call)
  if (!rlang::is_string(x) || !x %in% choices) {
    got <- got_value(x)
    abort("argument", "{.arg {arg}} must be {.or {.val {choices}}}, not {got}.",
      did_you_mean(x, choices, "{.val {close}}"), call = call)
  }
}

# "Did you mean ...?" with the closest choice, formatted with `style`; NULL if none is close
did_you_mean <- function(x, choices, style) {
  if (!rlang::is_string(x) || is.na(x)) {
    return(NULL)
  }
  steps <- utils::adist(x, choices, ignore.case = TRUE)[1, ]
  begins <- startsWith(choices, x) & nzchar(x)
  close <- choices[begins | steps <= min(2, nchar(x) %/% 2)]
  if (length(close) == 1) {
    cli::format_inline(paste0("Did you mean ", style, "?"))
  }
}

# One number with from <= x <= to; `open` leaves `from` itself out.
check_number <- function(x, arg, from = -Inf, to = Inf, open = FALSE, call = caller_env()) {
  if (!is_number(x) || x < from || x > to || (open && x == from)) {
    range <- range_text(from, to, open)
    got <- got_text(x)
    abort("argument", "{.arg {arg}} must be a single number {range}, not {got}.", call = call)
  }
}

# As "from 0 to 1", "above 0 and at most 1" or "of at least 0"
range_text <- function(from, to, open) {
  if (open) {
    paste0("above ", from, if (is.finite(to)) paste(" and at most", to))
  } else if (is.finite(to)) {
    paste("from", from, "to", to)
  } else {
    paste("of at least", from)
  }
}

got_text <- function(x) {
  if (is_number(x)) format(x) else cli::format_inline("{.obj_type_friendly {x}}")
}

# The same, but shows the value of strings
got_value <- function(x) {
  if (rlang::is_string(x)) cli::format_inline("{.val {x}}") else got_text(x)
}

is_number <- function(x) {
  is.numeric(x) && length(x) == 1 && !is.na(x)
}

check_whole <- function(x, arg, from = 1, to = .Machine$integer.max, call = caller_env()) {
  check_number(x, arg, from, to, call = call)
  if (x != round(x)) {
    abort("argument", "{.arg {arg}} must be a whole number, not {x}.", call = call)
  }
}

# NULL, or numbers of layers or heads
check_numbers <- function(x, arg, from, to, call = caller_env()) {
  if (is.null(x)) {
    return(invisible())
  }
  if (!is.numeric(x) || length(x) == 0) {
    abort("argument", "{.arg {arg}} must contain whole numbers from {from} to {to}, not {.obj_type_friendly {x}}.",
      call = call)
  }
  wrong <- x[!x %in% seq(from, to)]
  if (length(wrong) > 0) {
    abort("argument", "{.arg {arg}} must contain whole numbers from {from} to {to}, not {wrong[[1]]}.", call = call)
  }
}

check_data <- function(data, arg = "data", call = caller_env()) {
  if (!is.data.frame(data)) {
    abort("data", "{.arg {arg}} must be a data frame, not {.obj_type_friendly {data}}.", rows_hint(data), call = call)
  }
}

# Hint on how to get the rows of what holds a data frame: a query of dbplyr, dtplyr, arrow or sparklyr, or a split
rows_hint <- function(x) {
  if (is_lazy(x)) {
    "Its rows are elsewhere until {.fn dplyr::collect} fetches them."
  } else if (inherits(x, "rsplit")) {
    "Take the rows to train on with {.fn rsample::analysis}, those held out with {.fn rsample::assessment}."
  }
}

is_lazy <- function(x) {
  inherits(x, c("tbl_lazy", "tbl_sql", "tbl_spark", "dtplyr_step", "ArrowTabular", "Dataset", "arrow_dplyr_query"))
}

check_columns <- function(names, data, arg = "data", call = caller_env()) {
  missing <- setdiff(names, names(data))
  if (length(missing) > 0) {
    abort("column", "{.arg {arg}} has no column {.val {missing}}.",
      "Its columns are {.val {shorten(names(data), 10)}}.", call = call)
  }
  twice <- intersect(names, names(data)[duplicated(names(data))])
  if (length(twice) > 0) {
    abort("column", "{.arg {arg}} has more than one column {.val {twice[[1]]}}.",
      "Give each column a unique name.", call = call)
  }
}

# Checks that an object has one of these classes and is complete (see fields.R)
check_class <- function(x, classes, arg, call = caller_env()) {
  makers <- c(bert_model = "bert_load()", bert_fit = "bert_fit()", bert_control = "bert_control()",
    bert_head = "bert_head()", bert_tokens = "bert_tokenize()", bert_cv = "bert_cv()")
  class <- classes[vapply(classes, function(class) inherits(x, class), NA)]
  if (length(class) == 0) {
    abort("argument", "{.arg {arg}} must be a result of {.or {.code {makers[classes]}}}, not {.obj_type_friendly {x}}.",
      call = call)
  }
  class <- class[[1]]
  if (class %in% c("bert_control", "bert_head")) {
    return(invisible(check_settings(x, class, arg, call)))
  }
  wrong <- wrong_in(x, class)
  if (!is.null(wrong)) {
    abort("argument", "{.arg {arg}} is not a valid {.cls {class}}: its {.field {wrong[[1]]}} must be {wrong[[3]]}, not
      {.obj_type_friendly {wrong[[2]]}}.", "Create it with {.code {makers[[class]]}}.", call = call)
  }
}

# NULL, or tokens to cut texts at; Python knows how many positions a model has
check_max_len <- function(max_len, model, call = caller_env()) {
  if (!is.null(max_len)) {
    check_whole(max_len, "max_len", from = 3, call = call)
    py_value("cut_length", live(model, call), to_int(max_len), call = call)
  }
}

# "3, 7, 9 and 12 more", for row numbers in messages
some <- function(x, n = 5) {
  shown <- paste(utils::head(x, n), collapse = ", ")
  if (length(x) > n) paste0(shown, " and ", length(x) - n, " more") else shown
}

# The same for the values of {.val {}}
shorten <- function(x, n = 5) {
  cli::cli_vec(x, list("vec-trunc" = n))
}
