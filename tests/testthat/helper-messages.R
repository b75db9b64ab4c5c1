# The snapshots of test-messages-*.R and test-prints.R show all that bertr says to a user, whole: who changes a wording
# reads it in their diff.

# A snapshot of calls in braces: what they print and say, and each condition's class. With `error` the last one fails.
expect_said <- function(calls, error = TRUE) {
  expect <- list(quote(expect_snapshot), substitute(calls), error = error, transform = same_everywhere,
    cnd_class = TRUE)
  eval(as.call(expect), parent.frame())
}

# Lines without what is otherwise on another machine or with other versions
same_everywhere <- function(lines) {
  python <- if (reticulate::py_available()) reticulate::py_config()$python
  paths <- c(here = getwd(), tmp = tempdir(), model = once$model$info$folder, python = python)
  for (name in names(paths)) {
    for (path in c(normalizePath(paths[[name]]), paths[[name]])) { # links followed or not
      lines <- gsub(path, paste0("<", name, ">"), lines, fixed = TRUE)
    }
  }
  lines <- gsub("<tmp>/file[0-9a-f]+", "<tmp>", lines) # a folder of a test
  version <- as.character(utils::packageVersion("bertr"))
  lines <- sub(paste("newer than the installed", version), "newer than the installed #", lines, fixed = TRUE)
  one_class <- gsub("(<[[:alnum:]_.]+)(/[[:alnum:]_.]+)+>\\s+object", "\\1> object", paste(lines, collapse = "\n"))
  lines <- strsplit(paste0(one_class, "\n"), "\n")[[1]] # newer versions of cli name only the first class
  lines <- sub("infinite or NaN in epoch [0-9]+", "infinite or NaN in epoch #", lines)
  sub("(damaged or cut short|could not be read): .*[.]$", "\\1: #.", lines) # what other packages say of a file
}

# No UTF-8 in any locale
latin1 <- `Encoding<-`("caf\xe9", "bytes")

# bert_fit() checks and says all that it does before it trains, and then does not train
local_no_training <- function(env = parent.frame()) {
  local_binding("run_fit", function(...) invisible(), env)
}

# A folder with a small random BERT or ALBERT without a pooler, in which some files are then replaced, or removed (NULL)
tiny_folder <- function(..., kind = "bert", segments = 2L, env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  model <- live(the_model()) # for the first words of its vocabulary
  make <- reticulate::py_run_string("
def make(folder, model, kind, segments):
    import dataclasses
    import numpy as np
    from bertr.checkpoints.huggingface import write_huggingface
    from bertr.checkpoints.weight_names import PARTS, part, tensor_shapes
    from bertr.families.albert import AlbertConfig
    vocab = model.checkpoint.vocab[:3000]
    config = dataclasses.replace(model.config, vocab_size=3000, hidden_size=8, num_layers=2, num_heads=2,
                                 intermediate_size=16, max_positions=32, num_segments=segments)
    if kind == 'albert':
        config = AlbertConfig(**dataclasses.asdict(config), embedding_size=4)
    rng = np.random.default_rng(1)
    tensors = {name: 0.1 * rng.normal(size=shape).astype(np.float32)
               for name, shape in tensor_shapes(config).items() if part(name) not in PARTS}
    write_huggingface(folder, dataclasses.replace(model.checkpoint, config=config, vocab=vocab, tensors=tensors,
                                                  max_len=32))
", local = TRUE, convert = FALSE)$make
  make(folder, model, kind, segments)
  files <- list(...)
  for (name in names(files)) {
    path <- file.path(folder, name)
    if (is.null(files[[name]])) unlink(path) else writeLines(files[[name]], path, useBytes = TRUE)
  }
  folder
}

# A quick fit of a model
head_fit <- function(model, ..., data = faq()) {
  bert_fit(model, label ~ text, data, ..., train = "head", epochs = 2, seed = 1, verbose = FALSE)
}
