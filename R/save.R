#' Save a model or fit to a folder
#'
#' Writes the encoder in Hugging Face format (`config.json`, `vocab.txt` or `spiece.model`, `model.safetensors`), plus
#' what bertr needs to restore the fit (`bertr.json`). [bert_load()] reads the folder.
#'
#' The new folder is written next to the old one and then replaces it. A full disk or a crash therefore leaves the old
#' one intact, and other processes always read either the old or the new one. `saveRDS()`, in contrast, overwrites the
#' existing file: on a full disk, or if R is killed, the old fit is lost and the new one is incomplete. To be safe with
#' it, write to another name and rename the file. No pickle files are written.
#'
#' @param object A fit from [bert_fit()] or a model from [bert_load()].
#' @param folder Path of the folder. It may be empty, or contain the output of an earlier `bert_save()`, which is
#'   replaced. If it contains any other file, nothing is written.
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
