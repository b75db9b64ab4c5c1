#' bertr: BERT for data frames
#'
#' Load a model with [bert_load()], fine-tune it with [bert_fit()] on a formula and a
#' data frame, and use it with [bert_predict()]. [bert_embed()] returns sentence vectors, [bert_tokenize()] returns
#' tokens, and [bert_save()] saves a fit to a folder.
#'
#' @section Options and variables:
#' `BERTR_HOME`: folder for downloaded models (default: `tools::R_user_dir("bertr", "cache")`).
#'
#' `options(bertr.threads = )`, or `BERTR_THREADS`: the number of CPU threads for TensorFlow, a whole number, read when
#' TensorFlow starts. By default all processors that this process may use; limits of batch systems and containers are
#' respected. Use fewer on a shared server.
#'
#' `options(bertr.precision = )`: the type of the numbers that the encoder's layers compute with, from the next call on,
#' in all functions: `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"` (default) for what suits the device, see
#' `precision` of [bert_control()], which sets it for one fit. How far vectors and predictions are from those of float32
#' is in the help of [bert_embed()] and [bert_predict()].
#'
#' `TF_FORCE_GPU_ALLOW_GROWTH` and `XLA_PYTHON_CLIENT_PREALLOCATE`: bertr sets them to `true` and `false`, so that
#' TensorFlow and JAX take the memory of a GPU as they need it instead of all at once. Your own settings take
#' precedence. If it is too little, batches are halved, with a warning.
#'
#' `TF_ENABLE_ONEDNN_OPTS`: bertr sets it to 1 on x86 processors. TensorFlow by default uses oneDNN only on some of them
#' and is up to 1.6 times slower without it. Your own setting takes precedence.
#'
#' `KERAS_BACKEND`: `tensorflow` (default) or `jax`, read when Python starts. Every task trains and predicts on both.
#'
#' `RETICULATE_PYTHON`: the Python to use. Without it, the environment created by [bert_install()] is used if it exists.
#'
#' @source Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers for
#'   Language Understanding, \doi{10.18653/v1/N19-1423}.
#' @keywords internal
"_PACKAGE"

#' @importFrom rlang .data caller_env
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
