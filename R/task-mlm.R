# Continued pre-training on the user's texts: masked words, and for two columns next-sentence prediction. There is no
# left-hand side, so the outcome is the same value for all rows.
task_mlm <- function() {
  new_task(
    expects = "nothing, as in ~ text",
    accepts = function(lhs, data) is.null(lhs),
    spec = function(lhs, data) list(),
    outcome = function(spec, data, arg, call) rep(TRUE, nrow(data)),
    settle = function(spec, outcome, say, call) list(spec = spec, outcome = outcome),
    match = function(spec, outcome) outcome,
    says = function(spec) if (length(spec$text) == 2) "masked words and next sentences" else "masked words",
    strata = as.integer,
    target = function(spec, outcome) list(pairs = length(spec$text) == 2),
    instead = "bert_fill_mask"
  )
}
