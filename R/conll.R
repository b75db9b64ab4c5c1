#' Entities from words and their tags
#'
#' `bert_entities()` converts words and tags to the columns that [bert_fit()] learns entities from. `read_conll()` reads
#' them from a file in CoNLL format: one word per line with its tags, and sentences separated by empty lines.
#'
#' Tags are read as conlleval and seqeval do. `B-PER` and `S-PER` begin an entity. `I-PER` and `E-PER` continue one, or
#' begin one if the previous word has no entity or another label. `O` is outside. So IOB2, IOB1 and BIOES all work. With
#' tags without such prefixes, such as parts of speech, every word is a separate entity, except for `O` and empty tags.
#'
#' @param tokens A list of character vectors, the words of each text.
#' @param tags A list of character vectors, one tag for each of these words.
#' @return A tibble with one row per text: `text`, its words joined by a space, and `entities`, a list of tibbles with
#'   the columns `start` and `end` (character positions from 1, both included) and `label`.
#' @seealso [bert_fit()]
#' @source Tjong Kim Sang and De Meulder (2003), Introduction to the CoNLL-2003 Shared Task,
#'   <https://aclanthology.org/W03-0419/>.
#' @examples
#' words <- c("Ada", "Lovelace", "met", "Mary")
#' data <- bert_entities(list(words), list(c("B-PER", "I-PER", "O", "B-PER")))
#' data$entities[[1]]
#' bert_entities(list(c("It", "rains")), list(c("PRON", "VERB")))$entities[[1]]
#'
#' @examplesIf bertr::bert_info()$ready
#' fit <- bert_fit(bert_load(), entities ~ text, data[rep(1, 20), ], epochs = 5)
#' bert_predict(fit, "Mary met Ada Lovelace.")$.pred_entities
#' @export
bert_entities <- function(tokens, tags) {
  call <- rlang::current_env()
  tokens <- word_lists(tokens, "tokens", call)
  tags <- word_lists(tags, "tags", call)
  if (length(tokens) != length(tags)) {
    abort("tags", "{.arg tokens} has {length(tokens)} row{?s}, but {.arg tags} has {length(tags)}.", call = call)
  }
  abort_rows("tags", which(lengths(tokens) != lengths(tags)), "{.arg tokens} and {.arg tags} differ in length",
    call = call)
  entities_of(tokens, tags, cli::format_inline("{.arg tokens} and {.arg tags}"), call)
}

# `what` names the words and tags in messages
entities_of <- function(tokens, tags, what, call) {
  n <- lengths(tokens)
  row <- rep(seq_along(n), n)
  word <- check_text(as.character(unlist(tokens)), cli::format_inline("{.arg tokens}"), call)
  tag <- check_text(as.character(unlist(tags)), cli::format_inline("{.arg tags}"), call)
  abort_rows("tags", unique(row[is.na(word) | !nzchar(word)]), "{what} contain a missing or empty word", call = call)

  length <- nchar(word)
  before <- cumsum(c(0L, length + 1L))[seq_along(word)] # characters of all previous words, including spaces
  start <- before - before[match(row, row)] + 1L
  part <- tag_parts(tag, row, what, call)
  first <- which(part$begins)
  inside <- which(nzchar(part$label))
  last <- inside[!duplicated(cumsum(part$begins)[inside], fromLast = TRUE)]
  columns <- list(start = start[first], end = (start + length - 1L)[last], label = part$label[first])
  text <- vapply(split(word, factor(row, seq_along(n))), paste, "", collapse = " ", USE.NAMES = FALSE)
  tibble(text = text, entities = split_tibbles(columns, row[first], length(n)))
}

word_lists <- function(x, arg, call) {
  if (!is.list(x) || is.data.frame(x)) {
    abort("tags", "{.arg {arg}} must be a list of character vectors, not {.obj_type_friendly {x}}.", call = call)
  }
  words <- vapply(x, function(w) is.null(w) || is.character(w) || is.factor(w), NA)
  abort_rows("tags", which(!words), "{.arg {arg}} contains something other than a character vector", call = call)
  lapply(x, as.character)
}

