"""The model's shape from its section of the config."""

from __future__ import annotations

from dataclasses import replace

from lauter.trainer.config.sections import ModelSection
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape

VOCABULARY_MULTIPLE = 128
"""Rows of the embeddings are rounded up to it: kernels of GPUs and of bf16 on CPUs want whole tiles."""


def model_shape(section: ModelSection, ids: int, sequence_length: int) -> ModelShape:
    """The preset with the section's changes, for a tokenizer of so many ids.

    Raises:
        ValueError: the vocabulary is smaller than the tokenizer's, a sequence longer than the model's positions, or
            heads do not fit; the message names the key.
    """
    preset = PRESETS[section.preset]
    vocabulary = section.vocabulary or -(-ids // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    if vocabulary < ids:
        raise ValueError(f"model.vocabulary: {vocabulary} rows, but the tokenizer has {ids} ids")
    changes = section.model_dump(exclude={"preset", "vocabulary"}, exclude_none=True)
    shape = replace(preset, **changes, vocabulary=vocabulary)
    if sequence_length > shape.positions:
        raise ValueError(
            f"data.sequence_length: {sequence_length} is more than the model's {shape.positions} positions; "
            "set model.positions too"
        )
    return shape
