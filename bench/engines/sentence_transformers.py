"""sentence-transformers with its own sorting and batches of 32, mean pooling, no normalisation."""

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

from engines.files import THREADS

torch.set_num_threads(THREADS)


class Engine:
    def load(self, folder, google_folder):
        encoder = Transformer(folder)
        self.model = SentenceTransformer(
            modules=[encoder, Pooling(encoder.get_word_embedding_dimension(), "mean")], device="cpu"
        )

    def embed(self, texts, max_len):
        self.model.max_seq_length = max_len
        return self.model.encode(texts, show_progress_bar=False)
