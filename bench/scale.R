# bert_predict() on many short texts: memory, texts a second, and how much of the time is R's (see scale.md). Linux only.
#   RETICULATE_PYTHON=.venv/bin/python Rscript bench/scale.R ROWS [LAYERS] [OTHERS]
# Real questions (faq30), each followed by a number, so that no two texts are equal.
library(bertr)
source("bench/memory.R")

args <- as.numeric(commandArgs(TRUE))

n <- args[[1]]
faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
# before all else, so that what making them leaves behind is in use again when memory is measured
texts <- paste(rep_len(faq$text, n), seq_len(n))
model <- bert_load(layers = if (length(args) > 1) as.integer(args[[2]]))
fit <- bert_fit(model, label ~ text, faq, train = "head", epochs = 5, seed = 1, verbose = FALSE)
# so that what is kept for good, within its bounds (words, kernels), is there before memory is measured
others <- if (length(args) > 2) args[[3]] else 300000
invisible(bert_predict(fit, paste(rep_len(faq$text, others), 5e6 + seq_len(others)), verbose = FALSE))

# What Python's own function takes, from the list of str to the arrays
reticulate::py_run_string("
import sys, time
bridge, spent = sys.modules['bertr.bridge'], [0.0]
predict = bridge.predict
def timed(*args):
    began = time.perf_counter()
    out = predict(*args)
    spent[0] += time.perf_counter() - began
    return out
bridge.predict = timed
")

invisible(gc())
reticulate::py_run_string("import ctypes; ctypes.CDLL('libc.so.6').malloc_trim(0)")
writeLines("5", "/proc/self/clear_refs") # the most this process had counts from here on
before <- memory("VmRSS")
seconds <- system.time(predictions <- bert_predict(fit, texts, verbose = FALSE))[["elapsed"]]
python <- reticulate::py_eval("spent[0]")
result <- object.size(predictions) / 2^20
peak <- memory("VmHWM")
cat(sprintf(
  "%.0f texts, %.0f MB, result %.0f MB: %.1f s, %.0f texts/s, R's share %.1f %%\n",
  n, object.size(texts) / 2^20, result, seconds, n / seconds, 100 * (1 - python / seconds)
))
cat(sprintf("memory: %.0f MB before, %.0f at most, %.0f beyond the result\n", before, peak, peak - before - result))
