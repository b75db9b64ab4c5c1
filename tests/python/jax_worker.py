"""A process whose Keras runs on JAX. It reads lines of JSON, [code, values], runs the code with the list `values`, and
answers with the JSON of what the code leaves in `out`, or with the traceback as a text."""

import ctypes
import json
import os
import signal
import sys
import traceback

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: ends with its parent, also while it computes
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever a library prints is no answer
for line in sys.stdin:
    code, values = json.loads(line)
    names = {"values": values}
    try:
        exec(code, names)
        answer = {"out": names["out"]}
    except Exception:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer), file=answers, flush=True)
