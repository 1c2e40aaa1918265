"""A model of some thousand weights that says anything, with a tokenizer of bytes, for this folder's tests."""

from __future__ import annotations

import functools

import torch

from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from tests.trainer.generate.byte_tokenizer import PLAIN, byte_tokenizer

# As many ids as the tokenizer has; the default system text alone takes 130 of the positions.
SHAPE = ModelShape(2, 32, 64, 4, 2, 8, PLAIN, 2048, init_std=0.3)
TOKENIZER: TextTokenizer = byte_tokenizer()


@functools.cache
def model() -> Apertus:
    """In fp64: what it says depends on nobody else in the batch, to the last bit that can decide."""
    made = Apertus(SHAPE, dtype=torch.float64)
    initialise(made, 3)
    return made.requires_grad_(requires_grad=False)
