# The arguments of a torture script: [TRIALS] [SEED]. Sets the seed, prints both and gives the number of trials.
begin <- function(trials, what) {
  values <- as.integer(commandArgs(TRUE))
  trials <- c(values, trials)[[1]]
  seed <- if (length(values) > 1) values[[2]] else sample.int(1e6, 1)
  set.seed(seed)
  cat(trials, paste0(what, ","), "seed", seed, "\n")
  trials
}