# For every word its label, "" if outside, and whether it begins an entity
tag_parts <- function(tag, row, what, call) {
  outside <- is.na(tag) | tag %in% c("", "O")
  prefixed <- grepl("^[BIESLU]-.", tag) & !outside
  label <- ifelse(outside, "", tag)
  if (!any(prefixed)) {
    return(list(label = label, begins = !outside))
  }
  abort_rows("tags", unique(row[!prefixed & !outside]), "{what} mix tags with and without a prefix such as B-",
    call = call)
  prefix <- ifelse(outside, "O", substr(tag, 1, 1))
  label <- ifelse(outside, "", substring(tag, 3))
  n <- length(tag)
  same <- c(FALSE, row[-1] == row[-n] & label[-1] == label[-n])
  ended <- c(TRUE, prefix[-n] %in% c("E", "L", "S", "U"))
  list(label = label, begins = !outside & (!same | ended | prefix %in% c("B", "S", "U")))
}

#' @rdname bert_entities
#' @param file Path of a UTF-8 file.
#' @param token,tag Numbers of the columns with the words and their tags. By default the first and, with `NULL`, the
#'   last; for parts of speech in CoNLL-U, `token = 2` and `tag = 4`.
#' @param sep Column separator: `"\t"`, `" "`, or `NULL` (default) for any white space.
#' @param comment Lines that begin with this string are skipped, as are `-DOCSTART-` lines: `"#"` for CoNLL-U. By
#'   default there are no comments, because words may begin with such a character too.
#' @export
read_conll <- function(file, token = 1, tag = NULL, sep = NULL, comment = NULL) {
  call <- rlang::current_env()
  check_string(file, "file")
  check_whole(token, "token")
  if (!is.null(tag)) {
    check_whole(tag, "tag")
  }
  if (!is.null(sep)) {
    check_string(sep, "sep")
  }
  if (!is.null(comment)) {
    check_string(comment, "comment")
  }
  check_file(file, call)
  table <- conll_table(file, sep, comment, max(token, tag, 2), call)
  flat <- table$cells
  before <- cumsum(c(0, table$width))[seq_along(table$width)]
  words <- flat[before + token]
  tags <- flat[before + if (is.null(tag)) table$width else tag]
  # in CoNLL-U a number precedes the word: ranges such as 3-4 repeat the following words, and 5.1 is not in the text
  kept <- if (token > 1) !grepl("^[0-9]+[-.][0-9]+$", flat[before + 1]) else rep(TRUE, length(words))
  sentence <- table$sentence[kept]
  sentence <- match(sentence, unique(sentence))
  entities_of(unname(split(words[kept], sentence)), unname(split(tags[kept], sentence)),
    cli::format_inline("The words and tags of {.file {file}}"), call)
}

# The cells of all lines with a word as one vector, the number of cells per line, and the sentence of each line
conll_table <- function(file, sep, comment, least, call) {
  if (any(readBin(file, "raw", file.size(file)) == 0)) { # like every second byte of ASCII text in UTF-16
    abort("file", "{.file {file}} is not UTF-8 text: it contains null bytes.",
      "Convert it, for example with {.code iconv -f UTF-16 -t UTF-8} on the command line.", call = call)
  }
  lines <- readLines(file, encoding = "UTF-8", warn = FALSE)
  lines <- sub("^\ufeff", "", check_text(lines, cli::format_inline("{.file {file}}"), call))
  skipped <- Reduce(`|`, lapply(c("-DOCSTART-", comment), function(start) startsWith(lines, start)))
  number <- which(!skipped)
  lines <- lines[number]
  empty <- !grepl("[^[:space:]]", lines)
  space <- is.null(sep)
  cells <- strsplit(trimws(lines[!empty], whitespace = if (space) "[ \t\r\n]" else "[\r\n]"),
    if (space) "[ \t]+" else sep, fixed = !space)
  width <- lengths(cells)
  short <- number[!empty][width < least]
  if (length(short) > 0) {
    abort("file", "{.file {file}} has too few columns in {cli::qty(length(short))}line{?s} {some(short)}.", call = call)
  }
  list(cells = as.character(unlist(cells)), width = width, sentence = cumsum(empty)[!empty])
}
