"""Prints how many tokens each text of a file has, special ones included, cut at MAX_LEN: JSON.

bench/.env/torch/bin/python bench/token_lengths.py TOKENIZER_JSON MAX_LEN FILE
"""

import json
import sys

import tokenizers

path, max_len, file = sys.argv[1:]
tokenizer = tokenizers.Tokenizer.from_file(path)
tokenizer.enable_truncation(int(max_len))
tokenizer.no_padding()
with open(file, encoding="utf-8", newline="\n") as f:
    texts = [line.rpartition("\t")[2] for line in f.read().removesuffix("\n").split("\n")]
print(json.dumps([len(e) for e in tokenizer.encode_batch_fast(texts)]))
