# Every value that crosses to Python or back is converted here, so that the cases that go wrong silently
# (length-1 vectors, NA, 1-d arrays) are handled in one place.

# Texts: list[str]. NA and invalid UTF-8 were dealt with by check_text(); a single text must not arrive as a bare str,
# and for many texts the vector itself is far faster than a list.
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

# What Python returned, as plain R: dicts as named lists, arrays without the 1-d `dim` that reticulate leaves.
# Objects of ours (Model, Fit) stay handles.
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
