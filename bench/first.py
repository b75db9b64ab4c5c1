"""How long a user waits for the first prediction: whole fresh processes that load a model and use it on one text."""

import os
import subprocess
import time

from environments import python_of
from workers import environment

TEXT = "My card has not arrived yet."
SAVE = """
library(bertr)
lines <- readLines("{file}")
rows <- data.frame(label = sub("\\t.*", "", lines), text = sub(".*\\t", "", lines))
fit <- bert_fit(bert_load("{model}"), label ~ text, rows, epochs = 1, verbose = FALSE)
bert_save(fit, "{fit}")
"""
BERTR = 'library(bertr); fit <- bert_load("{fit}"); print(bert_predict(fit, "{text}", verbose = FALSE)$.pred_class)'
HUGGING_FACE = """
import torch
from transformers import AutoTokenizer, BertModel
tokenizer = AutoTokenizer.from_pretrained("{model}")
model = BertModel.from_pretrained("{model}", add_pooling_layer=False).eval()
with torch.inference_mode():
    print(model(**tokenizer("{text}", return_tensors="pt")).last_hidden_state.mean())
"""
SENTENCE_TRANSFORMERS = """
from sentence_transformers import SentenceTransformer
print(SentenceTransformer("{model}", device="cpu").encode("{text}").mean())
"""


def run(command, env):
    """Seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(file, model, folder, rounds, bertr_python, work):
    """Seconds of each by round, after a first one that is not counted, and the load averages."""
    env = environment(bertr_python, work)
    places = {"model": model, "fit": os.path.join(folder, "saved-fit"), "text": TEXT}
    subprocess.run(["Rscript", "-e", SAVE.format(file=file, **places)], check=True, env=env)
    torch = [python_of("torch"), "-c"]
    commands = {
        "bertr": ["Rscript", "-e", BERTR.format(**places)],
        "transformers + torch": [*torch, HUGGING_FACE.format(**places)],
        "sentence_transformers": [*torch, SENTENCE_TRANSFORMERS.format(**places)],
    }
    seconds, loads = {name: [] for name in commands}, []
    for i in range(-1, rounds):
        loads.append(os.getloadavg()[0])
        for name in list(commands) if i % 2 else list(commands)[::-1]:
            spent = run(commands[name], env)
            if i >= 0:
                seconds[name].append(spent)
    return seconds, loads[1:]
