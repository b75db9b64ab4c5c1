"""The texts everything is measured on, from real English sets: short.txt, embed.txt, long.txt, fit.tsv,
fit_long.tsv, frozen.tsv.

One text a line. DATA holds a folder a set, with CSV or JSON lines in it.

    python bench/texts.py DATA OUT
"""

import csv
import glob
import json
import os
import random
import re
import sys

# Sets in English; of those in several languages the rows that say so.
SETS = (
    "banking77 clinc150 covid_faq covidqa_long emobank faq30 goemotions jigsaw_mini re3d squadshifts_wiki xquad_en xsid"
).split()
COLUMNS = ("text", "question", "question_1", "question_2", "context")
SHORT, EMBED, LONG, FIT = 50_000, 5_000, 200, 2_000
LONG_TOKENS = 300  # words and marks; BERT makes one token or more of each
SHORT_CHARACTERS = 600  # texts above are papers and paragraphs: for short.txt they are cut into sentences
SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z0-9\"'(])")


def one_line(text):
    return " ".join(text.split())


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as f:
        if path.endswith(".csv"):
            return list(csv.DictReader(f))
        return [json.loads(line) for line in f if line.strip()]


def english_rows(data):
    """Every row of the English sets, in a fixed order."""
    for name in SETS:
        for path in sorted(
            glob.glob(os.path.join(data, name, "*.csv")) + glob.glob(os.path.join(data, name, "*.jsonl"))
        ):
            yield from (row for row in rows_of(path) if row.get("lang", "en") == "en")


def different(texts):
    return list(dict.fromkeys(t for t in map(one_line, texts) if t))


def natural_texts(rows):
    """All different texts as they are."""
    return different(row[c] for row in rows for c in COLUMNS if row.get(c))


def short_texts(texts):
    """Texts, and of long ones the sentences."""
    return different(part for t in texts for part in ([t] if len(t) <= SHORT_CHARACTERS else SENTENCE_END.split(t)))


def repeated(texts, n, rng):
    """`n` texts: all different while there are enough, else every one as often as another, in a random order."""
    out = []
    while len(out) < n:
        out += rng.sample(texts, min(len(texts), n - len(out)))
    return out


def count(text):
    return len(re.findall(r"\w+|[^\w\s]", text))


def long_texts(rows, rng):
    """Documents of more than LONG_TOKENS: stretches of papers, and paragraphs of one article after each other."""
    articles = {}
    for row in rows:
        text = row.get("context") or row.get("text") or ""
        name = row.get("title") or row.get("id") or ""
        articles.setdefault(name, {})[one_line(text)] = None
    out = []
    for paragraphs in articles.values():
        sentences = [s for p in paragraphs for s in SENTENCE_END.split(p)]
        out += stretches(sentences, rng)
    return different(out)


def stretches(sentences, rng):
    """The sentences joined to texts of LONG_TOKENS to twice as many; what is left over is dropped."""
    part, tokens, wanted = [], 0, rng.randint(LONG_TOKENS, 2 * LONG_TOKENS)
    for sentence in sentences:
        part.append(sentence)
        tokens += count(sentence)
        if tokens > wanted:
            yield " ".join(part)
            part, tokens, wanted = [], 0, rng.randint(LONG_TOKENS, 2 * LONG_TOKENS)


def labelled(data):
    """(label, text) rows of goemotions, the first emotion named; of faq30 all training rows."""
    emotions = [
        (row["labels"].split("|")[0], one_line(row["text"]))
        for row in rows_of(os.path.join(data, "goemotions", "train.csv"))
    ]
    questions = [(row["label"], one_line(row["text"])) for row in rows_of(os.path.join(data, "faq30", "train.csv"))]
    return emotions[:FIT], questions


def write(out, name, lines):
    with open(os.path.join(out, name), "w", encoding="utf-8", newline="") as f:
        f.writelines(line + "\n" for line in lines)


def make(data, out):
    """Writes all files, and what is to be known of them as texts.json."""
    os.makedirs(out, exist_ok=True)
    rng = random.Random(1)
    rows = list(english_rows(data))
    texts = natural_texts(rows)
    short, documents = short_texts(texts), long_texts(rows, rng)
    write(out, "short.txt", repeated(short, SHORT, rng))
    write(out, "embed.txt", repeated(texts, EMBED, rng))
    write(out, "long.txt", repeated(documents, LONG, rng))
    emotions, questions = labelled(data)
    write(out, "fit.tsv", map("\t".join, emotions))
    # two classes in turns: what the labels are costs nothing
    write(out, "fit_long.tsv", (f"{'ab'[i % 2]}\t{text}" for i, text in enumerate(documents[:LONG])))
    write(out, "frozen.tsv", map("\t".join, questions))
    facts = {
        "short": {"texts": SHORT, "different": len(short)},
        "embed": {"texts": EMBED, "different": min(len(texts), EMBED)},
        "long": {"texts": LONG, "different": min(len(documents), LONG)},
        "fit": {"texts": len(emotions), "classes": len({label for label, _ in emotions}), "of": "goemotions"},
        "frozen": {"texts": len(questions), "classes": len({label for label, _ in questions}), "of": "faq30"},
    }
    with open(os.path.join(out, "texts.json"), "w", encoding="utf-8") as f:
        json.dump(facts, f, indent=1)
    return facts


if __name__ == "__main__":
    for key, value in make(*sys.argv[1:]).items():
        print(key, value)
