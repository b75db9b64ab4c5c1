"""transformers batched exactly as bertr batches, with torch's fused AdamW: the strongest torch we can write."""

from engines.hf import HuggingFace
from engines.order import bucketed, in_tokens


class Engine(HuggingFace):
    scoring = staticmethod(in_tokens)
    training = staticmethod(bucketed)
    adamw = {"fused": True}
