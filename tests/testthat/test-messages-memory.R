# A device with so little memory that only this number of rows fits, until the caller is done
local_memory <- function(rows, env = parent.frame()) {
  the_model() # so that Python runs
  device <- reticulate::py_run_string("
def limit(rows):
    import tensorflow as tf
    from bertr.kernels.compiled import TrainStep
    from bertr.nn.scorer import GraphRunner

    step, for_tokens = TrainStep.__call__, GraphRunner.for_tokens

    def limited(function):
        def call(*args):
            if len(args[-1]) > rows:
                raise tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating tensor')
            return function(*args)

        return call

    def release():
        TrainStep.__call__, GraphRunner.for_tokens = step, for_tokens

    TrainStep.__call__ = limited(step)
    GraphRunner.for_tokens = lambda self, *args: limited(for_tokens(self, *args))
    return release
", local = TRUE)
  release <- device$limit(as.integer(rows))
  withr::defer(release(), env)
}

test_that("too little memory makes batches smaller, which is said once, or is one sentence", {
  data <- faq(2)
  fit <- function(rows) {
    local_memory(rows)
    bert_fit(bert_load(), label ~ text, data, train = "top:1", epochs = 1, batch_size = 8,
      control = bert_control(calibrate = FALSE), seed = 1, verbose = FALSE)
  }
  model <- bert_load()
  vectors <- NULL
  expect_said({
    fitted <- fit(3)
    local({
      local_memory(3)
      again <- bert_embed(model, rep(data$text, 40), verbose = FALSE)
      vectors <<- bert_embed(model, data$text, verbose = FALSE)
    })
    fit(0)
    local({
      local_memory(0)
      bert_embed(bert_load(), data$text, verbose = FALSE)
    })
  })
  expect_equal(vectors, bert_embed(bert_load(), data$text, verbose = FALSE), tolerance = 1e-5)
})
