"""A run saved in a folder after every epoch: when the same run is started again, it resumes from there.

Arrays are safetensors, the rest is JSON. Both are written to temporary names and renamed, the JSON last. It names the
file of the arrays, so the folder holds a complete epoch whenever the process dies.
"""

import contextlib
import glob
import hashlib
import json
import os
import tempfile
from typing import Any

import numpy as np

from ..access import reason, unreadable
from ..errors import BertrError
from ..manifest import RUN_FILE
from ..replace import drop_lock, take_lock
from ..safetensors_file import load_tensors, save_tensors
from ..shapes import FIGURE, TEXT, both, check, fields, list_of, matching, number, plain, table_of, whole

FORMAT = 1
BEST = plain(
    "an epoch and its score",
    lambda x: (
        isinstance(x, list) and len(x) == 2 and whole()(x[0], "") is None and list_of(FIGURE, least=1)(x[1], "") is None
    ),
)
EPOCHS = plain(
    "a history of its epochs",
    lambda facts: (
        facts.get("best", [0])[0] <= facts["epoch"]
        and all(len(column) == facts["epoch"] for column in facts["history"].values())
    ),
)
HISTORY = both(table_of(list_of(FIGURE)), fields({"epoch": list_of(whole(1))}))
BITS = whole(most=2**128 - 1)
RNG = fields(
    {
        "bit_generator": TEXT,
        "state": fields({"state": BITS, "inc": BITS}),
        "has_uint32": whole(0, 1),
        "uinteger": whole(0, 2**32 - 1),
    }
)  # numpy's field names
SHAPE = fields(
    {
        "identity": fields({"seed": whole()}),
        "numbers": matching(r"epoch-\d+\.safetensors", "the name of its file"),
        "facts": both(
            fields(
                {"epoch": whole(1), "steps": whole(1), "history": HISTORY, "rng": RNG},
                {"decayed": number(), "best": BEST},
            ),
            EPOCHS,
        ),
    }
)
ANEW = "Delete the folder to start over."


