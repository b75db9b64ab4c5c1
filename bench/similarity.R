# bert_similarity() of many vectors: time and memory (see scale.md).
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/similarity.R ROWS [TOP]
# Random vectors of 384 numbers, ROWS with ROWS others.
library(bertr)
source("bench/memory.R")

args <- as.numeric(commandArgs(TRUE))

n <- args[[1]]
top <- if (length(args) > 1) args[[2]] else 10
set.seed(1)
invisible(bert_similarity(NULL, matrix(rnorm(3840), 10), top = 2)) # Python and TensorFlow are loaded
vectors <- lapply(1:2, function(i) matrix(rnorm(n * 384), n))
before <- memory("VmHWM")
seconds <- system.time(
  found <- bert_similarity(NULL, vectors[[1]], vectors[[2]], top = top, verbose = FALSE)
)
peak <- memory("VmHWM")
some <- sample.int(n, 20)
unit <- lapply(list(vectors[[1]][some, ], vectors[[2]]), function(x) x / sqrt(rowSums(x^2)))
plain <- apply(unit[[1]] %*% t(unit[[2]]), 1, function(row) order(-row)[seq_len(top)])
stopifnot(identical(as.vector(plain), unlist(lapply(some, function(i) found$match[found$row == i]))))
cat(sprintf(
  "%.0f x %.0f, top %.0f: %.1f s, of both cores %.1f s; vectors %.0f MB, result %.0f MB, peak memory %.0f MB, before %.0f MB\n",
  n, n, top, seconds[["elapsed"]], sum(seconds[c("user.self", "sys.self")]), object.size(vectors) / 2^20,
  object.size(found) / 2^20, peak, before
))
