# The settings of bert_control() and bert_head(), one line each: how to check a setting, how to convert it for Python,
# and how to print its empty value. The defaults are in the signatures of the two functions. Python uses the same names.
# A `head` setting is passed to Python with those of bert_head(); one that is not `sent` is only used in R.
control_settings <- function() {
  list(
    warmup = setting(is_between(0, 1)),
    schedule = setting(is_choice("linear", "constant", "keras_bert")),
    weight_decay = setting(is_between(0)),
    layer_decay = setting(is_between(0, 1, open = TRUE), neutral = 1),
    clip = setting(is_between(0, open = TRUE)),
    dropout = setting(is_between(0, 0.999), null = "from the model"),
    accumulate = setting(is_count(), to_int, neutral = 1),
    ema = setting(is_between(0, 0.999999, open = TRUE), null = "off"),
    adversarial = setting(is_between(0, open = TRUE), null = "off"),
    class_weights = setting(check_class_weights, sent = FALSE, null = "off"), # sent by level, see level_weights()
    label_smoothing = setting(is_between(0, 0.999), neutral = 0),
    early_stopping = setting(is_count(), to_int, null = "off"),
    devices = setting(is_count(), to_int, null = "one"),
    precision = setting(is_choice(precisions)),
    checkpoint = setting(check_path, path.expand, null = "off"),
    keep = setting(is_choice("last", "all")),
    long = setting(is_choice("truncate", "head_tail", "window"), head = TRUE),
    threshold = setting(is_between(0, 1), head = TRUE, null = "chosen for each label"),
    calibrate = setting(check_flag, head = TRUE),
    whole_words = setting(check_flag, head = TRUE),
    serialize = setting(check_flag, sent = FALSE)
  )
}

# Types of numbers to compute with; Python has the same list
precisions <- c("auto", "float32", "bfloat16", "float16")

# How to pool the tokens of a text
pools <- c("cls", "mean", "max", "pooler")

# Activations of hidden layers, by Keras' names; Python has the same list
activations <- c("relu", "gelu", "tanh", "sigmoid", "elu", "selu", "silu", "softplus")

head_settings <- function() {
  list(
    units = setting(check_units, as.list, head = TRUE, empty = "none"),
    activation = setting(is_choice(activations), head = TRUE),
    dropout = setting(is_between(0, 0.999), head = TRUE, null = "from the model"),
    pool = setting(is_choice(pools), head = TRUE, null = "from the model"),
    pair = setting(is_choice("joint", "cosine"), head = TRUE),
    link = setting(is_choice("identity", "logit"), head = TRUE),
    windows = setting(is_choice("mean", "max", "attention"), head = TRUE),
    crf = setting(check_flag, head = TRUE),
    words = setting(is_choice("punctuation", "space"), head = TRUE),
    relations = setting(is_choice("gplinker", "subject_first"), head = TRUE)
  )
}

# Of bert_embed() and bert_similarity()
vector_settings <- function() {
  list(combine = setting(is_choice("mean", "concatenate")))
}

# `check(x, name, call)` aborts on invalid values; `convert` converts a value for Python; `null` describes NULL, if it
# is allowed; `empty` describes a vector without elements; `neutral` is the value that has no effect.
setting <- function(check, convert = identity, null = NULL, empty = NULL, neutral = NULL, head = FALSE, sent = TRUE) {
  list(check = check, convert = convert, null = null, empty = empty, neutral = neutral, head = head, sent = sent)
}

is_between <- function(from, to = Inf, open = FALSE) {
  function(x, arg, call) check_number(x, arg, from, to, open, call)
}

is_count <- function() {
  function(x, arg, call) check_whole(x, arg, call = call)
}

is_choice <- function(...) {
  choices <- c(...)
  structure(function(x, arg, call) check_choice(x, choices, arg, call), choices = choices)
}

# Checks the arguments of a constructor; the default vector of choices becomes the first one
checked_settings <- function(values, settings, call = caller_env()) {
  for (name in names(settings)) {
    setting <- settings[[name]]
    choices <- attr(setting$check, "choices")
    if (!is.null(choices) && !is.null(values[[name]])) {
      values[[name]] <- first_choice(values[[name]], choices)
    }
    if (!is.null(values[[name]]) || is.null(setting$null)) {
      setting$check(values[[name]], name, call)
    }
  }
  values[names(settings)]
}

# The first of the choices if the argument was not given, so that its default still has all of them
first_choice <- function(value, choices) {
  if (identical(value, choices)) choices[[1]] else value
}

# Converts the settings for Python: those of the head, or the others
sent_settings <- function(values, settings, head) {
  chosen <- names(Filter(function(setting) setting$sent && setting$head == head, settings))
  lapply(stats::setNames(nm = chosen), function(name) {
    if (!is.null(values[[name]])) convert_number(settings[[name]]$convert(values[[name]]))
  })
}

# Numbers are passed as float unless they are integer
convert_number <- function(x) {
  if (is.numeric(x) && !is.integer(x)) as.double(x) else x
}

print_settings <- function(x, title, settings) {
  values <- mapply(setting_text, x, settings[names(x)])
  cat("<", title, ">\n", paste0("  ", format(names(x)), "  ", values, "\n"), sep = "")
  invisible(x)
}

# As "8, 4", or "no = 1, yes = 5" of named values
setting_text <- function(x, setting) {
  if (length(x) == 0) {
    return(if (is.null(x)) setting$null else setting$empty)
  }
  if (!is.null(setting$neutral) && x == setting$neutral) {
    return(paste(x, "(off)"))
  }
  text <- format(x, trim = TRUE)
  paste(if (is.null(names(x))) text else paste(names(x), "=", text), collapse = ", ")
}
