"""Apertus (arXiv 2509.14233) in plain PyTorch, with Hugging Face's parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lauter.trainer.batch import Batch, Bounds
from lauter.trainer.loss.cross_entropy import LossTerms
from lauter.trainer.model.cache import KeyValueCache
from lauter.trainer.model.embedding import Embedding
from lauter.trainer.model.kernels import Kernels
from lauter.trainer.model.layer import Layer
from lauter.trainer.model.norm import RMSNorm
from lauter.trainer.model.output import OutputLayer
from lauter.trainer.model.rope import cos_sin, inverse_frequencies
from lauter.trainer.model.shape import ModelShape


class Decoder(nn.Module):
    """Embedding, layers, final norm: all but the projection onto the vocabulary."""

    def __init__(
        self, shape: ModelShape, *, device: torch.device | str | None, dtype: torch.dtype, kernels: Kernels
    ) -> None:
        super().__init__()
        self.embed_tokens = Embedding(shape.vocabulary, shape.hidden, device=device, dtype=dtype)
        self.layers = nn.ModuleList(
            Layer(shape, device=device, dtype=dtype, kernels=kernels) for _ in range(shape.layers)
        )
        self.norm = RMSNorm(shape.hidden, shape.norm_eps, device=device, dtype=dtype, kernels=kernels)
        # Neither parameter nor buffer: `to(bfloat16)` must not round it, `to_empty` must not lose it.
        self.frequencies = inverse_frequencies(shape)

    def forward(self, tokens: Tensor, positions: Tensor, bounds: Bounds, cache: KeyValueCache | None = None) -> Tensor:
        """As `Apertus.hidden_states`."""
        _check(tokens, positions, bounds)
        x = self.embed_tokens(tokens)
        turns = cos_sin(positions, self.frequencies, x.dtype)
        if cache is not None:
            cache.begin(bounds)
        for index, layer in enumerate(self.layers):
            x = layer(x, turns, bounds, None if cache is None else cache.layers[index])
        if cache is not None:
            cache.end()
        return self.norm(x)  # type: ignore[no-any-return]  # modules are untyped


class Apertus(nn.Module):
    """The whole model. Parameters have no meaning until `initialise` or a checkpoint fills them.

    On device "meta" it takes no memory; `to_empty` and either of the two follow. With `kernels="reference"` logits are
    equal to those of transformers' `ApertusForCausalLM` to the bit (CPU, fp32 and bf16); "fast" differs by rounding
    only, in bf16 by about a unit in the last place of every activation.
    """

    def __init__(
        self,
        shape: ModelShape,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        kernels: Kernels = "fast",
    ) -> None:
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape, device=device, dtype=dtype, kernels=kernels)
        self.lm_head = OutputLayer(shape.hidden, shape.vocabulary, device=device, dtype=dtype)

    def hidden_states(
        self, tokens: Tensor, positions: Tensor, bounds: Bounds, cache: KeyValueCache | None = None
    ) -> Tensor:
        """What the last norm gives: shape (T, hidden).

        `tokens` (T,) int64 and `positions` (T,) are packed documents, `bounds` says where they end: no document sees
        another. With a `cache`, document b goes on with its sequence b (see there).

        Raises:
            ValueError: tokens, positions and bounds are not of one length.
        """
        return self.model(tokens, positions, bounds, cache)  # type: ignore[no-any-return]  # modules are untyped

    def forward(self, tokens: Tensor, positions: Tensor, bounds: Bounds, cache: KeyValueCache | None = None) -> Tensor:
        """Logits over the vocabulary, shape (T, vocabulary)."""
        hidden = self.model(tokens, positions, bounds, cache)  # Not `hidden_states`: see `plan.ENTRANCES`.
        return self.lm_head(hidden)  # type: ignore[no-any-return]  # modules are untyped

    def loss(self, batch: Batch, normaliser: float, z_loss: float = 0.0) -> LossTerms:
        """Loss of a micro-batch (see `cross_entropy.linear_cross_entropy`); logits never exist as a whole.

        A method of its own, so that FSDP2's `register_fsdp_forward_method` can wrap it.
        """
        hidden = self.model(batch.tokens, batch.positions, batch.bounds)  # Not `hidden_states`: see `plan.ENTRANCES`.
        weights = batch.weights
        return self.lm_head.loss(hidden, batch.labels, normaliser=normaliser, z_loss=z_loss, weights=weights)

    @torch.no_grad()
    def token_losses(self, batch: Batch) -> Tensor:
        """Cross-entropy of each place without gradients, in nats: shape (T,), fp32 or fp64; 0 without a label."""
        hidden = self.model(batch.tokens, batch.positions, batch.bounds)  # Not `hidden_states`: see `plan.ENTRANCES`.
        return self.lm_head.token_losses(hidden, batch.labels)

    @torch.no_grad()
    def token_hits(self, batch: Batch) -> Tensor:
        """Whether each place's label is the likeliest id: shape (T,), bool; False where nothing is predicted."""
        hidden = self.model(batch.tokens, batch.positions, batch.bounds)  # Not `hidden_states`: see `plan.ENTRANCES`.
        return self.lm_head.token_hits(hidden, batch.labels)


def _check(tokens: Tensor, positions: Tensor, bounds: Bounds) -> None:
    if tokens.dim() != 1 or positions.shape != tokens.shape:
        shapes = f"{tuple(tokens.shape)} and {tuple(positions.shape)}"
        raise ValueError(f"tokens and positions must both have the shape (T,), not {shapes}")
    ends = bounds.cu_seqlens if bounds.part is None else bounds.part.own.cu_seqlens
    # On a GPU the question would wait for all that is queued.
    if ends.device.type == "cpu" and ends[-1].item() != len(tokens):
        raise ValueError(f"the documents' bounds end at {ends[-1].item()} of {len(tokens)} tokens")
