"""The tasks, found by name. A new one needs a file and an entry here."""

from typing import TYPE_CHECKING

from ..errors import BertrError
from .classification import Classification
from .entities.task import Entities
from .mlm.task import MaskedLanguage
from .multilabel import MultiLabel
from .regression import Regression
from .relations.task import Relations
from .span.task import Span

if TYPE_CHECKING:
    from .base import Task

TASKS = {
    task.name: task for task in (Classification, MultiLabel, Regression, Entities, Span, Relations, MaskedLanguage)
}


def find_task(name: str) -> "type[Task]":
    """The class of the task with this name.

    Raises:
        BertrError: task.
    """
    if name not in TASKS:
        raise BertrError("task", f"There is no task '{name}'.", "Known: " + ", ".join(TASKS) + ".")
    return TASKS[name]
