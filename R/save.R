#' Save a model or fit to a folder
#'
#' Writes the encoder in Hugging Face format (`config.json`, `vocab.txt` or `spiece.model`, `model.safetensors`), plus
#' what bertr needs to restore the fit (`bertr.json`). [bert_load()] reads the folder.
#'
#' @section Opening a fit in transformers:
#' Where the head has the shape that transformers has for the task, the folder also is a model for the task:
#' `AutoModelForSequenceClassification`, `AutoModelForTokenClassification` or `AutoModelForQuestionAnswering` opens it
#' with the same predictions, and so do its pipelines, apart from what they do differently with scores of words (see
#' [bert_load()]). That is so for
#'
#' * classification with `bert_head(units = h, activation = "tanh", pool = "cls")`, where `h` is the hidden size
#'   (`bert_config(model)$hidden_size`). The temperature is in the weights of the output layer, so that the softmax
#'   gives the probabilities of [bert_predict()]; a threshold of [bert_calibrate()] is not.
#' * multi-label classification and regression with this head, or with `bert_head(pool = "pooler")`. The numbers are
#'   those of [bert_predict()]; with `link = "logit"`, for a single outcome, they are the sigmoid of the output.
#'   Thresholds of labels are not kept.
#' * entities and answers with the default head. bertr restricts the tags of words to sequences that make sense; the
#'   pipelines of transformers do not.
#' * fits from the hub, see [bert_load()].
#'
#' Other heads (the default one of classification, which compares directions of vectors; other hidden layers or
#' pooling; `crf = TRUE`; `pair = "cosine"`; windows of long texts; relations) do not exist in transformers: of such a
#' folder it opens the encoder.
#'
#' @section Safety:
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
  check_path(folder, "folder")
  spec <- if (inherits(object, "bert_fit")) spec_json(object$spec) else "{}"
  py_call("save", live(object, call), path.expand(folder), spec, call = call)
  invisible(folder)
}
