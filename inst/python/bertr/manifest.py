"""Shapes of what bertr saves of models and fits: `bertr.json`, and the JSON in the bytes of a fit."""

from collections.abc import Callable
from typing import Any

from .checkpoints.hub import ORIGIN
from .checkpoints.sentence_modules import POOLING
from .checkpoints.tokenizer_files import SETTINGS, tokenizer_kind
from .families import FAMILIES
from .model import ELSEWHERE
from .nn.heads import ACTIVATIONS
from .shapes import FIGURE, FLAG, TABLE, TEXT, both, fields, list_of, matching, number, one_of, or_null, table_of, whole
from .tasks import TASKS

SCHEDULES = ("linear", "constant", "keras_bert")  # those of training/adamw.py, which stands above this module
RUN_FILE = "run.json"  # of a training run that is saved after every epoch

LENGTH, SHARE = whole(3), number(0, 1)
POOL, POOL_OR_NONE = (matching(pattern, 'a pooling mode, such as "mean"') for pattern in (POOLING, f"none|{POOLING}"))

HEAD = fields(
    optional={  # the result of `read_head_options`
        "units": list_of(whole(1)),
        "activation": one_of(*ACTIVATIONS),
        "dropout": or_null(SHARE),
        "pool": POOL,
        "pair": one_of("joint", "cosine"),
        "link": one_of("identity", "logit"),
        "crf": FLAG,
        "words": one_of("punctuation", "space"),
        "relations": one_of("gplinker", "subject_first"),
        "long": one_of("truncate", "head_tail", "window"),
        "windows": one_of("mean", "max", "attention"),
        "threshold": or_null(SHARE),
        "whole_words": FLAG,
        "calibrate": FLAG,
    }
)

TRAINED = fields(
    {  # the facts of a Fit
        "train": matching(r"all|head|top:\d+", '"all", "head" or "top:k"'),
        "epochs": whole(1),
        "learning_rate": number(0),
        "batch_size": whole(1),
        "seed": whole(),
        "max_len": LENGTH,
        "pool": POOL_OR_NONE,
        "rows": whole(1),
        "valid_rows": whole(),
        "n_truncated": whole(),
        "epochs_done": whole(),
        "interrupted": FLAG,
        "best_epoch": or_null(whole(1)),
        "stopped_early": FLAG,
        "parameters_trained": whole(most=2**53),
        "seconds": number(0),
        "notes": list_of(TEXT),
        "warmup": SHARE,
        "weight_decay": number(0),
        "clip": or_null(number(0)),
        "schedule": one_of(*SCHEDULES),
        "layer_decay": SHARE,
        "accumulate": whole(1),
        "ema": or_null(SHARE),
        "adversarial": or_null(number(0)),
        "early_stopping": or_null(whole(1)),
        "held_rows": whole(),
        "temperature": or_null(number(0)),
    },
    {
        "checkpoint_lost": or_null(TEXT),  # not in the fit of a single epoch
        "calibration_rows": whole(1),  # only in a recalibrated fit
        "devices": or_null(whole(1)),  # not in fits of earlier versions, as the next one
        "precision": one_of("float32", "bfloat16", "float16"),
    },
)

FROM_ELSEWHERE = fields(
    {"train": one_of(ELSEWHERE), "architecture": TEXT, "max_len": LENGTH, "pool": POOL_OR_NONE},
    {"temperature": or_null(number(0)), "calibration_rows": whole(1)},
)


def _facts(value, name):
    elsewhere = isinstance(value, dict) and value.get("train") == ELSEWHERE
    return (FROM_ELSEWHERE if elsewhere else TRAINED)(value, name)


def _columns(value, name):
    """Checks that every column of the history has one number per epoch."""
    facts, history = value["facts"], value["history"]
    done = facts.get("epochs_done", 0)
    if (facts.get("best_epoch") or 0) > done:
        return f"{name}.facts.best_epoch", facts["best_epoch"], f"a number up to {done}"
    for column, values in history.items():
        if len(values) != done:
            return f"{name}.history.{column}", values, f"a list of {done} values"
    return fields({"epoch": list_of(whole(1))} if done else {})(history, f"{name}.history")


FIT = both(
    fields(
        {
            "task": lambda value, name: one_of(*TASKS)(value, name),
            "task_spec": TABLE,
            "head": HEAD,
            "facts": _facts,
            "history": table_of(list_of(FIGURE)),
        }
    ),
    lambda value, name: TASKS[value["task"]].shape(value["task_spec"], f"{name}.task_spec"),
    _columns,
)

META_FILE = fields({"format": whole(1), "spec": TEXT}, {"source": TEXT, "origin": or_null(ORIGIN), "fit": FIT})

_DESCRIBED = {
    "family": lambda value, name: one_of(*FAMILIES)(value, name),
    "config": TABLE,
    "tokenizer": TABLE,
    "pooling": POOL,
    "folder": TEXT,
}
PIECES = fields(
    {"format": whole(1), "spec": TEXT, "fit": FIT, "max_len": LENGTH, "source": TEXT},
    {
        "origin": or_null(ORIGIN),
        "base": fields({**_DESCRIBED, "fingerprint": TEXT}),
        "checkpoint": fields({**_DESCRIBED, "vocab": list_of(TEXT)}, {"spiece": or_null(TEXT)}),
    },
)


def tokenizer_shape(spiece: bytes | None) -> Callable[[Any, str], Any]:
    """The shape of the tokenizer settings of a model with these bytes of its tokenizer, or None."""
    return SETTINGS[tokenizer_kind(spiece)]
