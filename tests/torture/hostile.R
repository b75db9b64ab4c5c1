# Hostile arguments: every call gives a value or an error of class bertr_error, and R lives.
#
#     Rscript tests/torture/hostile.R [TRIALS] [SEED]
#
# Every trial calls one verb as it should be called, but for one argument, which is something else altogether.
source("tests/torture/arguments.R")
trials <- begin(3000L, "hostile calls")
suppressMessages(library(bertr))
options(cli.num_colors = 1)
setwd(tempdir())

methods::setClass("Odd", representation(x = "numeric"))
deep <- list("end")
for (i in 1:500) deep <- list(deep)
hollow <- lapply(c("bert_model", "bert_fit", "bert_tokens", "bert_head", "bert_control"),
  function(class) structure(list(), class = class))
hostile_file <- function(bytes) {
  file <- tempfile()
  writeBin(as.raw(bytes), file)
  file
}
any_of <- function(bytes) hostile_file(sample(bytes, 2000, replace = TRUE))
files <- list(
  empty = hostile_file(raw()), words = any_of(c(9, 10, 13, 32, 35, 45, 46, 48:57, 66, 73, 79)),
  bytes = any_of(1:255), utf8 = hostile_file(charToRaw(paste(rep("\u00e9\u4e2d B-\U1F680\n", 50), collapse = ""))),
  nothing = hostile_file(raw(100)), json = hostile_file(charToRaw("{\"data\": [{\"paragraphs\": [{\"qas\": 3}]}]}")),
  brackets = any_of(utf8ToInt("{}[],:\"01 ")), nested = hostile_file(charToRaw(strrep("[", 1e5)))
)
values <- c(list(
  null = NULL, na = NA, na_text = NA_character_, na_integer = NA_integer_, nan = NaN, infinite = Inf, negative = -1,
  zero = 0, half = 0.5, huge = 1e300, large = 2^53, largest = .Machine$integer.max, no = FALSE, empty = "",
  control = "a\001b\177c", invalid = "a\xff\xfeb", bytes = `Encoding<-`("caf\xc3\xa9", "bytes"),
  latin1 = `Encoding<-`("caf\xe9", "latin1"), emoji = "\U1F469\u200D\U1F680", long = strrep("a", 1e5),
  braces = "{stop('evaluated')}", format = "%s%n", path = "no/such/place", folder = ".", character = character(),
  numeric = numeric(), list = list(), nested = list(list(1), list("a", NULL)), deep = deep, texts = as.list(letters),
  named = c(a = "b", a = "c"), a_function = function(x) x, primitive = sum, global = globalenv(),
  environment = new.env(), no_columns = data.frame(), rows_only = data.frame(a = 1:3)[, 0],
  no_rows = data.frame(text = character()),
  frame = data.frame(a = 1:2), list_column = tibble::tibble(text = list(1, "a")), frame_column = tibble::tibble(
    text = data.frame(a = 1:2)), matrix = matrix(1:4, 2), texts_matrix = matrix(letters[1:4], 2), array = array(0, 1:3),
  factor = factor(c("a", NA)), levels_only = factor(levels = "a"), raw = as.raw(0:3), complex = 1i, date = Sys.Date(),
  time = as.POSIXlt(Sys.time()), span = as.difftime(1, units = "secs"), version = numeric_version("1.2"),
  symbol = quote(x), call = quote(stop("evaluated")), expression = expression(a, b), one_sided = ~ text,
  formula = text ~ text, dots = text ~ ., strange = ~ stop("evaluated"), s4 = methods::new("Odd", x = 1),
  pointer = methods::new("externalptr"), pairs = pairlist(a = 1), connection = stdin()
), hollow = hollow, file = files)

faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
few <- faq[faq$label %in% unique(faq$label)[1:2], ]
model <- bert_load(layers = 1)
fit <- bert_fit(model, label ~ text, few, train = "head", epochs = 2, seed = 1, verbose = FALSE)
conll <- tempfile(fileext = ".txt")
writeLines(c("Ada B-PER", "wrote O"), conll)
squad <- tempfile(fileext = ".json")
writeLines('{"data": [{"paragraphs": [{"context": "The Rhine.", "qas": [{"id": "a", "question": "Which?",
  "answers": [{"text": "Rhine", "answer_start": 4}]}]}]}]}', squad)

# How each is called; what is not named here may be given too. bert_install() would install.
texts <- c("a cat", "a dog")
good <- list(
  bert_load = list(NULL), bert_config = list(model), bert_vocab = list(model), bert_save = list(fit, "saved"),
  bert_tokenize = list(model, texts, texts), bert_count_tokens = list(model, texts, texts),
  bert_detokenize = list(model, bert_tokenize(model, texts)$token_ids), bert_embed = list(model, texts),
  bert_similarity = list(model, texts, texts), bert_attention = list(model, "a cat"), bert_fill_mask =
    list(model, "a [MASK]"), bert_fit = list(model, label ~ text, few), bert_control = list(), bert_head = list(),
  bert_predict = list(fit, texts), bert_evaluate = list(fit, few), bert_entities = list(list("a"), list("B-PER")),
  read_conll = list(conll), read_squad = list(squad), predict = list(fit, texts), augment = list(fit, few),
  plot = list(fit), tidy = list(fit), glance = list(fit), summary = list(fit), print = list(fit)
)
methods_of <- c("predict", "augment", "plot", "tidy", "glance", "summary", "print")
fixed <- list(bert_fit = list(train = "head", epochs = 1, seed = 1, verbose = FALSE))

draw <- function() {
  verb <- sample(names(good), 1)
  method <- if (verb %in% methods_of) paste0(verb, ".bert_fit")
  formals <- setdiff(names(formals(utils::getFromNamespace(if (is.null(method)) verb else method, "bertr"))), "...")
  args <- good[[verb]]
  names(args) <- formals[seq_along(args)]
  others <- fixed[[verb]]
  first <- sample(seq_along(formals), 1, prob = 1 / sqrt(seq_along(formals))) # the first ones more often
  value <- sample(names(values), 1)
  if (!is.null(method) && first == 1) {
    value <- "hollow2" # anything but a fit has another method
  }
  # many epochs, or batches of many rows, are what they are
  if (formals[[first]] %in% c("epochs", "batch_size") && value %in% c("largest", "large", "huge")) {
    value <- "raw"
  }
  args <- c(args, others[setdiff(names(others), names(args))])
  args[formals[[first]]] <- list(values[[value]])
  list(label = paste0(verb, "(", formals[[first]], " = ", value, ")"), verb = verb, args = args)
}

# What came of it. The arguments are variables of the call, as in a script.
outcome <- function(trial) {
  env <- list2env(trial$args, parent = globalenv())
  names <- names(trial$args)
  positional <- seq_along(names) <= length(good[[trial$verb]])
  call <- as.call(c(as.symbol(trial$verb), stats::setNames(lapply(names, as.symbol), ifelse(positional, "", names))))
  tryCatch({
    utils::capture.output(value <- eval(call, env), type = "output")
    "value"
  },
  bertr_error = function(e) if (nzchar(conditionMessage(e))) "told" else "no message",
  error = function(e) paste0("raw error: ", class(e)[[1]], ": ", conditionMessage(e)))
}

grDevices::pdf(NULL)
failed <- 0
for (i in seq_len(trials)) {
  trial <- draw()
  cat(trial$label, file = "last-call") # a crash leaves it there
  came <- suppressWarnings(suppressMessages(outcome(trial)))
  if (!came %in% c("value", "told")) {
    failed <- failed + 1
    cat("failed:", trial$label, came, "\n")
  }
}
alive <- nrow(bert_predict(fit, texts)) == 2
cat(trials - failed, "passed,", failed + !alive, "failed\n")
quit(status = as.integer(failed > 0 || !alive))
