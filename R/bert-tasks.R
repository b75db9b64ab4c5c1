#' What a fit can learn
#'
#' The left-hand side of the formula of [bert_fit()] says the task. What [bert_predict()] gives has the shape of
#' what was learnt from and can be learnt from again. Positions count characters from 1, both ends included, so
#' that `substr(text, start, end)` gives the part of the text. `train`, `head`, `control` and `validation` work
#' alike for all.
#'
#' @section Classification, `label ~ text`:
#' A factor, character or logical column; two text columns, `label ~ a + b`, are read as a pair. Factor levels keep
#' their order, characters are sorted in the same way in every locale, levels without rows are dropped. Without
#' dense layers of your own the classifier starts as the nearest class mean, so that few rows suffice (Qi et al.
#' 2018). With many rows a class fewer epochs, at half the learning rate, are enough: 3 from 400 rows a class on (and
#' 1,000 in all), 2 from 1,000 a class on. Probabilities are calibrated on held-out rows: see [bert_fit()].
#'
#' Predicted: `.pred_class`, a factor with the training levels, and a double column `.pred_<level>` a level, the
#' probabilities, which add up to 1; `type = "class"` gives only the first, `"prob"` only the others. Measured:
#' `accuracy`; `kap`, Cohen's kappa; `f_meas` (`macro`), the mean over the classes of F1 (0 for a class never predicted
#' right); `mn_log_loss`, the mean negative log-probability of the true class; of two classes also `precision`, `recall`
#' and `f_meas` (`binary`) of the second one, or of the one that `bert_evaluate(event = )` names. Rows of a class that
#' was not seen in training count as wrong, their class as one more; `mn_log_loss` and `ece` leave them out, as they
#' have no probability. `ece` is the expected calibration error: the mean distance, weighted by rows, between the
#' probability of the predicted class and the share that is right, in 15 bins of equal width (Naeini et al. 2015; Guo
#' et al. 2017). By chance it is above 0 even for perfect probabilities, the more so the fewer the rows.
#'
#' @section Several labels, `cbind(toxic, insult) ~ text`:
#' Logical or 0-1 columns, or a list-column of character vectors (`character()` for no label). The outputs start at
#' the labels' log-odds. A label is given where its probability is above its threshold, which [bert_control()] can
#' fix. 1,000 to 2,000 rows are trained on for 4 epochs.
#'
#' Predicted: a logical column `.pred_<label>` a label, or, for a fit on a list-column, one list-column
#' `.pred_labels`; with `type = "prob"` the probabilities. Measured: `f_meas` as the mean over the labels that
#' occur or are predicted (`macro`) and of all labels together (`micro`); `precision` and `recall` of all together;
#' `accuracy`, the share of rows with every label right; `mn_log_loss`. Labels of a list-column that were not seen in
#' training count as not found; `mn_log_loss` is that of the others.
#'
#' @section Numbers, `score ~ text` or `cbind(valence, arousal) ~ text`:
#' The loss is the squared error in units of the outcomes' standard deviations. With `bert_head(pair = "cosine")`
#' the outcome of a pair is read off the cosine of the vectors of its two texts, each encoded by itself (Reimers
#' and Gurevych 2019). With `bert_head(link = "logit")` numbers from 0 to 1, such as the share of raters who found a
#' text toxic, are learnt by cross-entropy, as probabilities.
#'
#' Predicted, in the unit of the outcome: `.pred`, or `.pred_<outcome>` for each of several; with the logit link they
#' are between 0 and 1. Measured: `rmse`, `mae`, `rsq` (squared correlation), `pearson` and `spearman` correlations,
#' with the logit link also `mn_log_loss`, the mean cross-entropy; with several outcomes a column `.outcome` tells
#' which.
#'
#' Whole numbers that are codes of classes are numbers here: write `factor(code) ~ text` for classes.
#'
#' @section Entities and parts of speech, `entities ~ text`:
#' A list-column of data frames with the columns `start`, `end` and `label`, none of which overlap; one without
#' rows says that a text has none. [read_conll()] and [bert_entities()] make such columns. An entity that begins or
#' ends inside a word is learnt as the whole word, also by a model whose pieces may hold a word and a punctuation mark
#' (ALBERT), where both then are one word; long texts are read in windows that overlap. `bert_head(crf =
#' TRUE)` scores whole sequences of labels, `bert_head(words = "space")` takes words as they stand between spaces. The
#' learning rate is twice that of other tasks; with `train = "head"` it is 5e-3.
#'
#' Predicted: `.pred_entities`, a list of tibbles `start`, `end`, `label`, `text` and `score`, the probability that
#' just these words are labelled so; NULL where the text is NA. Measured: `precision`, `recall` and `f_meas` of
#' entities found exactly, start, end and label, as conlleval and seqeval count them: of all together, then of each
#' label, which the column `.level` names (NA for a label that is neither in the data nor predicted). Labels that were
#' not seen in training count as not found. Where every word of the data is an entity of its own, as parts of speech
#' are, also `accuracy`: the share of the words at whose first character there is their label.
#'
#' @section Answers in a text, `span(answer, start) ~ question + context`:
#' `answer` is the column of their texts, `""` where there is none, and `start` that of their first characters in
#' the context, the last text column; `span(answer)` will do where every answer occurs once in its context.
#' Contexts of any length are read in windows of `max_len` tokens, a third of which is shared with the next one,
#' each with the question (at most half of a window). If some questions have no answer, validation rows tell how
#' sure an answer must be. [read_squad()] reads SQuAD's files.
#'
#' Predicted: `.pred_text`, `""` for no answer; `.pred_start` and `.pred_end`, NA for none; and `.pred_score`, the
#' probability among all spans of the context that are not too long (at most 30 tokens, or as the longest answer
#' learnt from), and no answer where there can be none. `type = "nbest"` gives `.pred_nbest`, a list of tibbles
#' with the five best spans. Measured: `exact_match` and `f_meas`, the mean F1 of the words of an answer, as SQuAD
#' counts them (without case, punctuation and the articles a, an, the; the best over a list-column `answers` of
#' character vectors, as [read_squad()] gives it, where there is one). Where some questions have no answer, also over
#' either kind of them, with `n`, their number.
#'
#' @section Relations, `relations ~ text`:
#' A list-column of data frames with the columns `head_start`, `head_end`, `relation`, `tail_start` and `tail_end`,
#' one row a triple and none where a text has none; columns `head` and `tail` with the texts there, if given, are
#' checked. Spans may be nested or shared. By default all triples are found at once (GPLinker); with
#' `bert_head(relations = "subject_first")` first the heads, and for each its relations and tails (Su 2019). Both take
#' long to learn: 60 epochs up to 50 rows (in batches of 4), 40 up to 200 (of 8), 12 up to 2,000, 8 up to 10,000,
#' else 5, at twice the rate.
#'
#' Predicted: `.pred_relations`, a list of tibbles of the same columns and `score`, the probability of the least
#' certain part; NULL where the text is NA. Measured: `precision`, `recall` and `f_meas` of triples that are right
#' in relation and in all four positions, over all and for each relation, which the column `.level` names; relations
#' that were not seen in training count as not found.
#'
#' @section Texts without labels, `~ text`:
#' Goes on with BERT's pre-training on your texts: of every text 15 % of the tokens are chosen, anew for each
#' epoch; 80 % of them are hidden behind `[MASK]`, 10 % replaced by a random token, 10 % left; and the model learns
#' which they were. `~ a + b`, texts that follow each other, adds BERT's second task: half of the first texts get
#' another row's second text, and the model learns which. Long single texts are read whole, in several pieces. The
#' heads that the model was pre-trained with are trained further; where it has none, as the default model, new ones
#' are started, that for words from the word vectors and the frequencies of your words: it takes many texts to
#' become good. The fit can be the `model` of another fit, and [bert_fill_mask()] fills masks with it;
#' [bert_save()] writes its heads as Hugging Face's tools read them.
#'
#' Measured, of words hidden at random, the same ones every time: `accuracy`, `mn_log_loss` and `perplexity`, for
#' two text columns also `nsp_accuracy`.
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
#' fit <- function(formula, data, ...) bert_fit(model, formula, data, train = "head", epochs = 5, seed = 1, ...)
#'
#' # several labels a text, and numbers
#' faq$long <- nchar(faq$text) > 60
#' faq$card <- grepl("card", faq$text)
#' faq$size <- nchar(faq$text)
#' bert_predict(fit(cbind(long, card) ~ text, faq), "My card does not work")
#' bert_predict(fit(size ~ text, faq), "My card does not work")
#' bert_predict(fit(size / max(size) ~ text, faq, head = bert_head(link = "logit")), "My card does not work")
#'
#' # how alike two texts are, each read by itself; and texts longer than the limit, in windows
#' pairs <- data.frame(a = faq$text[c(1, 3, 1, 3)], b = faq$text[c(5, 4, 4, 8)], alike = c(5, 5, 0, 1))
#' bert_predict(fit(alike ~ a + b, pairs, head = bert_head(pair = "cosine")), pairs)
#' articles <- data.frame(text = vapply(1:6, function(i) strrep(paste0(faq$text[[i]], " "), i), ""), length = 1:6)
#' bert_predict(fit(length ~ text, articles, max_len = 32, control = bert_control(long = "window")), articles)
#'
#' # names, from words and their tags
#' people <- bert_entities(
#'   list(c("Ada", "met", "Grace"), c("No", "one", "came")),
#'   list(c("B-name", "O", "B-name"), c("O", "O", "O"))
#' )
#' people$entities[[1]]
#' bert_predict(fit(entities ~ text, people), "Grace came")$.pred_entities
#'
#' # answers
#' questions <- data.frame(question = "Where is it?", context = c("It is in Rome.", "It is in Paris now."),
#'   answer = c("Rome", "Paris"))
#' bert_predict(fit(span(answer) ~ question + context, questions), questions)
#'
#' # relations
#' triples <- data.frame(text = c("Ada knows Grace", "Grace knows Ada"))
#' triples$relations <- list(
#'   data.frame(head_start = 1, head_end = 3, relation = "knows", tail_start = 11, tail_end = 15),
#'   data.frame(head_start = 1, head_end = 5, relation = "knows", tail_start = 13, tail_end = 15)
#' )
#' fit <- bert_fit(model, relations ~ text, triples, epochs = 20, seed = 1)
#' bert_predict(fit, triples)$.pred_relations
#' @name bert_tasks
NULL
