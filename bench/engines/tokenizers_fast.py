"""The Rust tokenizers without transformers around them, on all cores."""

import os

import numpy as np
import tokenizers


class Engine:
    def load(self, folder, google_folder):
        self.folder = folder

    def tokeniser(self, max_len, offsets):
        tokenizer = tokenizers.Tokenizer.from_file(os.path.join(self.folder, "tokenizer.json"))
        tokenizer.enable_truncation(max_len)
        tokenizer.enable_padding(length=None)
        encode = tokenizer.encode_batch if offsets else tokenizer.encode_batch_fast

        def call(texts, size):
            batches, spans = [], []
            for i in range(0, len(texts), size):
                encoded = encode(texts[i : i + size])
                batches.append(np.array([e.ids for e in encoded], np.int32))
                if offsets:
                    spans.append([e.offsets for e in encoded])
            return batches

        return call
