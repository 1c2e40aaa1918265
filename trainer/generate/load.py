"""A checkpoint as a model to generate with."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.layout import TOKENIZER
from lauter.trainer.checkpoint.read import Checkpoint, model_shape_of, read_weights, tokenizer_files
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError, text_tokenizer
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.shape import ModelShape


def load_model(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device | str = "cpu") -> Apertus:
    """The model with the checkpoint's weights, rounded once from fp32; without gradients.

    Raises:
        CheckpointError: weights are missing, too many, or of other sizes than the checkpoint's own shape says.
    """
    try:
        return model_of(model_shape_of(checkpoint), read_weights(checkpoint), dtype, device)
    except UnfitWeights as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error


class UnfitWeights(ValueError):
    """Weights are not those of a model of this shape."""


@torch.no_grad()
def model_of(
    shape: ModelShape, weights: Iterable[tuple[str, Tensor]], dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Apertus:
    """A model with these weights, by parameters' names; without gradients.

    Raises:
        UnfitWeights: weights are missing, too many, or of other sizes than the shape says.
    """
    with torch.device("meta"):
        model = Apertus(shape, dtype=dtype)
    model = model.to_empty(device=device).requires_grad_(requires_grad=False)
    due = dict(model.named_parameters())
    for name, weight in weights:
        parameter = due.pop(name, None)
        if parameter is None or parameter.shape != weight.shape:
            here = "nothing" if parameter is None else tuple(parameter.shape)
            raise UnfitWeights(f"weight {name} is {tuple(weight.shape)}, its shape says {here}")
        parameter.copy_(weight)
    if due:
        raise UnfitWeights(f"no weight {', '.join(sorted(due)[:3])} ({len(due)} missing)")
    return model.eval()


def tokenizer_of(checkpoint: Checkpoint) -> TextTokenizer:
    """The tokenizer that lies in the checkpoint; BOS and EOS are those of its meta.

    Raises:
        TokenizerError: it has none, or it is broken.
        CheckpointError: its files are not those that were saved.
    """
    said = checkpoint.meta["tokenizer"]
    ends = said.get("stops") or [index for index in (said.get("eos"),) if index is not None]
    try:
        return text_tokenizer(tokenizer_files(checkpoint), bos=said.get("bos"), ends=frozenset(ends))
    except TokenizerError as error:
        raise TokenizerError(f"{checkpoint.path / TOKENIZER}: {error}") from error
