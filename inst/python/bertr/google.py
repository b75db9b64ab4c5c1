"""Reading Google's TensorFlow checkpoints: `bert_config.json`, `bert_model.ckpt.*`, `vocab.txt`."""

import glob
import os

from .config import BertConfig, read_json
from .errors import BertrError
from .vocabulary import guess_lower_case, read_vocab_txt


def missing_files(folder):
    """What a Google checkpoint would still need in this folder."""
    out = [] if os.path.exists(os.path.join(folder, "bert_config.json")) else ["bert_config.json"]
    prefixes = _prefixes(folder)
    if not prefixes:
        out.append("bert_model.ckpt.index")
    if not any(_shards(p) for p in prefixes or [os.path.join(folder, "bert_model.ckpt")]):
        out.append("bert_model.ckpt.data-00000-of-00001")
    return out if os.path.exists(os.path.join(folder, "vocab.txt")) else [*out, "vocab.txt"]


def read_config(folder):
    return BertConfig.from_dict(read_json(os.path.join(folder, "bert_config.json")))


def read_vocab(folder):
    return read_vocab_txt(os.path.join(folder, "vocab.txt"), strip=True)


def tokenizer_settings(folder, vocab):
    """As google-research/bert `tokenization.py`: words of up to 200 characters, special tokens in a text are split."""
    return {"lower_case": guess_lower_case(folder, vocab), "strip_accents": None, "chinese_chars": True,
            "max_word_chars": 200, "keep_special": False, "mode": "wordpiece"}


def recommended(folder):
    """(pooling, max_len): Google's folders recommend neither."""
    return None, None


def open_variables(folder):
    """(format, {variable: shape}, read): the format is "google" (TF1) or "google2" (TF2 object checkpoint)."""
    prefix = _prefix(folder)
    try:
        import tensorflow as tf
    except ImportError:
        raise BertrError("tensorflow", "Google's checkpoint format can only be read with TensorFlow, which this "
                         "Python does not have.", "Install it with bert_install(), or take the Hugging Face files "
                         "of the same model.") from None
    # TensorFlow names damage in many types of exception (DataLoss, OutOfRange, ValueError, RuntimeError)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    except Exception as e:
        raise _damaged(prefix + ".index", e) from None

    def read(variable):
        try:
            return reader.get_tensor(variable)
        except Exception as e:
            raise _damaged(prefix + ".data-*", e) from None

    fmt = "google2" if any(".ATTRIBUTES/" in name for name in shapes) else "google"
    return fmt, shapes, read


def _prefixes(folder):
    return sorted(p.removesuffix(".index") for p in glob.glob(os.path.join(glob.escape(folder), "*.index")))


def _shards(prefix):
    return glob.glob(glob.escape(prefix) + ".data-*-of-*")


def _prefix(folder):
    """The one checkpoint of the folder: `bert_model.ckpt`, or whatever it is called when there is no other."""
    prefixes = [p for p in _prefixes(folder) if _shards(p)]
    named = os.path.join(folder, "bert_model.ckpt")
    if named in prefixes:
        return named
    if len(prefixes) > 1:
        names = ", ".join(os.path.basename(p) for p in prefixes)
        raise BertrError("checkpoint", f"'{folder}' holds {len(prefixes)} checkpoints ({names}) and none is called "
                         "bert_model.ckpt.", "Keep one of them in the folder.")
    return prefixes[0]


def _damaged(path, error):
    first_line = str(error).partition("\n")[0]
    return BertrError("checkpoint", f"'{path}' is damaged or cut short: {first_line}",
                      "Copy the checkpoint folder again.")
