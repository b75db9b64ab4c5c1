#' Keep a model or fit in a folder
#'
#' Writes the encoder as Hugging Face's tools read it (`config.json`, `vocab.txt` or `spiece.model`,
#' `model.safetensors`), and beside it
#' what bertr needs to read the fit back (`bertr.json`). [bert_load()] reads the folder.
#'
#' The folder is written beside the old one and then put in its place, so a full disk or a crash leaves
#' the old one whole, and whoever reads it meanwhile finds the old or the new one. `saveRDS()` writes into the file that
#' is there: on a full disk, or when R is killed, the old fit is lost and the new one is not whole. To be safe with it,
#' write to another name and rename that file.
#' No pickle is written.
#'
#' @param object A fit from [bert_fit()] or a model from [bert_load()].
#' @param folder Where to: a path. It may hold what an earlier `bert_save()` wrote, which is replaced,
#'   or nothing; with any other file in it, nothing is written.
#' @return `folder`, invisibly.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' fit <- bert_fit(bert_load(), label ~ text, faq, train = "head", epochs = 5)
#' folder <- file.path(tempdir(), "faq-model")
#' bert_save(fit, folder)
#' bert_load(folder)
#' unlink(folder, recursive = TRUE)
#' @export
bert_save <- function(object, folder) {
  call <- rlang::current_env()
  check_class(object, c("bert_fit", "bert_model"), "object")
  check_string(folder, "folder")
  spec <- if (inherits(object, "bert_fit")) spec_json(object$spec) else "{}"
  py_call("save", live(object, call), path.expand(folder), spec, call = call)
  invisible(folder)
}
