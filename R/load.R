#' Load a BERT model or a fit
#'
#' Detects the format of a folder: Google's TensorFlow checkpoint (`bert_config.json`, `bert_model.ckpt.*`,
#' `vocab.txt`), a Hugging Face model (`config.json`, `model.safetensors` or `pytorch_model.bin`, `vocab.txt` or
#' `tokenizer.json`, and optional files: added tokens, modules and prompts of sentence-transformers), or the output of
#' [bert_save()], for which it returns the model or the fit. No file is unpickled and no code from a folder is run. The
#' folder of `bert_control(checkpoint = )` contains a run, not a fit: [bert_fit()] resumes it, and `keep = "all"` saves
#' a fit for every epoch in it.
#'
#' ALBERT is read from the same two kinds of folder, with `spiece.model` (Google: `30k-clean.model`) instead of the
#' vocabulary. Its tokenizer needs the Python package sentencepiece, which [bert_install()] does not install:
#' `reticulate::py_install("sentencepiece")`. All its layers share the weights of one block, so `train = "top:k"` of
#' [bert_fit()] is not possible, and `layers = k` applies the block k times.
#'
#' These families of encoders are read from Hugging Face folders as well: RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT,
#' ELECTRA (discriminators and generators) and MPNet. DistilBERT, MPNet and the RoBERTas have no segments, but take
#' pairs all the same; only BERT and ALBERT predict next sentences; DistilBERT and ELECTRA have no pooler. Tokens are
#' those of Hugging Face's tokenizers: WordPiece, the byte-level BPE of RoBERTa (`tokenizer.json`, or `vocab.json` and
#' `merges.txt`), the unigram tokenizer of XLM-RoBERTa and CamemBERT (`tokenizer.json` or `sentencepiece.bpe.model`),
#' which multilingual sentence models such as paraphrase-multilingual-MiniLM-L12-v2 have with BERT's weights. Other
#' families (DeBERTa, ModernBERT) are refused.
#'
#' @section Heads of the Hugging Face hub:
#' A folder or name whose `config.json` names a model for a task, such as `BertForTokenClassification`, is loaded with
#' its trained head, as a fit that [bert_predict()] takes at once:
#'
#' * `...ForSequenceClassification`: a classification, a multi-label classification or a regression, as `problem_type`
#'   says. A single output without a `problem_type` is a number between 0 and 1, its sigmoid.
#' * `...ForTokenClassification`: entities. The tags of words (`B-PER`, `I-PER`, `O`; also without prefixes, in IOB1,
#'   BIOES and BILOU) are joined to entities as by the pipelines of transformers with `aggregation_strategy = "first"`:
#'   a word has the tag of its first piece, and a tag that continues an entity begins one where there is none to
#'   continue. `score` is the probability of all tags of the entity. Without the tag `O`, as with parts of speech, every
#'   word is an entity of its own. Words end at white space and punctuation.
#' * `...ForQuestionAnswering`: answers, of up to 30 tokens. With `no_answer = TRUE` a question has none if the score of
#'   `[CLS]` exceeds that of the best answer, as in SQuAD 2 and with `handle_impossible_answer` of transformers.
#'
#' Such a fit says that it was fine-tuned elsewhere: nothing is known of its training. All functions for fits take it.
#' [bert_fit()] trains it further, from its head if the task and the labels are the same. Its thresholds for labels are
#' 0.5; [bert_calibrate()] chooses others.
#'
#' `config.json` does not say what the texts and outcomes are called. The formulas are `label ~ text` for classes,
#' `labels ~ text` for several labels (a list-column), `score ~ text` for a number, `cbind(...) ~ text` with the names
#' of the outputs for several numbers, `entities ~ text`, and `span(answer, start) ~ question + context`. `formula`
#' gives other names, and two texts where the model reads pairs. [bert_predict()] also takes the texts alone.
#'
#' Models for masked words and next sentences (`...ForMaskedLM`, `...ForPreTraining`) remain models, for
#' [bert_fill_mask()] and [bert_predict()] of pairs.
#'
#' @section Names and downloads:
#' A name is looked up in [bert_models()], then on the Hugging Face hub. Files are downloaded once, to
#' `tools::R_user_dir("bertr", "cache")` or the folder in the environment variable `BERTR_HOME`, and checked against the
#' size and SHA-256 reported by the hub. An interrupted download resumes at the next load. The console shows a progress
#' bar and then one line. Weights come from `model.safetensors`. If a repository has only `pytorch_model.bin`, the
#' conversion by the hub's bot (an open pull request on the same commit) is used if there is one, else the `.bin` file.
#'
#' `summary()` shows which repository and commit a model or fit came from, also after [bert_save()].
#'
#' After [bert_fit()] has trained more than a head, the model may release its own weights from memory and read them
#' again from its folder when it is next used. Do not move or change the folder.
#'
#' @param x A folder, a name from [bert_models()], or a name on the Hugging Face hub (`"owner/name"`). `NULL` (default):
#'   all-MiniLM-L6-v2, a small English model (6 layers, 23 million parameters).
#' @param layers Keep only this number of lower layers of an encoder, for speed: a whole number. `NULL` (default) keeps
#'   all. A head needs all of them.
#' @param tokens `"wordpiece"` (default, unless the folder was saved with another value), or `"characters"` for one
#'   token per character (a space is `[unused1]`, a character outside the vocabulary `[UNK]`), intended for Chinese. A
#'   model with a SentencePiece, unigram or BPE tokenizer always uses it.
#' @param lower_case Lower-case texts and strip accents? `NULL` (default) follows the checkpoint. Unigram and BPE
#'   tokenizers have no such setting.
#' @param max_len Maximum text length in tokens when the model is used: a whole number up to its number of positions
#'   (512 for BERT). `NULL` (default) uses the checkpoint's recommended length.
#' @param activation `"gelu_erf"` (the exact form) or `"gelu_tanh"` (the approximation in Google's later code; they
#'   differ by up to 4.7e-4). `NULL` (default) follows the checkpoint, where plain `"gelu"` is the exact form, as
#'   Hugging Face reads all of Google's checkpoints.
#' @param revision A branch, tag or commit of the model's repository on the hub: a string. Branches and tags are
#'   resolved by the hub; if it cannot be reached, the copy previously loaded under that name is used. A full commit
#'   that was already downloaded needs no network. `NULL` (default): the revision pinned in [bert_models()], or the main
#'   branch as it was when the model was first downloaded. Only the pinned revision is checked against the hashes in
#'   bertr.
#' @param verbose Show the progress of a download? `TRUE` by default.
#' @param head Load the head as well, if there is one? `TRUE` by default. With `FALSE` the result is the encoder alone,
#'   a model.
#' @param labels For heads of the Hugging Face hub: names of the outputs in their order, such as
#'   `c("negative", "positive")`; for entities the tags of words. `NULL` (default) takes the names in `config.json`;
#'   where these are missing, the outputs are called `LABEL_0`, `LABEL_1`, ...
#' @param formula For heads of the Hugging Face hub: the names of outcome and texts in your data, as for [bert_fit()],
#'   such as `sentiment ~ review`, or `relevance ~ query + passage` for pairs. `NULL` (default): see the section below.
#' @param no_answer For heads of the Hugging Face hub that answer questions: may a question have no answer in its
#'   context? `FALSE` by default.
#' @return A list of class `bert_model`, or of class `bert_fit` for the folder of a fit and for heads of the Hugging
#'   Face hub. Both refer to their folder: if
#'   you save them with `saveRDS()`, the folder must still be there, unchanged, when they are used again.
#' @source Formats: <https://github.com/google-research/bert>, <https://huggingface.co/docs/safetensors>,
#'   <https://github.com/pytorch/pytorch> (`torch.save()`). Added tokens: <https://github.com/huggingface/tokenizers>.
#'   Default model: Wang et al. (2020), MiniLM, <https://arxiv.org/abs/2002.10957>, fine-tuned by
#'   <https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2>. Character tokens:
#'   <https://github.com/bojone/bert_in_keras>. ALBERT: Lan et al. (2020), <https://arxiv.org/abs/1909.11942>, and
#'   <https://github.com/google-research/albert>. Unigram tokenizer: Kudo (2018), Subword Regularization,
#'   <https://arxiv.org/abs/1804.10959>. Byte-level BPE: Sennrich et al. (2016), <https://arxiv.org/abs/1508.07909>, and
#'   <https://github.com/openai/gpt-2>. RoBERTa: Liu et al. (2019), <https://arxiv.org/abs/1907.11692>. XLM-RoBERTa:
#'   Conneau et al. (2020), <https://arxiv.org/abs/1911.02116>. CamemBERT: Martin et al. (2020),
#'   <https://arxiv.org/abs/1911.03894>. DistilBERT: Sanh et al. (2019), <https://arxiv.org/abs/1910.01108>. ELECTRA:
#'   Clark et al. (2020), <https://arxiv.org/abs/2003.10555>. MPNet: Song et al. (2020),
#'   <https://arxiv.org/abs/2004.09297>. All of these: <https://github.com/huggingface/transformers>.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' model
#' bert_load(layers = 3)
#' \dontrun{
#' bert_load("dslim/bert-base-NER") |> bert_predict("Ada Lovelace lived in London.")
#' }
#' @export
bert_load <- function(x = NULL, layers = NULL, tokens = c("wordpiece", "characters"), lower_case = NULL,
                      max_len = NULL, activation = NULL, revision = NULL, verbose = TRUE, head = TRUE,
                      labels = NULL, formula = NULL, no_answer = FALSE) {
  call <- rlang::current_env()
  tokens <- if (!missing(tokens)) tokens
  check_load(x, layers, tokens, lower_case, max_len, activation, revision)
  check_flag(verbose, "verbose")
  check_head(head, labels, formula, no_answer)
  source <- if (!is.null(x) && file.exists(x)) normalizePath(x) else x
  if (!is.null(x)) {
    check_locale(source, "x", call) # with the working directory, which becomes a part of it
  }
  options <- list(
    layers = to_int(layers), tokens = tokens, lower_case = lower_case, max_len = to_int(max_len),
    activation = activation
  )
  gc() # free unreferenced models: R does not know how large they are
  reporter <- progress(verbose)
  on.exit(reporter$close())
  of_head <- list(labels = if (!is.null(labels)) as.list(mark_utf8(labels)), no_answer = if (no_answer) TRUE)
  py <- py_call("load", source, c(options, of_head, list(head = head, revision = revision)), on_event = reporter$event,
    call = call)
  if (!py_value("is_fit", py)) {
    check_unused_formula(formula, call)
    return(new_model(py, options))
  }
  if (py_value("describe", py)$format != "bertr") {
    return(hub_fit(py, formula, c(options, of_head), call))
  }
  if (any(lengths(options) > 0) || !is.null(formula)) {
    abort("argument", "{.file {x}} contains a fit, whose settings cannot be changed.",
      "Call {.fn bert_load} with the folder only.", call = call)
  }
  saved_fit(py, read_spec(py_value("spec", py), x, call), x, NULL, call)
}

