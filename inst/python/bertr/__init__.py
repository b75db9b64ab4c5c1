"""bertr: BERT and ALBERT with their tokenizers on Keras 3, driven from R through `bertr.bridge`."""
