# The settings of a fit: what bert_fit() is given, checked and as the bridge takes it.

fit_options <- function(train, head, epochs, learning_rate, batch_size, max_len, control, seed) {
  list(
    train = train, head = head_options(head, control),
    epochs = to_int(epochs), learning_rate = to_float(learning_rate), batch_size = to_int(batch_size),
    max_len = to_int(max_len), seed = to_int(seed), warmup = to_float(control$warmup), schedule = control$schedule,
    weight_decay = to_float(control$weight_decay), layer_decay = to_float(control$layer_decay),
    clip = to_float(control$clip), dropout = to_float(control$dropout), accumulate = to_int(control$accumulate),
    ema = to_float(control$ema), adversarial = to_float(control$adversarial),
    label_smoothing = to_float(control$label_smoothing), early_stopping = to_int(control$early_stopping),
    checkpoint = if (!is.null(control$checkpoint)) path.expand(control$checkpoint), keep = control$keep
  )
}

# The class weights in the order of the levels, as the bridge takes them
level_weights <- function(weights, spec, call) {
  if (!is.numeric(weights) || spec$task != "classification") {
    return(weights) # the engine says that other tasks have none
  }
  unknown <- setdiff(names(weights), spec$levels)
  lacking <- setdiff(spec$levels, names(weights))
  if (length(unknown) > 0) {
    abort("argument", "{.arg class_weights} names {.val {shorten(unknown)}}, which is no level with rows.",
      "The levels are {.val {shorten(spec$levels)}}.", call = call)
  }
  if (length(lacking) > 0) {
    abort("argument", "{.arg class_weights} has no weight for {.val {shorten(lacking)}}.",
      "Give every level one: 1 for those that count as usual.", call = call)
  }
  as.list(unname(weights[spec$levels]))
}

# The seed of the run in a checkpoint folder, else `seed`
kept_seed <- function(folder, seed, call) {
  kept <- py_value("kept_seed", path.expand(folder), call = call)
  if (is.null(kept)) seed else kept
}

head_options <- function(head, control) {
  list(units = as.list(head$units), dropout = to_float(head$dropout), pool = head$pool, pair = head$pair,
    link = head$link,
    crf = head$crf, words = head$words, relations = head$relations, windows = head$windows, long = control$long,
    threshold = to_float(control$threshold), whole_words = control$whole_words,
    calibrate = control$calibrate)
}

check_train <- function(train, num_layers, call = caller_env()) {
  k <- if (rlang::is_string(train) && grepl("^top:[0-9]+$", train)) as.numeric(sub("top:", "", train))
  if (!identical(train, "all") && !identical(train, "head") && is.null(k)) {
    abort("argument", "{.arg train} must be {.val all}, {.val head} or {.val top:k} with a number k, as {.val top:2},
      not {got_value(train)}.", call = call)
  }
  if (!is.null(k) && (k < 1 || k > num_layers)) {
    abort("argument", "{.arg train} is {.val {train}}, but this model has layers 1 to {num_layers}.", call = call)
  }
}

# Settings that need each other
check_together <- function(control, train, validation, call = caller_env()) {
  if (!is.null(control$early_stopping) && is.null(validation)) {
    abort("argument", "{.arg early_stopping} needs validation rows to judge the epochs by.",
      "Give {.arg validation}, such as {.code validation = 0.2}.", call = call)
  }
  if (!is.null(control$adversarial) && train != "all") {
    abort("argument", "{.arg adversarial} moves the word vectors, which are trained only with {.code train = \"all\"}.",
      call = call)
  }
}

check_rates <- function(epochs, learning_rate, batch_size, call = caller_env()) {
  if (!is.null(epochs)) {
    check_whole(epochs, "epochs", call = call)
  }
  if (!is.null(learning_rate)) {
    check_number(learning_rate, "learning_rate", 0, open = TRUE, call = call)
  }
  if (!is.null(batch_size)) {
    check_whole(batch_size, "batch_size", call = call)
  }
}
