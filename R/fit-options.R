# The settings of a fit: the arguments of bert_fit(), checked and converted for the bridge.

fit_options <- function(train, head, epochs, learning_rate, batch_size, max_len, control, seed) {
  of_head <- c(sent_settings(head, head_settings(), TRUE), sent_settings(control, control_settings(), TRUE))
  c(
    list(train = train, head = of_head, epochs = to_int(epochs), learning_rate = to_float(learning_rate),
      batch_size = to_int(batch_size), max_len = to_int(max_len), seed = to_int(seed)),
    sent_settings(control, control_settings(), FALSE)
  )
}

# The class weights in the order of the levels, for the bridge
level_weights <- function(weights, spec, call) {
  if (!is.numeric(weights) || spec$task != "classification") {
    return(weights) # the engine refuses them for other tasks
  }
  unknown <- setdiff(names(weights), spec$levels)
  lacking <- setdiff(spec$levels, names(weights))
  if (length(unknown) > 0) {
    abort("argument", "{.arg class_weights} names {.val {shorten(unknown)}}, but no row has
      {cli::qty(unknown)}{?this/these} level{?s}.",
      "The levels are {.val {shorten(spec$levels)}}.", call = call)
  }
  if (length(lacking) > 0) {
    abort("argument", "{.arg class_weights} has no weight for {.val {shorten(lacking)}}.",
      "Give every level a weight; 1 has no effect.", call = call)
  }
  as.list(unname(weights[spec$levels]))
}

# The seed of the run in a checkpoint folder, else `seed`
kept_seed <- function(folder, seed, call) {
  kept <- py_value("kept_seed", path.expand(folder), call = call)
  if (is.null(kept)) seed else kept
}

check_train <- function(train, num_layers, call = caller_env()) {
  k <- if (rlang::is_string(train) && grepl("^top:[0-9]+$", train)) as.numeric(sub("top:", "", train))
  if (!identical(train, "all") && !identical(train, "head") && is.null(k)) {
    abort("argument", "{.arg train} must be {.val all}, {.val head} or {.val top:k} with a number k, such as
      {.val top:2}, not {got_value(train)}.", call = call)
  }
  if (!is.null(k) && (k < 1 || k > num_layers)) {
    abort("argument", "{.arg train} is {.val {train}}, but this model has layers 1 to {num_layers}.", call = call)
  }
}

# Settings that depend on each other
check_together <- function(control, train, validation, call = caller_env()) {
  if (!is.null(control$early_stopping) && is.null(validation)) {
    abort("argument", "{.arg early_stopping} needs validation rows to compare epochs.",
      "Set {.arg validation}, for example {.code validation = 0.2}.", call = call)
  }
  if (!is.null(control$adversarial) && train != "all") {
    abort("argument", "{.arg adversarial} perturbs the word vectors, which are only trained with
      {.code train = \"all\"}.", call = call)
  }
  if (!is.null(control$devices) && control$devices > 1 && train == "head") {
    abort("argument", "{.arg devices} is {control$devices}, but {.code train = \"head\"} trains on one device.",
      "Use {.code train = \"all\"}, or leave {.arg devices} out.", call = call)
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
