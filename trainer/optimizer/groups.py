"""Which parameters decay."""

from __future__ import annotations

from torch import Tensor


def decays(name: str, parameter: Tensor) -> bool:
    """True for matrices, the embeddings and the output layer among them.

    Norms, biases and the scalars of xIELU do not decay, as in Apertus's run (swiss-ai/Megatron-LM,
    core/optimizer/__init__.py: no decay for one dimension or fewer, nor for `alpha_p` and `alpha_n`).
    """
    return parameter.ndim > 1 and not name.endswith((".bias", "alpha_p", "alpha_n"))
