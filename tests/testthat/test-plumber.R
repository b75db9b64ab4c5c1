# The server of inst/examples/plumber.R in another process, asked with curl

start_server <- function(folder, port, env = parent.frame()) {
  script <- system.file("examples/plumber.R", package = "bertr")
  log <- withr::local_tempfile(.local_envir = env)
  settings <- callr::rscript_process_options(script = script, cmdargs = c(folder, port), stdout = log, stderr = "2>&1")
  server <- callr::rscript_process$new(settings)
  withr::defer(server$kill(), env)
  list(process = server, said = function() readLines(log, warn = FALSE))
}

free_port <- function() {
  for (port in sample(20000:60000, 20)) {
    socket <- tryCatch(suppressWarnings(serverSocket(port)), error = function(e) NULL)
    if (!is.null(socket)) {
      close(socket)
      return(port)
    }
  }
}

wait_until <- function(done, seconds = 120) {
  end <- Sys.time() + seconds
  while (!done() && Sys.time() < end) {
    Sys.sleep(0.1)
  }
  done()
}

# The status and the JSON of the answers to requests that are sent at the same time
ask <- function(port, bodies) {
  folder <- withr::local_tempdir()
  files <- file.path(folder, seq_along(bodies))
  for (k in seq_along(bodies)) {
    writeBin(if (is.raw(bodies[[k]])) bodies[[k]] else charToRaw(enc2utf8(bodies[[k]])), files[[k]])
  }
  url <- paste0("http://127.0.0.1:", port, "/predict")
  curl <- "curl -s -m 60 -o %s.out -w '%%{http_code}' --data-binary @%s %s > %s.code &"
  curl <- sprintf(curl, files, files, url, files)
  system(paste(c(curl, "wait"), collapse = "\n"))
  lapply(files, function(file) {
    list(status = readLines(paste0(file, ".code"), warn = FALSE), json = jsonlite::fromJSON(paste0(file, ".out")))
  })
}

test_that("the server answers as bert_predict() does, also many at a time, and says what is wrong with a request", {
  skip_on_cran()
  skip_on_os("windows")
  skip_if_not_installed("plumber")
  skip_if(Sys.which("curl") == "")
  folder <- withr::local_tempfile()
  bert_save(the_fit(), folder)
  port <- free_port()
  server <- start_server(folder, port)
  expect_true(wait_until(function() !server$process$is_alive() || any(grepl("Running plumber", server$said()))))

  texts <- c("Where is my card?", "An\u00fcl\u00e9 mon virement \U0001F600", "Cancel it \"now\", please.")
  bodies <- c(lapply(texts, function(text) jsonlite::toJSON(list(text = text))), jsonlite::toJSON(list(text = texts)))
  answers <- ask(port, rep(bodies, 3))
  expect_identical(unique(vapply(answers, `[[`, "", "status")), "200")
  expected <- as.data.frame(bert_predict(the_fit(), texts))
  expected$.pred_class <- as.character(expected$.pred_class)
  for (k in seq_along(answers)) {
    rows <- list(1, 2, 3, 1:3)[[(k - 1) %% 4 + 1]]
    given <- answers[[k]]$json
    expect_identical(given$.pred_class, expected$.pred_class[rows])
    # not to the last digit: the server has scored less, and until a process has scored many tokens it uses a graph that
    # rounds differently
    expect_lt(max(abs(as.matrix(given[-1]) - as.matrix(expected[rows, -1]))), 1e-6)
  }

  bad <- list(
    '{"text": ["a"', "", charToRaw('{"text": "caf\xe9"}'), # no JSON
    "[1, 2]", '{"txt": "a"}', '"text"', # no such field
    '{"text": 5}', '{"text": []}', '{"text": [["a", "b"]]}', '{"text": {"a": "b"}}', # no strings
    '{"text": ["Why?", " \\n"]}', '{"text": ["Why?", null]}' # empty
  )
  answers <- ask(port, bad)
  expect_identical(unique(vapply(answers, `[[`, "", "status")), "400")
  said <- vapply(answers, function(answer) answer$json$error, "")
  expect_identical(said, rep(c("The request is not valid JSON.", "The request must be an object with \"text\" in it.",
    "Each field must hold a string or an array of strings, as many as the others.", "Text 2 is empty."), c(3, 3, 4, 2)))
  expect_true(server$process$is_alive())

  second <- start_server(folder, port)
  expect_true(wait_until(function() !second$process$is_alive()))
  expect_identical(second$process$get_exit_status(), 1L)
  errors <- grep("Error", second$said(), value = TRUE)
  expect_identical(errors, paste0("Error: Port ", port, " is taken or not allowed: choose another one."))
})
