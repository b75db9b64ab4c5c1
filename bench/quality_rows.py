"""Writes the rows that `quality.md` is measured on: OUT/{faq30,banking77,clinc150}/{train,test}.csv.

Training rows are each set's few-example file. Test rows are all other rows of these classes that the sets hold
(validation files, and for faq30 and banking77 the rows of the 20-example file that are not trained on).

    python bench/quality_rows.py DATA OUT      # DATA holds the folders faq30, banking77, clinc150
"""

import csv
import os
import sys

SETS = {
    "faq30": ("faq30/train.csv", ["faq30/valid.csv", "banking77/train_20shot.csv", "banking77/valid.csv"]),
    "banking77": ("banking77/train_10shot.csv", ["banking77/train_20shot.csv", "banking77/valid.csv"]),
    "clinc150": ("clinc150/train_10shot.csv", ["clinc150/valid.csv"]),
}


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return [(row["text"], row["label"]) for row in csv.DictReader(f)]


def write(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows([("text", "label"), *rows])


def key(text):
    return " ".join(text.split())


def main(data, out):
    for name, (train_file, others) in SETS.items():
        train = read(os.path.join(data, train_file))
        labels, seen, test = {label for _, label in train}, {key(text) for text, _ in train}, []
        for text, label in [row for f in others for row in read(os.path.join(data, f))]:
            if label in labels and key(text) not in seen:
                seen.add(key(text))
                test.append((text, label))
        write(os.path.join(out, name, "train.csv"), train)
        write(os.path.join(out, name, "test.csv"), test)
        print(f"{name}: {len(train)} training rows, {len(test)} test rows, {len(labels)} classes")


if __name__ == "__main__":
    main(*sys.argv[1:])
