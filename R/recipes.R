#' Embed texts in a recipe
#'
#' A step of the package recipes that replaces columns of texts by their vectors, see [bert_embed()]. Any model of
#' tidymodels can then be trained on them.
#'
#' The model is loaded when the recipe is prepared. A prepared recipe refers to the model's folder and does not hold its
#' weights. It is small with `prep(retain = FALSE)`; otherwise it holds the vectors of the training texts. After
#' `saveRDS()` the folder must be there, unchanged, when it is used again; a model known by name is downloaded
#' again. A fit of [bert_fit()] that was not loaded from a folder contains its weights, and so does a recipe with it.
#'
#' @param recipe A recipe.
#' @param ... Columns of texts (strings or factors), as in other steps: names or selectors.
#' @param model A name or folder for [bert_load()], by default `"all-MiniLM-L6-v2"`, or a model or fit.
#' @param options A list of further arguments of [bert_embed()], such as `list(pool = "mean", max_len = 64)`.
#' @param prefix The start of the new names: column `text` becomes `bert_text_d001`, `bert_text_d002` and so on.
#' @param keep_original_cols Keep the texts? `FALSE` by default.
#' @param role The role of the new columns.
#' @param trained,columns Set when the recipe is prepared.
#' @param skip Skip the step when new data are baked? Must be `FALSE` to predict.
#' @param id A unique name of the step.
#' @return The recipe with the step added. Vectors are NA where a text is NA. `tidy()` returns a tibble with one row per
#'   column of texts: `terms`, `model` and `id`.
#' @seealso [bert_embed()], [bert_classifier()]
#' @source Kuhn and Silge (2022), Tidy Modeling with R, chapter 8, <https://www.tmwr.org/recipes>.
#' @examplesIf requireNamespace("recipes", quietly = TRUE) && bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' recipe <- recipes::recipe(label ~ text, faq)
#' recipe <- step_bert_embed(recipe, text)
#' prepared <- recipes::prep(recipe)
#' dim(recipes::bake(prepared, faq[1:3, ]))
#' @export
step_bert_embed <- function(recipe, ..., model = "all-MiniLM-L6-v2", options = list(), prefix = "bert",
                            keep_original_cols = FALSE, role = "predictor", trained = FALSE, columns = NULL,
                            skip = FALSE, id = recipes::rand_id("bert_embed")) {
  rlang::check_installed("recipes")
  if (!is.character(model)) {
    check_class(model, c("bert_model", "bert_fit"), "model")
  } else {
    check_string(model, "model")
  }
  check_embed_options(options)
  check_string(prefix, "prefix")
  check_flag(keep_original_cols, "keep_original_cols")
  recipes::add_step(recipe, new_step_bert_embed(rlang::enquos(...), model, options, prefix, keep_original_cols, role,
    trained, columns, skip, id))
}

new_step_bert_embed <- function(terms, model, options, prefix, keep_original_cols, role, trained, columns, skip, id) {
  recipes::step("bert_embed", terms = terms, model = model, options = options, prefix = prefix,
    keep_original_cols = keep_original_cols, role = role, trained = trained, columns = columns, skip = skip, id = id)
}

# Named arguments of bert_embed() that shape a vector
check_embed_options <- function(options, call = caller_env()) {
  allowed <- c("pool", "layer", "combine", "normalise", "prompt", "max_len")
  if (!is.list(options) || (length(options) > 0 && !rlang::is_named(options))) {
    abort("argument", "{.arg options} must be a named list of arguments of {.fn bert_embed}, not
      {.obj_type_friendly {options}}.", "For example {.code list(pool = \"mean\")}.", call = call)
  }
  unknown <- setdiff(names(options), allowed)
  if (length(unknown) > 0) {
    abort("argument", "{.arg options} cannot have {.field {unknown[[1]]}}.", "It can have {.field {allowed}}.",
      call = call)
  }
  if (identical(options$pool, "none")) {
    abort("argument", "{.arg options} cannot have {.code pool = \"none\"}: a recipe needs one vector per text.",
      call = call)
  }
}

#' @exportS3Method recipes::prep
prep.step_bert_embed <- function(x, training, info = NULL, ...) { # nolint: object_name_linter. Methods of recipes
  call <- rlang::call2("step_bert_embed")
  columns <- unname(recipes::recipes_eval_select(x$terms, training, info))
  for (name in columns) {
    check_text(training[[name]], column_label(name, "training"), call)
  }
  new_step_bert_embed(x$terms, given_model(x$model, FALSE, call), x$options, x$prefix, x$keep_original_cols, x$role,
    TRUE, columns, x$skip, x$id)
}

#' @exportS3Method recipes::bake
bake.step_bert_embed <- function(object, new_data, ...) { # nolint: object_name_linter.
  call <- rlang::call2("step_bert_embed")
  check_columns(object$columns, new_data, "new_data", call)
  added <- lapply(object$columns, function(name) {
    vectors <- rlang::inject(bert_embed(object$model, new_data[[name]], !!!object$options, verbose = FALSE))
    colnames(vectors) <- paste(object$prefix, name, colnames(vectors), sep = "_")
    as_tibble(vectors)
  })
  kept <- if (object$keep_original_cols) names(new_data) else setdiff(names(new_data), object$columns)
  columns <- c(as.list(new_data)[kept], unlist(lapply(added, as.list), recursive = FALSE))
  taken <- names(columns)[duplicated(names(columns))]
  if (length(taken) > 0) {
    abort("column", "The data already have a column {.val {taken[[1]]}}.", "Choose another {.arg prefix}.", call = call)
  }
  tibble::new_tibble(columns, nrow = nrow(new_data))
}

#' @export
print.step_bert_embed <- function(x, width = max(20, getOption("width") - 30), ...) {
  recipes::print_step(x$columns, x$terms, x$trained, "BERT vectors of ", width)
  invisible(x)
}

#' @rdname step_bert_embed
#' @param x A step of `step_bert_embed()`.
#' @export
tidy.step_bert_embed <- function(x, ...) {
  terms <- if (x$trained) as_chr(x$columns) else recipes::sel2char(x$terms)
  name <- if (is.character(x$model)) x$model else encoder_info(x$model)$name
  tibble(terms = terms, model = rep(name, length(terms)), id = rep(x$id, length(terms)))
}

#' @importFrom generics required_pkgs
#' @export
required_pkgs.step_bert_embed <- function(x, ...) {
  "bertr"
}
