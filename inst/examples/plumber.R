# A fit that answers over HTTP. Save one with bert_save(fit, "faq-model"), start the server in a terminal:
#   Rscript plumber.R faq-model 8000
# and ask it, with the text columns of the fit as fields (one text, or an array):
#   curl -d '{"text": ["Where is my card?", "Cancel my transfer."]}' http://127.0.0.1:8000/predict
# The answer is one object per text, with the columns of bert_predict(). A bad request gets status 400 and one sentence.
# Requests are answered one after the other, so send several texts at a time.
library(bertr)

settings <- commandArgs(TRUE)
if (length(settings) != 2 || !grepl("^[0-9]+$", settings[[2]])) {
  stop("Give the folder of a fit and a port, as in: Rscript plumber.R faq-model 8000", call. = FALSE)
}
port <- as.integer(settings[[2]])
taken <- function(port) {
  socket <- tryCatch(suppressWarnings(serverSocket(port)), error = identity)
  if (inherits(socket, "error")) TRUE else !is.null(close(socket))
}
if (taken(port)) {
  stop("Port ", port, " is taken or not allowed: choose another one.", call. = FALSE)
}
fit <- bert_load(settings[[1]])
fields <- all.vars(formula(fit)[[3]])

# The texts of a request as a data frame, or a sentence that says what is wrong with it
read_request <- function(raw) {
  json <- rawToChar(raw)
  if (!validUTF8(json) || !jsonlite::validate(json)) {
    return("The request is not valid JSON.")
  }
  texts <- jsonlite::fromJSON(json)
  if (!is.list(texts) || !all(fields %in% names(texts))) {
    return(paste("The request must be an object with", paste0('"', fields, '"', collapse = " and "), "in it."))
  }
  read_texts(texts[fields])
}

read_texts <- function(texts) {
  strings <- vapply(texts, function(text) is.character(text) && is.null(dim(text)), NA)
  if (!all(strings) || length(unique(lengths(texts))) != 1) {
    return("Each field must hold a string or an array of strings, as many as the others.")
  }
  empty <- which(Reduce(`|`, lapply(texts, function(text) is.na(text) | !grepl("[^[:space:]]", text))))
  if (length(empty) > 0) {
    return(paste0("Text ", empty[[1]], " is empty."))
  }
  as.data.frame(texts)
}

answer <- function(req, res) {
  texts <- read_request(req$bodyRaw)
  if (is.character(texts)) {
    res$status <- 400L
    return(list(error = texts))
  }
  bert_predict(fit, texts, verbose = FALSE)
}

options(plumber.maxRequestSize = 1e6) # bytes; larger requests get status 413
invisible(bert_predict(fit, as.data.frame(as.list(setNames(fields, fields))), verbose = FALSE)) # the first is slow
no_parsers <- setNames(list(), character()) # read_request() reads what it gets, whatever its content type
server <- plumber::pr_set_parsers(plumber::pr(), no_parsers)
server <- plumber::pr_post(server, "/predict", answer, serializer = plumber::serializer_unboxed_json(digits = NA))
plumber::pr_run(server, port = port, docs = FALSE)