class RunFolder:
    """`identity`: dict of plain data that identifies the run; a folder with another run is refused."""

    def __init__(self, folder: str, identity: dict[str, Any]):
        self.folder = _full(folder)
        self.identity = json.loads(json.dumps(identity))
        self.lost = None  # why the last epoch could not be saved
        _check_folder(self.folder)
        try:  # fail now rather than after the first epoch
            os.makedirs(self.folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):  # without a name that another fit in this folder may write
                pass
        except OSError as e:
            raise self._unwritten(e) from None

    def __enter__(self):
        """Locks the folder until `__exit__` or the end of the process."""
        while True:
            try:
                self.lock = take_lock(self.folder, needed=False)
                return self
            except FileNotFoundError:  # the last owner has just deleted the lock
                os.makedirs(self.folder, exist_ok=True)
            except (BlockingIOError, PermissionError) as e:
                if isinstance(e, PermissionError) and os.name != "nt":  # a lock of another user
                    raise self._unwritten(e) from None
                raise BertrError(
                    "checkpoint",
                    f"Another fit is using the folder '{self.folder}'.",
                    "Wait until it has finished, or choose another folder.",
                ) from None
            except OSError as e:
                raise self._unwritten(e) from None

    def __exit__(self, *_):
        drop_lock(self.folder, self.lock)

    def _unwritten(self, error):
        return BertrError(
            "checkpoint",
            f"The checkpoint in '{self.folder}' could not be written: {reason(error)}.",
            "Choose another folder or free some space.",
        )

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """(facts, {name: array}) of the last complete epoch, or None."""
        saved = _read_meta(self.folder)
        if saved is None:
            return None
        mine, theirs = self.identity, saved["identity"]
        other = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        if other == ["epochs"] and isinstance(theirs.get("epochs"), int):
            self._check_epochs(theirs["epochs"], saved["facts"]["epoch"])
        elif other:
            raise BertrError(
                "checkpoint",
                f"'{self.folder}' holds another run: it differs in {', '.join(other)}.",
                "Choose another folder, or delete this one to start over. Only `epochs` may change, and "
                'only with schedule = "constant".',
            )
        try:
            return saved["facts"], load_tensors(os.path.join(self.folder, saved["numbers"]))
        except Exception as e:
            raise _damaged(self.folder, e) from None

    def _check_epochs(self, planned, done):
        """Checks whether the run can have another number of epochs than planned. Only with the constant schedule, whose
        learning rates do not depend on that number; the warmup stays as it was."""
        epochs = self.identity["epochs"]
        if self.identity["schedule"] != "constant":
            raise BertrError(
                "checkpoint",
                f"The run in '{self.folder}' was planned for {planned} epochs, and its "
                f"learning rate depends on that; it cannot have {epochs}.",
                f"Give epochs = {planned} as before, or start over in another folder; only with schedule "
                '= "constant" can a run get more epochs later.',
            )
        if epochs < done:
            raise BertrError(
                "checkpoint",
                f"The run in '{self.folder}' already has {done} epochs; it cannot have {epochs}.",
                f"Give at least epochs = {done}.",
            )

    def write(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Replaces the saved epoch. If that fails, the run continues, and `lost` says why."""
        numbers = f"epoch-{facts['epoch']}.safetensors"
        meta = {"format": FORMAT, "identity": self.identity, "numbers": numbers, "facts": facts}
        try:
            self._put(numbers, lambda path: save_tensors(arrays, path))
            self._put(RUN_FILE, lambda path: _write_json(path, meta))
            for old in glob.glob(os.path.join(glob.escape(self.folder), "epoch-*.safetensors*")):
                if os.path.basename(old) != numbers:
                    os.remove(old)
            self.lost = None
        except Exception as e:  # whatever it is, the training continues
            self.lost = reason(e)

    def _put(self, name, write):
        path = os.path.join(self.folder, name)
        write(path + ".new")
        with open(path + ".new", "rb+") as f:
            os.fsync(f.fileno())
        os.replace(path + ".new", path)


def epoch_folder(folder: str, epoch: int) -> str:
    """The folder of an epoch's fit with `keep = "all"`."""
    return os.path.join(_full(folder), f"epoch-{epoch:03d}")


def share_encoder(folder: str, epoch: int) -> None:
    """Hard-links an epoch's encoder file to that of the epoch before, which is the same, if the file system can."""
    mine, before = (os.path.join(epoch_folder(folder, e), "model.safetensors") for e in (epoch, epoch - 1))
    with contextlib.suppress(OSError):
        os.link(before, mine + ".link")
        os.replace(mine + ".link", mine)


def kept_seed(folder: str) -> int | None:
    """The seed of the run in a folder, or None: a resumed run needs the same seed."""
    saved = _read_meta(_full(folder))
    return saved and saved["identity"]["seed"]


def digest(*values: Any) -> str:
    """A checksum of texts, numbers, arrays, and lists and dicts of them."""
    out = hashlib.sha256()
    _feed(out, values)
    return out.hexdigest()


def _feed(out, value):
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        out.update(f"list {len(value)}\n".encode())
        for part in value:
            _feed(out, part)
    elif isinstance(value, np.ndarray):
        out.update(f"array {value.dtype} {value.shape}\n".encode())
        out.update(np.ascontiguousarray(value))
    else:
        out.update(f"{type(value).__name__} {value!r}\n".encode("utf-8", "surrogatepass"))


def _full(folder):
    return os.path.abspath(os.path.expanduser(folder))


def _read_meta(folder):
    _check_folder(folder)
    path = os.path.join(folder, RUN_FILE)
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as f:
            saved = json.load(f)
        if saved["format"] == FORMAT:
            return check(saved, SHAPE, f"'{path}'", ANEW)
    except BertrError:
        raise
    except Exception as e:
        raise _damaged(folder, e) from None
    raise BertrError(
        "checkpoint",
        f"The run in '{folder}' was saved by another version of bertr.",
        "Choose another folder, or delete this one to start over.",
    )


def _check_folder(folder):
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise BertrError(
            "checkpoint",
            f"'{folder}' is a file, not a folder for checkpoints.",
            "Give a folder; it need not exist yet.",
        )


def _write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def _damaged(folder, error):
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return unreadable(error.filename or folder, error)
    return BertrError("damaged", f"The run in '{folder}' could not be read: {reason(error)}.", ANEW)
