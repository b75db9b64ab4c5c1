"""transformers' TFBertModel in one graph of open shapes, texts of like length in batches of so many tokens."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from transformers import AutoTokenizer, TFBertModel  # noqa: E402

from engines.files import pad  # noqa: E402
from engines.keras_training import mean_pool  # noqa: E402
from engines.order import in_tokens  # noqa: E402

IDS = tf.TensorSpec([None, None], tf.int64)


class Engine:
    def load(self, folder, google_folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        model = TFBertModel.from_pretrained(folder)
        self.call = tf.function(
            lambda ids, mask: mean_pool(model(ids, mask, training=False).last_hidden_state, mask),
            input_signature=[IDS, IDS],
        )

    def embed(self, texts, max_len):
        rows = self.tokenizer(
            texts, truncation=True, max_length=max_len, return_attention_mask=False, return_token_type_ids=False
        )["input_ids"]
        parts, batches = [], in_tokens(np.array([len(r) for r in rows]))
        for some in batches:
            parts.append(self.call(*pad([rows[i] for i in some])).numpy())
        out = np.empty((len(texts), parts[0].shape[1]), np.float32)
        out[np.concatenate(batches)] = np.concatenate(parts)
        return out
