#' BERT as models of parsnip
#'
#' Model specifications for the package parsnip, with the engine `"bertr"`. They work with its `fit()`, `fit_xy()`,
#' `predict()` and `augment()`, in workflows, and can be tuned with the package tune.
#'
#' Outcomes and texts are those of [bert_fit()]: `label ~ text`, `label ~ question + answer` for pairs, `label ~ .` if
#' one column of texts is left. For classification parsnip requires a factor. `set_engine("bertr", ...)` takes the other
#' arguments of [bert_fit()]: `validation`, `head`, `max_len`, `control`, `seed` and `verbose`. Unlike [bert_fit()],
#' these models are silent; `set_engine("bertr", verbose = TRUE)` shows progress and messages.
#'
#' The arguments of `bert_classifier()` and `bert_regressor()` can be tuned, except for `model`:
#'
#' | argument | parameter | range by default |
#' | --- | --- | --- |
#' | `train` | `bert_train()` | `"head"`, `"top:2"`, `"all"` |
#' | `epochs` | `dials::epochs()` | 2 to 10; 20 to 200 with `train = "head"` |
#' | `learn_rate` | `dials::learn_rate()` | 1e-5 to 3e-4; 3e-4 to 1e-2 with `train = "head"` |
#' | `batch_size` | `dials::batch_size()` | 8 to 32; 32 to 256 with `train = "head"` |
#'
#' A workflow should take the texts by `add_formula()` or `add_variables()`. A recipe turns strings into factors, and
#' texts that it has not seen into NA. In a recipe use [step_bert_embed()].
#'
#' @param mode `"classification"`, or `"regression"`: the only mode of its function.
#' @param model A name or folder for [bert_load()], by default `"all-MiniLM-L6-v2"`, or a model or fit, which is not
#'   loaded again for each fit.
#' @param train,epochs,batch_size As for [bert_fit()]. `NULL` (default) uses the default of [bert_fit()].
#' @param learn_rate The `learning_rate` of [bert_fit()].
#' @param engine `"bertr"`, the only one.
#' @return `bert_classifier()`, `bert_regressor()`: a model specification of parsnip. `bert_train()`: a parameter of the
#'   package dials.
#' @seealso [bert_fit()], [step_bert_embed()]
#' @source Kuhn and Silge (2022), Tidy Modeling with R, <https://www.tmwr.org>.
#' @examplesIf requireNamespace("parsnip", quietly = TRUE) && bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"), stringsAsFactors = TRUE)
#' faq <- droplevels(subset(faq, label %in% levels(label)[1:2]))
#' spec <- bert_classifier(train = "head", epochs = 5)
#' fit <- parsnip::fit(spec, label ~ text, faq)
#' predict(fit, faq[1:3, ], type = "prob")
#' @export
bert_classifier <- function(mode = "classification", model = "all-MiniLM-L6-v2", train = NULL, epochs = NULL,
                            learn_rate = NULL, batch_size = NULL, engine = "bertr") {
  args <- list(model = rlang::enquo(model), train = rlang::enquo(train), epochs = rlang::enquo(epochs),
    learn_rate = rlang::enquo(learn_rate), batch_size = rlang::enquo(batch_size))
  model_spec("bert_classifier", args, mode, engine)
}

#' @rdname bert_classifier
#' @export
bert_regressor <- function(mode = "regression", model = "all-MiniLM-L6-v2", train = NULL, epochs = NULL,
                           learn_rate = NULL, batch_size = NULL, engine = "bertr") {
  args <- list(model = rlang::enquo(model), train = rlang::enquo(train), epochs = rlang::enquo(epochs),
    learn_rate = rlang::enquo(learn_rate), batch_size = rlang::enquo(batch_size))
  model_spec("bert_regressor", args, mode, engine)
}

# The modes of the models
parsnip_modes <- c(bert_classifier = "classification", bert_regressor = "regression")

model_spec <- function(class, args, mode, engine, call = caller_env()) {
  rlang::check_installed("parsnip", call = call)
  check_choice(mode, parsnip_modes[[class]], "mode", call)
  check_choice(engine, "bertr", "engine", call)
  parsnip::new_model_spec(class, args = args, eng_args = NULL, mode = mode, user_specified_mode = FALSE, method = NULL,
    engine = engine, user_specified_engine = FALSE)
}

