#' Read question answering data in SQuAD format
#'
#' @param file A JSON file in the format of SQuAD 1.1 or 2.0.
#' @return A tibble with one row per question: `id`, `title`, `question`, `context`; `answer`, the first answer, `""`
#'   for a question without one and NA if the file does not say; `start`, the position of the answer's first character
#'   in the context, counted from 1 (NA without an answer); and `answers`, a list of character vectors with the texts of
#'   all answers. `bert_fit(model, span(answer, start) ~ question + context, ...)` learns from it.
#' @source Rajpurkar et al. (2016), SQuAD, \doi{10.18653/v1/D16-1264}, and (2018), Know What You Don't Know,
#'   \doi{10.18653/v1/P18-2124}.
#' @examplesIf bertr::bert_info()$ready
#' file <- tempfile(fileext = ".json")
#' writeLines('{"data": [{"title": "Rivers", "paragraphs": [
#'   {"context": "The Rhine flows to the North Sea.", "qas": [
#'     {"id": "1", "question": "Where does it flow?",
#'      "answers": [{"text": "the North Sea", "answer_start": 19}]}
#' ]}]}]}', file)
#' rivers <- read_squad(file)
#' rivers
#' fit <- bert_fit(bert_load(), span(answer, start) ~ question + context, rivers,
#'   train = "top:1", epochs = 5)
#' bert_predict(fit, rivers)
#' @export
read_squad <- function(file) {
  call <- rlang::current_env()
  check_path(file, "file", call)
  check_file(file, call)
  columns <- py_value("read_squad", path.expand(file), call = call)
  answer <- as_chr(columns$answer)
  answer[!columns$answered] <- NA
  row <- factor(rep(seq_along(answer), columns$n_answers), seq_along(answer))
  tibble(id = as_chr(columns$id), title = as_chr(columns$title), question = as_chr(columns$question),
    context = as_chr(columns$context), answer = answer, start = zero_as_na(as.integer(columns$start)),
    answers = unname(split(as_chr(columns$answers), row)))
}
