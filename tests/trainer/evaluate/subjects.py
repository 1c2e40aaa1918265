"""A small model over bytes as a subject, and the same as a checkpoint."""

from __future__ import annotations

from lauter.trainer.evaluate.subject import Subject
from lauter.trainer.model.apertus import Apertus
from tests.trainer.generate.byte_tokenizer import byte_tokenizer, files
from tests.trainer.huggingface.small import TOKENIZER


def subject(model: Apertus) -> Subject:
    """Without a run behind it."""
    told = {"form": "checkpoint", "name": "small", "sha256": "00" * 32}
    return Subject(model, byte_tokenizer(), files(), told, {"tokenizer": TOKENIZER, "data": None, "config": None})
