"""A checkpoint as a model to generate with."""

from __future__ import annotations

import torch

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.layout import TOKENIZER
from lauter.trainer.checkpoint.read import Checkpoint, model_shape_of, read_weights, tokenizer_files
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError, text_tokenizer
from lauter.trainer.model.apertus import Apertus


@torch.no_grad()
def load_model(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device | str = "cpu") -> Apertus:
    """The model with the checkpoint's weights, rounded once from fp32; without gradients.

    Raises:
        CheckpointError: weights are missing, too many, or of other sizes than the checkpoint's own shape says.
    """
    with torch.device("meta"):
        model = Apertus(model_shape_of(checkpoint), dtype=dtype)
    model = model.to_empty(device=device).requires_grad_(requires_grad=False)
    due = dict(model.named_parameters())
    for name, weight in read_weights(checkpoint):
        parameter = due.pop(name, None)
        if parameter is None or parameter.shape != weight.shape:
            here = "nothing" if parameter is None else tuple(parameter.shape)
            raise CheckpointError(f"{checkpoint.path}: weight {name} is {tuple(weight.shape)}, its shape says {here}")
        parameter.copy_(weight)
    if due:
        raise CheckpointError(f"{checkpoint.path}: no weight {', '.join(sorted(due)[:3])} ({len(due)} missing)")
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