# The fit in a folder; `options` are those of a head from the hub. The object refers to the folder and does not contain
# its weights.
saved_fit <- function(py, spec, folder, options, call) {
  fit <- new_fit(py, spec, serialize = FALSE)
  check_read(fit, folder, call)
  fit$saved <- list(folder = fit$base$folder, fingerprint = py_value("fingerprint", py), options = options)
  fit
}

# The `model` of a fit: a model or fit, or a name or folder to load
given_model <- function(model, verbose, call = caller_env()) {
  if (is.character(model)) {
    check_string(model, "model", call)
    model <- bert_load(model, verbose = verbose)
  }
  check_class(model, c("bert_model", "bert_fit"), "model", call)
  model
}

check_load <- function(x, layers, tokens, lower_case, max_len, activation, revision, call = caller_env()) {
  if (!is.null(x)) {
    check_path(x, "x", call)
  }
  if (!is.null(revision)) {
    check_string(revision, "revision", call)
  }
  if (!is.null(layers)) {
    check_whole(layers, "layers", call = call)
  }
  if (!is.null(tokens)) {
    check_choice(tokens, c("wordpiece", "characters"), "tokens", call)
  }
  if (!is.null(lower_case)) {
    check_flag(lower_case, "lower_case", call)
  }
  if (!is.null(max_len)) {
    check_whole(max_len, "max_len", from = 3, call = call)
  }
  if (!is.null(activation)) {
    check_choice(activation, c("gelu_erf", "gelu_tanh"), "activation", call)
  }
}

