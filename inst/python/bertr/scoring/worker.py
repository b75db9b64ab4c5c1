"""What a Python worker of Spark runs.

Spark sends `on_worker` itself, not its name (see spark.py), so this module imports nothing of bertr: what TensorFlow
reads when it is imported must be set before. bertr and the fit come in an archive.
"""

from collections.abc import Callable, Iterator
from typing import Any

MARK = "<bertr>"  # surrounds a sentence for the user in the text of an error


def on_worker(
    archive: str, plan: str, rest: list[str], settings: dict[str, str]
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A function for `mapInArrow()`: batches of rows to batches with the added columns.

    Args:
        archive: the name of the archive.
        plan: JSON text, see `score` in local.py.
        rest: list of str, the columns to keep.
        settings: environment variables of a worker.
    """

    def run(batches):
        import glob
        import os
        import sys

        from pyspark import SparkFiles, TaskContext

        root = SparkFiles.getRootDirectory()  # with Spark Connect the archive is in a folder of the session in it
        folder, *_ = (
            os.path.abspath(path) for where in ("", "*") for path in glob.glob(os.path.join(root, where, archive))
        )
        if folder not in sys.path:
            sys.path.insert(0, folder)
            os.environ.update(settings)
            context = TaskContext.get()
            gpus = context.resources().get("gpu") if context else None
            if gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus.addresses)
        try:
            from bertr.scoring.archive import open_archive

            columns, text = open_archive(folder, plan)
        except ImportError as e:
            sentence = f"The Python of a Spark worker, '{sys.executable}', cannot import what bertr needs: {e}."
            raise RuntimeError(f"{MARK}{sentence}{MARK}") from None
        for batch in batches:
            added, _ = columns.of([batch[name].to_pylist() for name in text])
            for name in reversed(rest):
                added = added.add_column(0, name, batch[name])
            yield from added.combine_chunks().to_batches()

    return run
