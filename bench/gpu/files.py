"""What both engines read and tell."""


def read_texts(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        return f.read().removesuffix("\n").split("\n")


def read_rows(path):
    """Labels and texts of lines "label<TAB>text"."""
    rows = [line.split("\t", 1) for line in read_texts(path)]
    return [label for label, _ in rows], [text for _, text in rows]


def told(engine, embed, texts, epoch, rows, devices):
    return {
        "engine": engine,
        "devices": devices,
        "embed_seconds": embed,
        "texts_per_second": texts / embed,
        "epoch_seconds": epoch,
        "rows_per_second": rows / epoch,
    }
