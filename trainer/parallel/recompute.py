"""Activation checkpointing (Chen et al., arXiv 1604.06174): compute again in the backward pass, not keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lauter.trainer.model.layer import Layer


def recompute(layer: Layer, mode: Literal["none", "selective", "full"]) -> None:
    """Make a layer drop what it can compute again; its gradients stay the same to the bit.

    `selective`: what is inside its MLP, which in Apertus is 2 x 5.25 of about 18 widths a token, for the first of its
    products once more: 5.25 of 39 parts of a layer's operations, 13 %. `full`: all but the layer's input, for one more
    forward pass, 33 %. The names of parameters stay as they are.
    """
    if mode == "selective":
        layer.mlp.forward = again(layer.mlp.forward)  # type: ignore[method-assign]
    elif mode == "full":
        layer.forward = again(layer.forward)  # type: ignore[method-assign]


def again(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`forward`, of which only the arguments are kept for the backward pass."""

    def forward_again(*arguments: Any) -> Tensor:  # noqa: ANN401 - whatever the forward takes
        # No dropout anywhere: the state of random numbers need not be kept.
        found: Tensor = checkpoint(forward, *arguments, use_reentrant=False, preserve_rng_state=False)
        return found

    return forward_again
