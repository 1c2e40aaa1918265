"""A model of 68 thousand weights as a checkpoint, for this folder's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lauter.trainer.checkpoint.read import Checkpoint, write_weights_only
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from tests.trainer.generate.byte_tokenizer import files

SHAPE = ModelShape(2, 48, 96, 6, 2, 8, 384, 256, init_std=0.1)
TOKENIZER = {"digest": "ab" * 32, "bos": 1, "eos": 2, "pad": 3, "ids": 288}


def model(shape: ModelShape = SHAPE, seed: int = 5) -> Apertus:
    """A model whose norms and activations are not at their first values either."""
    made = Apertus(shape)
    initialise(made, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
                assert "norm" in name or "alpha" in name
    return made


def checkpoint(
    folder: Path, made: Apertus, meta: dict[str, Any] | None = None, tokenizer: dict[str, bytes] | None = None
) -> Checkpoint:
    """The model as a checkpoint of weights."""
    told = {"tokenizer": TOKENIZER, **(meta or {})}
    return write_weights_only(
        folder, made.shape, made.named_parameters(), told, files() if tokenizer is None else tokenizer
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of a folder's files."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
