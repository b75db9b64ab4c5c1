"""The Python environments of the peers, bench/.env/<name>, made from requirements/<name>.txt when these change."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("torch", "keras", "keras_bert", "tf_bert")
SHOWN = (
    "torch transformers tokenizers sentence-transformers onnxruntime onnx openvino tensorflow tensorflow-cpu "
    "keras tf-keras keras-hub keras-bert numpy"
).split()


def python_of(name):
    return os.path.join(HERE, ".env", name, "bin", "python")


def make(name):
    """Fills the environment where that is not done yet."""
    folder, requirements = os.path.join(HERE, ".env", name), os.path.join(HERE, "requirements", name + ".txt")
    stamp, wanted = os.path.join(folder, "made-of.txt"), read(requirements)
    if os.path.exists(stamp) and read(stamp) == wanted:
        return
    print(f"Making the environment {name}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    subprocess.run([python_of(name), "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
    shutil.copy(requirements, stamp)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def versions(python):
    """Name -> version of the packages that matter."""
    out = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True)
    found = {p["name"].lower().replace("_", "-"): p["version"] for p in json.loads(out.stdout)}
    return {name: found[name] for name in SHOWN if name in found}
