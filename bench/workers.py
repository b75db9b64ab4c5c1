"""A peer's process, seen from outside: commands go in, answers come out."""

import contextlib
import os
import re
import subprocess

from environments import HERE, python_of

ENVIRONMENT_OF = {
    "hf_tutorial": "torch",
    "hf_sorted": "torch",
    "hf_budget": "torch",
    "hf_onednn": "torch",
    "sentence_transformers": "torch",
    "onnxruntime": "torch",
    "openvino": "torch",
    "tokenizers_fast": "torch",
    "keras_hub": "keras",
    "keras_bert": "keras_bert",
    "tf_bert": "tf_bert",
}


class PeerError(Exception):
    """A peer could not do it."""


def environment(bertr_python, work):
    """Environment variables of every process of the benchmark."""
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "KERAS_HOME": os.path.join(work, "keras"),
    }
    return {
        **os.environ,
        **quiet,
        "RETICULATE_PYTHON": bertr_python,
        "PYTHONPATH": os.path.join(os.path.dirname(HERE), "inst", "python"),
    }


def command_of(engine, bertr_python):
    """`bertr` is R, `bertr_python` what R has no function for."""
    if engine == "bertr":  # the answers go where nothing else is written
        return ["sh", "-c", 'exec Rscript "$0" 3>&1 1>&2', os.path.join(HERE, "engines", "bertr.R")]
    python = bertr_python if engine == "bertr_python" else python_of(ENVIRONMENT_OF[engine])
    return [python, os.path.join(HERE, "engines", "worker.py"), engine.removesuffix("_python")]


class Worker:
    def __init__(self, engine, bertr_python, work, log):
        self.engine = engine
        with open(log, "w") as f:
            self.process = subprocess.Popen(
                command_of(engine, bertr_python),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=f,
                text=True,
                encoding="utf-8",
                env=environment(bertr_python, work),
            )

    def ask(self, *fields):
        """The values of the answer."""
        try:
            print(*fields, sep="\t", file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline().rstrip("\n").split("\t")
        except BrokenPipeError:
            answer = [""]
        if answer[0] != "ok":
            raise PeerError(answer[1] if len(answer) > 1 else "the process ended")
        return answer[1:]

    def forget_peak(self):
        """From here on counts what `peak_mb` says: not what loading took, which some do in several ways."""
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/clear_refs", "w") as f:
            f.write("5")

    def peak_mb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) / 1024

    def quit(self):
        with contextlib.suppress(BrokenPipeError):
            print("quit", file=self.process.stdin, flush=True)
            self.process.stdin.close()
        self.process.wait()