# Checks a fit from a folder; its `bertr.json` also contains the part for R
check_read <- function(fit, folder, call) {
  wrong <- wrong_in(fit, "bert_fit")
  if (!is.null(wrong)) {
    abort("damaged", "The fit in {.file {folder}} is damaged: its {.field {wrong[[1]]}} must be {wrong[[3]]}, not
      {.obj_type_friendly {wrong[[2]]}}.", "Save or fit it again.", call = call)
  }
}

new_model <- function(py, options) {
  structure(list(info = py_value("describe", py), options = options, handle = new_handle(py)), class = "bert_model")
}

#' Models known by name
#'
#' A selection of popular models on the Hugging Face hub. [bert_load()] loads any other model of these families by its
#' full name, `"owner/name"`. Some models are pinned: bertr knows the commit and the SHA-256 of their files and refuses
#' other files. For the rest, the main branch at the time of the first load is used; `revision` of [bert_load()] pins
#' another one. Licenses are those of the repositories.
#'
#' @return A tibble with one row per model: `name` (for [bert_load()]), `family` (such as `"BERT"` or `"RoBERTa"`),
#'   `source` (repository on the Hugging Face hub), `revision` (the pinned commit, or `NA`), `parameters` (of the
#'   encoder with its pooler, or `NA` if unknown to bertr), `description`, and `installed` (are its files on this
#'   machine?).
#' @examplesIf bertr::bert_info()$ready
#' bert_models()
#' @export
bert_models <- function() {
  models <- as_columns(py_value("models"))
  models$revision[models$revision == ""] <- NA
  models$parameters[is.nan(models$parameters)] <- NA
  models[c("name", "family", "source", "revision", "parameters", "description", "installed")]
}

#' Configuration and vocabulary of a model
#'
#' @param model A model from [bert_load()] or a fit from [bert_fit()].
#' @return `bert_config()`: a named list with `vocab_size`, `hidden_size`, `num_layers`, `num_heads`,
#'   `intermediate_size`, `max_positions` (tokens), `num_segments` (0: none) and `activation`; for ALBERT and ELECTRA
#'   also `embedding_size` (width of the embeddings), for ALBERT `num_groups` (number of blocks shared by the layers),
#'   for MPNet and the RoBERTas `pad_id` (id of the padding token; positions are counted from the one after it).
#'
#'   `bert_vocab()`: a character vector of length `vocab_size`, or shorter if the word embedding has unused rows. Token
#'   ids start at 0, so `bert_vocab(model)[id + 1]` is the token with a given id.
#' @examplesIf bertr::bert_info()$ready
#' model <- bert_load()
#' bert_config(model)$hidden_size
#' bert_vocab(model)[2001:2010]
#' @export
bert_config <- function(model) {
  check_class(model, c("bert_model", "bert_fit"), "model")
  encoder_info(model)$config
}

#' @rdname bert_config
#' @export
bert_vocab <- function(model) {
  check_class(model, c("bert_model", "bert_fit"), "model")
  py_value("vocab", live(model))
}

# Facts about the encoder of a model or fit
encoder_info <- function(model) {
  if (inherits(model, "bert_fit")) model$base else model$info
}
