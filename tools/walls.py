"""Checks which packages of `inst/python/bertr` import which: prints the imports, and fails if one is not allowed.

    python tools/walls.py

Paths are relative to the root of the repository.
"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parent.parent / "inst" / "python" / "bertr"
# root modules that are independent of BERT: checks of plain data, messages, progress, files
PLAIN = {"access", "errors", "events", "interrupts", "notes", "replace", "safetensors_file", "shapes"}
MAY = {  # package, or root module -> what it may import
    "text": {"errors"},
    "kernels": {"errors"},
    "checkpoints": {"text", *PLAIN},
    "nn": {"kernels", "text", "notes", "errors"},
    "families": {"checkpoints", "nn", "text", "shapes", "errors"},
    "tasks": {"nn", "kernels", "text", *PLAIN},
    "similarity": set(),
    "zero_shot": {"tasks"},
    "model": {"families", "checkpoints", "nn", "text", "notes", "errors"},
    "features": {"nn", "errors"},
    "keras_layer": {"model", "families", "checkpoints", "nn", "kernels", "errors"},
    "explain": {"nn", "kernels", "tasks", "text", "errors"},
    "manifest": {"model", "families", "checkpoints", "nn", "tasks", "shapes"},
    "task_models": {"model", "checkpoints", "nn", "tasks", "errors"},
    "store": {"manifest", "task_models", "model", "families", "checkpoints", "nn", "tasks", "kernels", *PLAIN},
    "scoring": {"store", "model", "features", "tasks", *PLAIN},
    "training": {"store", "manifest", "model", "checkpoints", "nn", "tasks", "kernels", "text", *PLAIN},
}
KNOW_BACKEND = {"kernels", "nn/packing.py"}


def imported(path):
    """The packages and root modules that a file imports."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            names = [base[0]] if base[0] else [alias.name for alias in node.names]
            yield from names


def asks_for_backend(path):
    return re.search(r"keras\.backend\.|\bBACKEND [!=]=", path.read_text())


def main():
    found, broken = {}, []
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT)
        room = where.parts[0].removesuffix(".py")
        others = set(imported(path)) - {room}
        found.setdefault(room, set()).update(others)
        broken += [f"{where} imports {other}" for other in sorted(others - MAY.get(room, others))]
        if asks_for_backend(path) and not {room, str(where)} & KNOW_BACKEND:
            broken.append(f"{where} asks which backend runs")
    for room, others in found.items():
        print(f"{room}: {' '.join(sorted(others)) or '-'}")
    print("\n".join(broken), file=sys.stderr)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
