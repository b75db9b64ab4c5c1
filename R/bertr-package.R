#' bertr: BERT for data frames
#'
#' Load a model with [bert_load()], fine-tune it with [bert_fit()] on a formula and a
#' data frame, and use it with [bert_predict()]. [bert_embed()] gives sentence vectors,
#' [bert_tokenize()] the tokens, [bert_save()] keeps a fit in a folder.
#'
#' @section Options and variables:
#' `BERTR_HOME`: folder for downloaded models (default: `tools::R_user_dir("bertr", "cache")`).
#'
#' `options(bertr.threads = )`, or `BERTR_THREADS`: how many processor threads TensorFlow takes, a whole number, read
#' when it starts. By default as many as there are processors that this process may use: a batch system's or a
#' container's limit counts. On a server that others use too, take fewer.
#'
#' `TF_ENABLE_ONEDNN_OPTS`: bertr sets it to 1 on x86 processors, where TensorFlow alone would use oneDNN only on some
#' of them and be up to 1.6 times slower; your own setting stays.
#'
#' `KERAS_BACKEND`: `tensorflow` (default) or `jax`, read when Python starts.
#'
#' `RETICULATE_PYTHON`: the Python to use; without it the environment made by
#' [bert_install()] is taken when there is one.
#'
#' @source Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers for
#'   Language Understanding, \doi{10.18653/v1/N19-1423}.
#' @keywords internal
"_PACKAGE"

#' @importFrom rlang caller_env
#' @importFrom tibble tibble as_tibble
#' @importFrom generics augment glance tidy
NULL

#' @export
generics::augment

#' @export
generics::glance

#' @export
generics::tidy

#' @export
tibble::as_tibble
