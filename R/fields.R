# The fields that functions need in an object and their kinds; "?" means that it may be NULL. Objects that were built by
# hand or read from a damaged file are reported before they are used.
config_fields <- list(
  vocab_size = "number", hidden_size = "number", num_layers = "number", num_heads = "number",
  intermediate_size = "number", max_positions = "number", num_segments = "number", activation = "string"
)

model_fields <- list(
  name = "string", source = "string", folder = "string", format = "string", repo = "string", commit = "string",
  config = config_fields, pooling = "string", width = "number", steps = "texts", prompts = "texts",
  prompt_texts = "texts", unused_rows = "number", max_len = "number", fingerprint = "string", lower_case = "flag",
  tokens = "string", mask = "string",
  parameters = "number",
  layers = list(layer = "texts", shape = "texts", parameters = "numbers", trained = "flags"),
  unread = "texts", unread_why = "texts", missing = "texts", missing_why = "texts"
)

fit_fields <- list(
  train = "string", epochs = "number", learning_rate = "number", batch_size = "number", seed = "number",
  max_len = "number", pool = "string", rows = "number", valid_rows = "number", n_truncated = "number",
  epochs_done = "number", interrupted = "flag", best_epoch = "number?", stopped_early = "flag",
  parameters_trained = "number", seconds = "number", levels = "texts", held_rows = "number", temperature = "number?",
  calibration_rows = "number?", event_threshold = "threshold?", thresholds = "numbers?"
)

# of a fit whose head came with its encoder
elsewhere_fields <- c(
  list(train = "string", architecture = "string"),
  fit_fields[c("max_len", "pool", "levels", "temperature", "calibration_rows", "event_threshold", "thresholds")]
)

object_fields <- list(
  bert_model = list(info = model_fields, options = "list", handle = "handle"),
  bert_fit = list(
    spec = list(task = "task", text = "columns", lhs = "string"), info = "list", history = "history",
    base = model_fields, weights = "weights?", saved = "saved?", handle = "handle"
  ),
  bert_cv = list(
    predictions = "list", metrics = "list", spec = list(task = "task", text = "columns", lhs = "string"),
    seed = "number", info = list(rows = "number", folds = "numbers", train = "string")
  ),
  bert_tokens = list(
    token_ids = "matrix", segment_ids = "matrix", mask = "matrix", n_tokens = "numbers", model = "list",
    texts = list(a = "texts", b = "texts?", complete = "flags"), max_len = "number?"
  )
)

# Fields of the outcome, by task
spec_fields <- list(
  classification = list(outcome = "string", type = "string", levels = "levels"),
  multilabel = list(outcome = "texts", type = "string", levels = "levels"),
  regression = list(outcome = "texts"),
  entities = list(outcome = "string", levels = "levels"),
  span = list(answer = "string", start = "texts"),
  relations = list(outcome = "string", levels = "levels"),
  mlm = list()
)

is_one_string <- function(x) {
  rlang::is_string(x) && !is.na(x)
}

is_yes_or_no <- function(x) {
  rlang::is_bool(x) && !is.na(x)
}

are_names <- function(x) {
  is.character(x) && length(x) > 0 && !anyNA(x)
}

is_handle <- function(py, version) {
  is_one_string(version) && (is.null(py) || inherits(py, "python.builtin.object"))
}

is_threshold <- function(x) {
  is.list(x) && is_number(x$event) && x$event %in% 0:1 && is_one_string(x$measure) && is_number(x$value)
}

# For each kind its description and a predicate
field_kinds <- list(
  number = list("a single number", is_number),
  numbers = list("numbers", is.numeric),
  string = list("a single string", is_one_string),
  flag = list("TRUE or FALSE", is_yes_or_no),
  flags = list("TRUE or FALSE for every element", is.logical),
  list = list("a list", is.list),
  texts = list("a character vector", function(x) is.character(x) || identical(x, list())),
  columns = list("the names of one or two columns", function(x) length(x) %in% 1:2 && are_names(x)),
  levels = list("unique strings", function(x) are_names(x) && !anyDuplicated(x)),
  task = list("the name of a task", function(x) is_one_string(x) && x %in% names(spec_fields)),
  matrix = list("a matrix of numbers", function(x) is.matrix(x) && is.numeric(x)),
  history = list("a data frame of numbers", function(x) is.data.frame(x) && all(vapply(x, is.numeric, NA))),
  weights = list("raw vectors", function(x) all(vapply(if (is.list(x)) x else list(x), is.raw, NA))),
  saved = list("a folder and a fingerprint", function(x) {
    # older versions had no options
    is_one_string(x$folder) && is_one_string(x$fingerprint) && (is.null(x$options) || is.list(x$options))
  }),
  threshold = list("an event, a measure and a value", is_threshold),
  handle = list("an environment with a Python object", function(x) is.environment(x) && is_handle(x$py, x$version))
)

# The first invalid field: list(name, found, needed), or NULL
wrong_field <- function(x, fields, path = NULL) {
  for (name in names(fields)) {
    here <- paste(c(path, name), collapse = "$")
    value <- if (is.list(x)) x[[name]]
    kind <- fields[[name]]
    if (is.list(kind)) {
      wrong <- if (is.list(value)) wrong_field(value, kind, here) else list(here, value, "a list")
    } else {
      wrong <- wrong_value(value, kind, here)
    }
    if (!is.null(wrong)) {
      return(wrong)
    }
  }
  NULL
}

wrong_value <- function(value, kind, here) {
  optional <- endsWith(kind, "?")
  kind <- field_kinds[[sub("?", "", kind, fixed = TRUE)]]
  ok <- if (is.null(value)) optional else kind[[2]](value)
  if (!ok) list(here, value, kind[[1]])
}

wrong_in <- function(x, class) {
  wrong <- wrong_field(unclass(x), object_fields[[class]])
  if (is.null(wrong) && class == "bert_fit") {
    wrong <- wrong_field(x$info, if (is_from_elsewhere(x$info)) elsewhere_fields else fit_fields, "info")
  }
  if (is.null(wrong) && class == "bert_fit") {
    wrong <- wrong_spec(x)
  }
  wrong
}

# Checks the outcome, which must agree with the Python side
wrong_spec <- function(fit) {
  wrong <- wrong_field(fit$spec, spec_fields[[fit$spec$task]], "spec")
  known <- as_chr(fit$info$levels)
  if (is.null(wrong) && length(known) > 0 && !identical(as.character(fit$spec$levels), known)) {
    wrong <- list("spec$levels", fit$spec$levels, "the levels of the fit's head")
  }
  wrong
}

# Rebuilds the settings from their fields, which checks each of them.
check_settings <- function(x, class, arg, call) {
  maker <- list(bert_control = bert_control, bert_head = bert_head)[[class]]
  needed <- names(Filter(Negate(is.null), as.list(formals(maker))))
  absent <- setdiff(needed, names(x))
  if (!is.list(x) || length(absent) > 0) {
    abort("argument", "{.arg {arg}} is not a valid {.cls {class}}: {.field {absent}} {?is/are} missing.",
      "Create it with {.code {class}()}.", call = call)
  }
  tryCatch(do.call(maker, unclass(x)), error = function(e) {
    what <- first_line(cli::ansi_strip(conditionMessage(e)))
    abort("argument", "{.arg {arg}} is not a valid {.cls {class}}: {what}.", "Create it with {.code {class}()}.",
      call = call)
  })
}
