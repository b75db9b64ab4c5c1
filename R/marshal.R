# All values passed to Python or back are converted here, so that cases that fail silently (length-1 vectors, NA, 1-d
# arrays) are handled in one place.

# Texts: list[str]. check_text() has handled NA and invalid UTF-8. A single text must not arrive as a bare str. For many
# texts, passing the vector is much faster than a list.
to_texts <- function(x) {
  if (length(x) == 1) as.list(x) else x
}

# Whole numbers: list[int]
to_ints <- function(x) {
  x <- as.integer(x)
  if (length(x) == 1) as.list(x) else x
}

# None or int
to_int <- function(x) {
  if (!is.null(x)) as.integer(x)
}

# None or float
to_float <- function(x) {
  if (!is.null(x)) as.double(x)
}

# Converts a Python result to plain R: dicts to named lists, arrays without the 1-d `dim` that reticulate leaves. Our
# own objects (Model, Fit) stay handles.
from_py <- function(x) {
  plain(py_convert(x))
}

plain <- function(x) {
  if (is.list(x)) {
    lapply(x, plain)
  } else if (is.atomic(x) && length(dim(x)) == 1) {
    as.vector(x)
  } else {
    x
  }
}

# list[str] arrives as character, but an empty one as list()
as_chr <- function(x) {
  as.character(unlist(x))
}

# A dict of equal-length columns as a tibble
as_columns <- function(x) {
  as_tibble(lapply(x, function(column) unlist(column)))
}

# The spec of a fit (see formula.R) as JSON text for its folder, and back
spec_json <- function(spec) {
  py_json("dumps", lapply(spec, as.list))
}

read_spec <- function(text, folder, call) {
  spec <- tryCatch(py_json("loads", text), error = function(e) NULL)
  if (!is.list(spec)) {
    abort("damaged", "The fit in {.file {folder}} is damaged: bertr.json does not describe what it predicts.",
      "Save or fit it again.", call = call)
  }
  lapply(spec, as_chr)
}

# Columns of equal length as a list of n tibbles; `place` (1 to n) says where each entry goes
split_tibbles <- function(columns, place, n) {
  groups <- structure(as.integer(place), levels = as.character(seq_len(n)), class = "factor")
  parts <- lapply(columns, function(column) unname(split(column, groups)))
  counts <- tabulate(place, n)
  lapply(seq_len(n), function(i) tibble::new_tibble(lapply(parts, `[[`, i), nrow = counts[[i]]))
}
