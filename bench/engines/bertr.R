# bertr as its users call it. The same commands as worker.py; answers go to file descriptor 3, because R and what it
# loads write to the first two.
#   Rscript bench/engines/bertr.R 3>&1 1>&2
suppressPackageStartupMessages(library(bertr))

seconds <- function(code) system.time(code)[["elapsed"]]
read_texts <- function(path) readLines(path, encoding = "UTF-8")

# The most memory this process has had
peak_mb <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# The columns label and text
read_rows <- function(path) {
  lines <- read_texts(path)
  at <- regexpr("\t", lines, fixed = TRUE)
  data.frame(label = substr(lines, 1, at - 1), text = substring(lines, at + 1))
}

load_model <- function(folder, google_folder) {
  model <<- bert_load(folder)
  ""
}

embed <- function(file, max_len, out) {
  texts <- read_texts(file)
  spent <- seconds(vectors <- bert_embed(model, texts, pool = "mean", max_len = as.integer(max_len), verbose = FALSE))
  if (out != "-") {
    writeBin(as.vector(t(vectors)), out, size = 4)
  }
  spent
}

# The first epoch builds the graph: the time of an epoch is that of one more. Of the whole call that one is left out.
fit <- function(file, max_len, batch, epochs, pool) {
  rows <- read_rows(file)
  whole <- seconds(
    result <- bert_fit(model, label ~ text, rows, epochs = as.integer(epochs) + 1, batch_size = as.integer(batch),
      learning_rate = 1e-4, max_len = as.integer(max_len), head = bert_head(pool = pool), seed = 1, verbose = FALSE,
      control = bert_control(calibrate = FALSE)) # all rows, as the others
  )
  epoch <- utils::tail(result$history$seconds, 1)
  c(epoch, peak_mb(), whole - epoch)
}

frozen <- function(file, max_len, epochs) {
  rows <- read_rows(file)
  seconds(
    bert_fit(model, label ~ text, rows, train = "head", epochs = as.integer(epochs), batch_size = 32,
      learning_rate = 1e-3, max_len = as.integer(max_len), seed = 1, verbose = FALSE,
      head = bert_head(units = c(256, 256), dropout = 0.5, pool = "mean"), control = bert_control(calibrate = FALSE))
  )
}

commands <- list(load = load_model, embed = embed, fit = fit, frozen = frozen)

answer <- function(fields) {
  tryCatch({
    values <- do.call(commands[[fields[[1]]]], as.list(fields[-1]))
    paste(c("ok", format(values, digits = 10, trim = TRUE)), collapse = "\t")
  }, error = function(e) paste0("error\t", gsub("[\t\n]", " ", conditionMessage(e))))
}

model <- NULL
input <- file("stdin", "r")
output <- file("/dev/fd/3", "w")
repeat {
  line <- readLines(input, 1)
  if (length(line) == 0 || line == "quit") break
  writeLines(answer(strsplit(line, "\t", fixed = TRUE)[[1]]), output)
  flush(output)
}
