"""Ctrl-C at random moments in a real R console: R lives, nothing is left over, and what is learnt is kept.

    python tests/torture/interrupts.py [TRIALS] [SEED]

R runs in a pseudo-terminal. Every trial calls one verb, gets Ctrl-C after a random time, and then two more calls, one
of which must give its value and the other its error.
"""

import os
import pty
import random
import re
import select
import subprocess
import sys
import time

from arguments import trials_and_seed

SETUP = r"""
options(cli.num_colors = 1, width = 200)
suppressMessages(library(bertr))
faq <- read.csv(system.file("extdata/faq30/train.csv", package = "bertr"))
faq$label <- as.character(faq$label)
few <- faq[faq$label %in% unique(faq$label)[1:3], ]
model <- bert_load()
small <- bert_load(layers = 1)
fit <- bert_fit(small, label ~ text, few, train = "head", epochs = 3, seed = 1, verbose = FALSE)
folder <- file.path(tempdir(), "saved")
bert_save(fit, folder)
trained <- NULL
verbs <- list(
  load = function() bert_load(folder),
  tokenise = function() bert_tokenize(model, rep(faq$text, 20)),
  fit = function() trained <<- bert_fit(small, label ~ text, few, epochs = 40, seed = 1),
  head = function() trained <<- bert_fit(model, label ~ text, few, train = "head", epochs = 3000, seed = 1),
  predict = function() bert_predict(fit, rep(faq$text, 5)),
  embed = function() bert_embed(model, rep(faq$text, 5)),
  save = function() bert_save(fit, folder),
  evaluate = function() bert_evaluate(fit, few[rep(seq_len(nrow(few)), 20), ]),
  similarity = function() bert_similarity(model, rep(faq$text, 3), top = 3)
)
trial <- function(verb) {
  trained <<- NULL
  outcome <- "done"
  tryCatch(
    withCallingHandlers(verbs[[verb]](), warning = function(w) {
      if (inherits(w, "bertr_warning_interrupted")) outcome <<- "partial"
      invokeRestart("muffleWarning")
    }),
    interrupt = function(e) outcome <<- "interrupt",
    bertr_error = function(e) outcome <<- paste("bertr_error", conditionMessage(e)),
    error = function(e) outcome <<- paste("RAW", conditionMessage(e))
  )
  if (outcome == "partial" && nrow(bert_predict(trained, few, verbose = FALSE)) != nrow(few)) outcome <- "RAW no fit"
  cat("\n<<", outcome, ">>\n", sep = "")
}
after <- function() {
  stopped <- function(e) "interrupt"
  value <- tryCatch(bert_count_tokens(model, "a cat"), error = conditionMessage, interrupt = stopped)
  error <- tryCatch(bert_load("/no/such/folder"), error = function(e) class(e)[[1]], interrupt = stopped)
  cat("\n<<", if (identical(as.integer(value), 4L)) "right" else paste("WRONG", value), " ", error, ">>\n", sep = "")
}
cat("<<", "ready>>\n", sep = "")
"""
RIGHT = "right bertr_error_source"
LONGEST = {
    "load": 0.4,
    "tokenise": 0.5,
    "fit": 6,
    "head": 3,
    "predict": 2,
    "embed": 2,
    "save": 0.4,
    "evaluate": 2,
    "similarity": 2,
}  # seconds, about as long as each takes


class Console:
    def __init__(self):
        master, slave = pty.openpty()
        self.terminal, self.text = master, ""
        env = {**os.environ, "TERM": "dumb", "TESTTHAT": ""}
        self.process = subprocess.Popen(
            ["R", "--no-save", "--no-restore", "--quiet", "--no-readline"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
            preexec_fn=_controlling_terminal,
        )
        os.close(slave)

    def send(self, line):
        os.write(self.terminal, (line + "\n").encode())

    def interrupt(self):
        os.write(self.terminal, b"\x03")

    def answer(self, seconds):
        """What stands between << and >>, or None if R is gone or silent for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(r"<<([^\"].*?)>>", self.text, re.S)
            if found:
                self.text = self.text[found.end() :]
                return found[1]
            if not select.select([self.terminal], [], [], 0.2)[0]:
                continue
            try:
                self.text += os.read(self.terminal, 65536).decode("utf-8", "replace")
            except OSError:
                return None
        return None


def _controlling_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def new_console(script):
    console = Console()
    console.send(f'source("{script}")')
    if console.answer(120) != "ready":
        sys.exit("R did not start:\n" + console.text[-2000:])
    return console


def main(trials, seed):
    rng = random.Random(seed)
    print(f"{trials} interrupts, seed {seed}", flush=True)
    script = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"interrupts-{os.getpid()}.R")
    with open(script, "w", encoding="utf-8") as f:
        f.write(SETUP)
    console, counts, failures = new_console(script), {}, []
    for i in range(trials):
        verb = rng.choice(list(LONGEST))
        wait = rng.uniform(0, LONGEST[verb])
        console.send(f'trial("{verb}")')
        time.sleep(wait)
        console.interrupt()
        if rng.random() < 0.2:  # some people press it twice
            time.sleep(rng.uniform(0, 0.3))
            console.interrupt()
        console.send("after()")  # read when the call has ended, or at once if it never began
        outcome = later = console.answer(90)
        if outcome == RIGHT:
            outcome = "before"
        elif outcome is not None:
            later = console.answer(60)
        counts[outcome] = counts.get(outcome, 0) + 1
        if outcome not in ("done", "interrupt", "partial", "before") or later != RIGHT:
            failures.append((i, verb, round(wait, 3), outcome, later))
            print("failed:", *failures[-1], console.text[-500:], flush=True)
            if console.process.poll() is not None:
                console = new_console(script)
    os.remove(script)
    console.send("q('no')")
    print(counts)
    print(f"{trials - len(failures)} passed, {len(failures)} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(*trials_and_seed(300)))
