# Mixed calls in one session: none fails, and memory stays as it is after the first 300. Fewer calls than 600 tell
# nothing about memory.
#
#     Rscript tests/torture/soak.R [CALLS] [SEED]
source("tests/torture/arguments.R")
calls <- begin(2000L, "calls")
suppressMessages(library(bertr))
most <- 1.05
settled <- 300

faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
few <- faq[faq$label %in% unique(faq$label)[1:3], ]
folder <- file.path(tempdir(), "saved")
model <- bert_load(layers = 1)
fit <- bert_fit(model, label ~ text, few, train = "head", epochs = 2, seed = 1, verbose = FALSE)
bert_save(fit, folder)
some_texts <- function() sample(faq$text, sample(1:60, 1))

# Kernels are kept for shapes of batches, up to a number: the shapes come first, as they would take thousands of calls
if (calls >= 2 * settled) {
  for (i in 1:400) {
    bert_predict(fit, some_texts(), verbose = FALSE)
    bert_embed(model, some_texts(), verbose = FALSE)
  }
}

verbs <- list(
  load = function() model <<- bert_load(layers = 1),
  load_fit = function() fit <<- bert_load(folder),
  tokenise = function() bert_tokenize(model, some_texts()),
  embed = function() bert_embed(model, some_texts(), pool = sample(c("mean", "cls", "max"), 1), verbose = FALSE),
  predict = function() bert_predict(fit, some_texts(), verbose = FALSE),
  head = function() {
    fit <<- bert_fit(model, label ~ text, few[sample(nrow(few)), ], train = "head", epochs = 2, seed = 1,
      verbose = FALSE)
  },
  evaluate = function() bert_evaluate(fit, few[sample(nrow(few), 20), ], verbose = FALSE),
  similarity = function() bert_similarity(model, some_texts(), some_texts(), verbose = FALSE),
  save = function() bert_save(fit, folder),
  bytes = function() fit <<- unserialize(serialize(fit, NULL))
)

# After R's garbage, and Python's, which every load collects
resident <- function() {
  gc()
  bert_load(layers = 1)
  gc()
  line <- grep("^VmRSS", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

memory <- numeric()
for (i in seq_len(calls)) {
  verb <- sample(names(verbs), 1)
  tryCatch(verbs[[verb]](), error = function(e) {
    cat("call", i, verb, "failed:", conditionMessage(e), "\n", i - 1, "passed, 1 failed\n")
    quit(status = 1)
  })
  if (i %% 50 == 0) {
    memory[[as.character(i)]] <- resident()
    cat("after", i, "calls", round(memory[[as.character(i)]]), "MB\n")
  }
}
at <- as.integer(names(memory))
if (calls >= 2 * settled) {
  first <- max(memory[at <= settled])
  later <- max(memory[at > settled])
  cat(sprintf("at the most %.0f MB in the first %d calls, %.0f MB afterwards\n", first, settled, later))
}
grown <- calls >= 2 * settled && later > most * first
cat(calls - grown, "passed,", as.integer(grown), "failed\n")
quit(status = as.integer(grown))
