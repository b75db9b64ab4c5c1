# A fit in other R sessions: through callr, future (or parallel, where future is not installed) and its own file it
# predicts the same; in a forked process it is refused.
#
#     Rscript tests/torture/sessions.R [TRIALS] [SEED]
#
# Every trial sends one fit to one kind of session with a draw of texts.
source("tests/torture/arguments.R")
trials <- begin(30L, "trips to another session")
suppressMessages(library(bertr))

faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
few <- faq[faq$label %in% unique(faq$label)[1:3], ]
model <- bert_load(layers = 1)
folder <- file.path(tempdir(), "saved")
train <- function(...) bert_fit(model, label ~ text, few, epochs = 1, seed = 1, verbose = FALSE, ...)
fits <- list(head = train(train = "head"), whole = train())
bert_save(fits$whole, folder)
fits$loaded <- bert_load(folder)

# Each workers' session lives for all trials: what it holds of earlier fits must not matter
workers <- parallel::makePSOCKcluster(1)
has_future <- requireNamespace("future", quietly = TRUE)
if (has_future) {
  future::plan("multisession", workers = 2)
}
predict_in <- list(
  callr = function(fit, texts) callr::r(function(fit, texts) bertr::bert_predict(fit, texts), list(fit, texts)),
  session = function(fit, texts) {
    parallel::clusterCall(workers, function(fit, texts) bertr::bert_predict(fit, texts), fit, texts)[[1]]
  },
  future = function(fit, texts) future::value(future::future(bertr::bert_predict(fit, texts), seed = NULL)),
  file = function(fit, texts) {
    file <- tempfile(fileext = ".rds")
    saveRDS(fit, file)
    callr::r(function(file, texts) bertr::bert_predict(readRDS(file), texts), list(file, texts))
  },
  fork = function(fit, texts) {
    job <- parallel::mcparallel(tryCatch(bertr::bert_predict(fit, texts), error = class))
    parallel::mccollect(job)[[1]]
  }
)
if (!has_future) {
  predict_in$future <- NULL
}

places <- sample(names(predict_in))
failed <- 0
for (i in seq_len(trials)) {
  place <- places[[(i - 1) %% length(places) + 1]]
  kind <- sample(names(fits), 1)
  texts <- sample(faq$text, sample(1:40, 1))
  came <- tryCatch(predict_in[[place]](fits[[kind]], texts), error = function(e) conditionMessage(e))
  right <- if (place == "fork") {
    "bertr_error_fork" %in% came
  } else {
    identical(came, bert_predict(fits[[kind]], texts))
  }
  if (!right) {
    failed <- failed + 1
    cat("failed:", place, kind, length(texts), "texts:", utils::head(utils::capture.output(print(came)), 5), "\n")
  }
}
parallel::stopCluster(workers)
cat(trials - failed, "passed,", failed, "failed\n")
quit(status = as.integer(failed > 0))
