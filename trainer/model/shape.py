"""The shape of an Apertus model: the numbers from which every tensor follows, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """Llama 3.1's stretching of slow frequencies (the `llama3` rope type of transformers)."""

    factor: float = 8.0
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0
    original_positions: int = 8192


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Apertus, arXiv 2509.14233 section 2.1 and table 1. Untied embeddings, no biases, no dropout."""

    layers: int
    hidden: int
    feed_forward: int
    """Width of the MLP, which has no gate."""
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    positions: int
    """The longest context the model is meant for (`max_position_embeddings`)."""
    rope_theta: float = 500_000.0
    rope_scaling: RopeScaling | None = RopeScaling()
    norm_eps: float = 1e-5
    init_std: float = 0.008944
    """0.02 / sqrt(5), the same for both sizes of Apertus."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for a shape that no model can have."""
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})")
        if self.head_dim % 2:
            raise ValueError(f"head_dim ({self.head_dim}) must be even: rotary embeddings turn pairs")

    @property
    def layer_parameters(self) -> int:
        """Of one layer: projections, MLP, two norms, two norms of heads, two scalars of xIELU."""
        attention = 2 * self.hidden * (self.heads + self.kv_heads) * self.head_dim
        return attention + 2 * self.hidden * self.feed_forward + 2 * self.hidden + 2 * self.head_dim + 2

    @property
    def parameters(self) -> int:
        """Of the whole model, both embeddings included."""
        return self.layers * self.layer_parameters + 2 * self.vocabulary * self.hidden + self.hidden

    @property
    def non_embedding_parameters(self) -> int:
        """Without the two matrices of the vocabulary."""
        return self.parameters - 2 * self.vocabulary * self.hidden

    def flop_per_token(self, context: int) -> int:
        """Floating-point operations of one token, forward and backward, at a mean attended length of context / 2.

        6 a weight that multiplies (the input embedding does not), and 12 x layers x width x context / 2 for causal
        attention (arXiv 2204.02311, appendix B).
        """
        return (
            6 * (self.parameters - self.vocabulary * self.hidden)
            + 6 * self.layers * (self.heads * self.head_dim) * context
        )
