"""bertr: BERT and ALBERT with their tokenizers on Keras 3, driven from R through `bertr.bridge`."""

from . import startup  # noqa: F401 (before any module here imports Keras and with it TensorFlow)
