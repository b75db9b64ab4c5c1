"""bertr: BERT and its WordPiece tokenizer on Keras 3, driven from R through `bertr.bridge`."""
