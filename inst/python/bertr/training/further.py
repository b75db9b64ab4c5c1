"""Training the head of a fit further, if the new fit predicts the same."""

from typing import TYPE_CHECKING, Any

from ..errors import BertrError
from ..nn.heads import DenseHead, PrototypeHead
from ..tasks import find_task

if TYPE_CHECKING:
    from ..model import Fit
    from ..nn.network import Network

OF_CONTROL = ("long", "threshold", "calibrate", "whole_words")  # head options that bert_control() sets
NOTE = "Training started from the head of the given fit, which predicts the same."


def options_of(start: "Fit", task_name: str, target: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    """The head options of a fit whose head can be trained further.

    Args:
        start: a Fit.
        task_name: a name in `tasks.TASKS`.
        target: the training target, see the task's class.
        given: dict of head options, of which those of bert_control() count.

    Returns:
        A dict for `read_head_options`; None if the fit has another task, or other labels, or if its head cannot learn
        these outcomes.
    """
    if start.task.name != task_name or not isinstance(start.network.head, (DenseHead, PrototypeHead)):
        return None
    options = {**start.head_options, **{name: given.get(name) for name in OF_CONTROL}}
    try:
        task = find_task(task_name).from_target(target, options)
    except BertrError:
        return None
    return options if task.outputs_of(start.task) else None


def start_from(network: "Network", start: "Fit") -> None:
    """Gives a network with the options of `options_of` the weights of the fit's head."""
    network.head.start_from(start.network.head, *network.task.outputs_of(start.task))
    if network.join and start.network.join:
        network.join.set_weights(start.network.join.get_weights())
    network.started = True