#' @rdname bert_classifier
#' @param values Values of `train` to try, a character vector.
#' @export
bert_train <- function(values = c("head", "top:2", "all")) {
  rlang::check_installed("dials")
  dials::new_qual_param("character", values = values, label = c(train = "What to Train"))
}

#' @importFrom stats update
#' @export
update.bert_classifier <- function(object, parameters = NULL, model = NULL, train = NULL, epochs = NULL,
                                   learn_rate = NULL, batch_size = NULL, fresh = FALSE, ...) {
  args <- list(model = rlang::enquo(model), train = rlang::enquo(train), epochs = rlang::enquo(epochs),
    learn_rate = rlang::enquo(learn_rate), batch_size = rlang::enquo(batch_size))
  parsnip::update_spec(object, parameters, args, fresh, class(object)[[1]], ...)
}

#' @export
update.bert_regressor <- update.bert_classifier

# Ranges for BERT: those of dials are for other networks
#' @importFrom generics tunable
#' @export
tunable.bert_classifier <- function(x, ...) {
  head <- identical(tryCatch(rlang::eval_tidy(x$args$train), error = identity), "head")
  info <- list(
    train = list(pkg = "bertr", fun = "bert_train"),
    epochs = list(pkg = "dials", fun = "epochs", range = if (head) c(20L, 200L) else c(2L, 10L)),
    learn_rate = list(pkg = "dials", fun = "learn_rate", range = if (head) c(-3.5, -2) else c(-5, -3.5)),
    batch_size = list(pkg = "dials", fun = "batch_size", range = if (head) c(5L, 8L) else c(3L, 5L))
  )
  tibble(name = names(info), call_info = unname(info), source = "model_spec", component = class(x)[[1]],
    component_id = "main")
}

#' @export
tunable.bert_regressor <- tunable.bert_classifier

# Tells parsnip about the models, once a session: it keeps them when bertr is loaded again
register_parsnip <- function() {
  for (model in setdiff(names(parsnip_modes), parsnip::get_from_env("models"))) {
    register_model(model, parsnip_modes[[model]])
  }
}

register_model <- function(model, mode) {
  parsnip::set_new_model(model)
  parsnip::set_model_mode(model, mode)
  parsnip::set_model_engine(model, mode, "bertr")
  parsnip::set_dependency(model, "bertr", "bertr", mode)
  argument <- function(name, original, pkg, fun) {
    parsnip::set_model_arg(model, "bertr", name, original, list(pkg = pkg, fun = fun), has_submodel = FALSE)
  }
  argument("model", "model", "bertr", "bert_load")
  argument("train", "train", "bertr", "bert_train")
  argument("epochs", "epochs", "dials", "epochs")
  argument("learn_rate", "learning_rate", "dials", "learn_rate")
  argument("batch_size", "batch_size", "dials", "batch_size")
  parsnip::set_fit(model, mode, "bertr", list(interface = "formula", protect = c("formula", "data"),
    func = c(pkg = "bertr", fun = "bert_fit"), defaults = list(verbose = FALSE)))
  parsnip::set_encoding(model, mode, "bertr", list(predictor_indicators = "none", compute_intercept = FALSE,
    remove_intercept = FALSE, allow_sparse_x = FALSE))
  types <- if (mode == "regression") "numeric" else c("class", "prob")
  for (type in types) {
    args <- list(object = quote(object$fit), new_data = quote(new_data), type = type, verbose = FALSE)
    parsnip::set_pred(model, mode, "bertr", type, list(pre = NULL, post = parsnip_post[[type]],
      func = c(pkg = "bertr", fun = "bert_predict"), args = args))
  }
}

# What parsnip wants of the predictions of a fit; `object` is its own
parsnip_post <- list(
  class = function(result, object) result[[1]],
  # a level without rows has probability 0
  prob = function(result, object) {
    found <- match(object$lvl, object$fit$spec$levels)
    columns <- lapply(found, function(k) if (is.na(k)) 0 * result[[1]] else result[[k]])
    tibble::new_tibble(stats::setNames(columns, paste0(".pred_", object$lvl)), nrow = nrow(result))
  },
  numeric = function(result, object) if (length(result) == 1) result[[1]] else result
)
