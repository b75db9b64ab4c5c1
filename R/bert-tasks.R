#' Tasks that bertr can learn
#'
#' The left-hand side of the formula of [bert_fit()] selects the task. Predictions from [bert_predict()] have the same
#' shape as the training outcome, so a model can be trained on them. Positions count characters from 1 and include both
#' ends: `substr(text, start, end)` returns the part of the text. The arguments `train`, `head`, `control` and
#' `validation` work the same way for all tasks.
#'
#' @section Classification, `label ~ text`:
#' The outcome is a factor, character or logical column. Two text columns, `label ~ a + b`, are read as a pair. Factor
#' levels keep their order, characters are sorted in the same way in every locale, and levels without rows are dropped.
#' Unless you add dense layers, the classifier starts as the nearest class mean, so a few rows are enough (Qi et al.
#' 2018). With many rows per class, fewer epochs at half the learning rate are used: 3 from 400 rows per class (and
#' 1,000 in total), 2 from 1,000 per class. Probabilities are calibrated on held-out rows: see [bert_fit()].
#'
#' Predictions: `.pred_class`, a factor with the training levels, and one double column `.pred_<level>` per level with
#' the probabilities, which sum to 1. `type = "class"` returns only the first, `"prob"` only the others.
#'
#' Metrics: `accuracy`; `kap`, Cohen's kappa; `f_meas` (`macro`), the mean F1 over the classes (0 for a class that is
#' never predicted correctly); `mn_log_loss`, the mean negative log-probability of the true class. With two classes also
#' `precision`, `recall` and `f_meas` (`binary`) of the second class, or of the one set by `bert_evaluate(event = )`.
#' Rows of a class that was not seen in training count as wrong, and their class counts as an additional one.
#' `mn_log_loss` and `ece` exclude such rows, because they have no probability. `ece` is the expected calibration error:
#' the mean distance between the probability of the predicted class and the share of correct predictions in 15 bins of
#' equal width, weighted by rows (Naeini et al. 2015; Guo et al. 2017). By chance it is above 0 even for perfect
#' probabilities, and more so with fewer rows.
#'
#' @section Multi-label classification, `cbind(toxic, insult) ~ text`:
#' The outcomes are logical or 0-1 columns, or a list-column of character vectors (`character()` for no label). The
#' output biases start at the log-odds of the labels. A label is predicted if its probability is above its threshold,
#' which [bert_control()] can fix. With 1,000 to 2,000 rows, training takes 4 epochs.
#'
#' Predictions: one logical column `.pred_<label>` per label. A fit on a list-column predicts a list-column
#' `.pred_labels` instead. `type = "prob"` returns the probabilities.
#'
#' Metrics: `f_meas` as the mean over the labels that occur or are predicted (`macro`) and over all labels together
#' (`micro`); `precision` and `recall` over all labels together; `accuracy`, the share of rows with every label correct;
#' `mn_log_loss`. Labels of a list-column that were not seen in training count as not found; `mn_log_loss` excludes
#' them.
#'
#' @section Regression, `score ~ text` or `cbind(valence, arousal) ~ text`:
#' The loss is the squared error of the standardized outcomes. With `bert_head(pair = "cosine")` the two texts of a pair
#' are encoded separately and the outcome is predicted from the cosine of their vectors (Reimers and Gurevych 2019).
#' With `bert_head(link = "logit")` numbers from 0 to 1, such as the share of raters who found a text toxic, are learned
#' as probabilities with a cross-entropy loss.
#'
#' Predictions, in the unit of the outcome: `.pred`, or one column `.pred_<outcome>` per outcome. With the logit link
#' they are between 0 and 1.
#'
#' Metrics: `rmse`, `mae`, `rsq` (squared correlation), and the `pearson` and `spearman` correlations. With the logit
#' link also `mn_log_loss`, the mean cross-entropy. With several outcomes the column `.outcome` names the outcome.
#'
#' Whole numbers that are class codes are treated as numbers here: write `factor(code) ~ text` for classes.
#'
#' @section Entities and parts of speech, `entities ~ text`:
#' The outcome is a list-column of data frames with the columns `start`, `end` and `label`. Entities must not overlap. A
#' data frame without rows means that a text has no entities. [read_conll()] and [bert_entities()] create such columns.
#' An entity that begins or ends inside a word is learned as the whole word. The same holds for models whose tokens may
#' contain a word and a punctuation mark (ALBERT): both are then one word. Long texts are read in overlapping windows.
#' `bert_head(crf = TRUE)` scores whole sequences of labels, and `bert_head(words = "space")` splits words at white
#' space only. The learning rate is twice that of other tasks; with `train = "head"` it is 5e-3.
#'
#' Predictions: `.pred_entities`, a list of tibbles with `start`, `end`, `label`, `text` and `score`, the probability
#' that exactly these words have this label. It is NULL where the text is NA.
#'
#' Metrics: `precision`, `recall` and `f_meas` of entities whose start, end and label all match, as in conlleval and
#' seqeval. They are given for all labels together and then for each label, named in the column `.level` (NA for a label
#' that is neither in the data nor predicted). Labels that were not seen in training count as not found. If every word
#' of the data is a separate entity, as with parts of speech, also `accuracy`: the share of words with the correct label
#' at their first character.
#'
#' @section Question answering, `span(answer, start) ~ question + context`:
#' `answer` is the column of answer texts, `""` where there is none. `start` is the column of the positions of their
#' first characters in the context, which is the last text column. `span(answer)` is enough if every answer occurs once
#' in its context. Contexts of any length are read in windows of `max_len` tokens. Consecutive windows share a third of
#' their tokens, and each contains the question (in at most half of the window). If some questions have no answer,
#' validation rows set how confident an answer must be. [read_squad()] reads SQuAD files.
#'
#' Predictions: `.pred_text`, `""` for no answer; `.pred_start` and `.pred_end`, NA for no answer; and `.pred_score`,
#' the probability among all spans of the context up to a maximum length (30 tokens, or the longest training answer)
#' and, if questions may be unanswerable, no answer. `type = "nbest"` returns `.pred_nbest`, a list of tibbles with the
#' five best spans.
#'
#' Metrics: `exact_match` and `f_meas`, the mean F1 over the words of an answer, as in SQuAD: case, punctuation and the
#' articles a, an, the are ignored. If the data has a list-column `answers` of character vectors, as returned by
#' [read_squad()], the best match counts. If some questions have no answer, the metrics are also given for each kind of
#' question separately, with `n`, the number of questions.
#'
#' @section Relations, `relations ~ text`:
#' The outcome is a list-column of data frames with the columns `head_start`, `head_end`, `relation`, `tail_start` and
#' `tail_end`, one row per triple, and no rows where a text has none. Optional columns `head` and `tail` with the texts
#' at these positions are checked. Without positions `head`, `relation` and `tail` suffice: heads and tails are then
#' found in the text, as whole words if they occur so ("he" is not taken from "the"). They must match exactly. Where one
#' occurs several times, its first place is taken, with a warning. Spans may be nested or shared. By default all triples
#' are found in one pass (GPLinker). `bert_head(relations = "subject_first")` finds the heads first, and then the
#' relations and tails of each head (Su 2019). Both need many epochs: 60 up to 50 rows (batch size 4), 40 up to 200
#' (batch size 8), 12 up to 2,000, 8 up to 10,000, and 5 above, at twice the usual learning rate.
#'
#' Predictions: `.pred_relations`, a list of tibbles with the same columns and `score`, the probability of the least
#' certain part. It is NULL where the text is NA.
#'
#' Metrics: `precision`, `recall` and `f_meas` of triples whose relation and four positions all match, over all
#' relations and for each relation, named in the column `.level`. Relations that were not seen in training count as not
#' found.
#'
#' @section Masked language modeling, `~ text`:
#' Continues the pre-training of BERT on your texts. In every text 15 % of the tokens are selected, anew in each epoch:
#' 80 % of them are replaced by `[MASK]`, 10 % by a random token, and 10 % are left unchanged. The model learns to
#' predict the original tokens. `~ a + b`, with texts that follow each other, adds next-sentence prediction: half of the
#' first texts are paired with the second text of another row, and the model learns to tell which. Long single texts are
#' read in full, split into several pieces. The model's pre-training heads are trained further. If it has none, like the
#' default model, new heads are created; the one for masked words starts from the word vectors and the word frequencies
#' of your texts and needs many texts to become good. The fit can be the `model` of another fit, [bert_fill_mask()]
#' fills masks with it, and [bert_save()] writes its heads in Hugging Face format.
#'
#' Metrics on randomly masked words, the same ones every time: `accuracy`, `mn_log_loss` and `perplexity`, and
#' `nsp_accuracy` for two text columns.
#'
#' @source Devlin et al. (2019), \doi{10.18653/v1/N19-1423}. Classes: Qi et al. (2018),
#'   <https://arxiv.org/abs/1712.07136>; Cohen (1960), \doi{10.1177/001316446002000104}; Naeini et al. (2015),
#'   \doi{10.1609/aaai.v29i1.9602}; Guo et al. (2017), <https://arxiv.org/abs/1706.04599>. Pairs: Reimers and Gurevych
#'   (2019), \doi{10.18653/v1/D19-1410}. Entities: Lafferty et al. (2001), Conditional Random Fields; Tjong Kim Sang and
#'   De Meulder (2003), \doi{10.3115/1119176.1119195}. Answers:
#'   <https://github.com/google-research/bert/blob/master/run_squad.py>; Rajpurkar et al. (2018),
#'   \doi{10.18653/v1/P18-2124}. Relations: <https://github.com/bojone/bert4keras> (GPLinker) and
#'   <https://github.com/bojone/bert_in_keras>. Texts without labels: Gururangan et al. (2020),
#'   \doi{10.18653/v1/2020.acl-main.740}.
#' @examplesIf bertr::bert_info()$ready
#' faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
#' faq <- subset(faq, label %in% unique(label)[1:2])
#' model <- bert_load()
#' fit <- function(formula, data, ...) {
#'   bert_fit(model, formula, data, train = "head", epochs = 5, seed = 1, ...)
#' }
#'
#' # several labels per text, and numbers
#' faq$long <- nchar(faq$text) > 60
#' faq$card <- grepl("card", faq$text)
#' faq$size <- nchar(faq$text)
#' bert_predict(fit(cbind(long, card) ~ text, faq), "My card does not work")
#' bert_predict(fit(size ~ text, faq), "My card does not work")
#' share <- fit(size / max(size) ~ text, faq, head = bert_head(link = "logit"))
#' bert_predict(share, "My card does not work")
#'
#' # similarity of two texts, encoded separately; and texts longer than the limit, in windows
#' pairs <- data.frame(a = faq$text[c(1, 3, 1, 3)], b = faq$text[c(5, 4, 4, 8)], alike = c(5, 5, 0, 1))
#' bert_predict(fit(alike ~ a + b, pairs, head = bert_head(pair = "cosine")), pairs)
#' articles <- data.frame(text = strrep(paste0(faq$text[1:6], " "), 1:6), length = 1:6)
#' windows <- bert_control(long = "window")
#' bert_predict(fit(length ~ text, articles, max_len = 32, control = windows), articles)
#'
#' # names, learned from words and their tags
#' people <- bert_entities(
#'   list(c("Ada", "met", "Grace"), c("No", "one", "came")),
#'   list(c("B-name", "O", "B-name"), c("O", "O", "O"))
#' )
#' people$entities[[1]]
#' bert_predict(fit(entities ~ text, people), "Grace came")$.pred_entities
#'
#' # answers
#' questions <- data.frame(question = "Where is it?", answer = c("Rome", "Paris"))
#' questions$context <- c("It is in Rome.", "It is in Paris now.")
#' bert_predict(fit(span(answer) ~ question + context, questions), questions)
#'
#' # relations
#' triples <- data.frame(text = c("Ada knows Grace", "Grace knows Ada"))
#' triples$relations <- list(
#'   data.frame(head_start = 1, head_end = 3, relation = "knows", tail_start = 11, tail_end = 15),
#'   data.frame(head = "Grace", relation = "knows", tail = "Ada") # its positions are found
#' )
#' fit <- bert_fit(model, relations ~ text, triples, epochs = 20, seed = 1)
#' bert_predict(fit, triples)$.pred_relations
#' @name bert_tasks
NULL
