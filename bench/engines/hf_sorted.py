"""transformers with texts of like length together, 32 a batch."""

from engines.hf import HuggingFace
from engines.order import bucketed, in_rows


class Engine(HuggingFace):
    scoring = staticmethod(lambda lengths: in_rows(lengths, 32))
    training = staticmethod(bucketed)
    adamw = {"foreach": True}
