"""What each rank of a tensor group holds of every parameter, and what its gradient there is: the plan, as data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from torch.distributed.tensor.placement_types import Placement, Replicate, Shard

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.low_rank import A, B
from lauter.trainer.model.shape import ModelShape


class Piece(Enum):
    """A way to share one parameter."""

    rows = "rows"
    """Some of the outputs: heads, features or ids. The gradient is the whole one of these rows."""
    columns = "columns"
    """Some of the inputs; what the ranks get is added up."""
    copy = "copy"
    """All of it, and the ranks do the same with it: each has the whole gradient, the same to the bit."""
    summed = "summed"
    """All of it, but each rank uses it for its own heads, features or tokens: the gradient is the sum over the ranks.

    Left alone, the copies drift apart without a sign.
    """

    @property
    def placement(self) -> Placement:
        """On the axis of the tensor group."""
        return Shard(0) if self is Piece.rows else Shard(1) if self is Piece.columns else Replicate()


def pieces(shape: ModelShape, section: ParallelSection) -> dict[str, Piece]:
    """Of every parameter; in layers by what comes behind `model.layers.N.`, `.weight` left out."""
    # Between the products each rank has tokens of its own, or all of them.
    between = Piece.summed if section.sequence else Piece.copy
    # Fewer key heads than ranks: everybody has all of them and computes the one that its queries read.
    keys = Piece.rows if shape.kv_heads >= section.tensor else Piece.summed
    return {
        "model.embed_tokens": Piece.rows if section.vocabulary else between,
        "attention_layernorm": between,
        "self_attn.q_proj": Piece.rows,
        "self_attn.k_proj": keys,
        "self_attn.v_proj": keys,
        "self_attn.q_norm": Piece.summed,
        "self_attn.k_norm": Piece.summed,
        "self_attn.o_proj": Piece.columns,
        "feedforward_layernorm": between,
        "mlp.up_proj": Piece.rows,
        "mlp.act_fn.alpha_p": Piece.summed,
        "mlp.act_fn.alpha_n": Piece.summed,
        "mlp.down_proj": Piece.columns,
        "model.norm": between,
        # Every rank computes the loss of all tokens where it has all ids.
        "lm_head": Piece.rows if section.vocabulary else Piece.copy,
    }


def low_rank_pieces(plan: Mapping[str, Piece]) -> dict[str, Piece]:
    """Of the low-rank parts beside the products of `plan`: A has a weight's inputs, B its outputs.

    The other one every rank has whole, and uses with its own part of the weight: its gradient is the sum. So it is with
    both where all ranks have the whole weight and each computes some heads of it.
    """
    found = {}
    for key, weight in plan.items():
        if key.endswith("_proj"):
            found[f"{key}.{A}"] = Piece.columns if weight is Piece.columns else Piece.summed
            found[f"{key}.{B}"] = Piece.rows if weight is Piece.rows else Piece.summed
    return found


def kind(name: str) -> str:
    """A parameter's key in `pieces`.

    >>> kind("model.layers.7.self_attn.q_proj.weight"), kind("lm_head.weight")
    ('self_attn.q_proj', 'lm_head')
    """
    name = name.removesuffix(".weight")
    return name.split(".", 3)[3] if name.startswith("model.layers.") else name


def require_fit(shape: ModelShape, section: ParallelSection, tokens: int) -> None:
    """Before anything is made: whether heads, features, ids and tokens can be shared evenly.

    Args:
        shape: Of the whole model.
        section: How ranks share the work.
        tokens: Of a micro-batch on one rank, those of other ranks of its context group left out.

    Raises:
        ValueError: they can't; every number that does not fit is named.
    """
    ranks = section.tensor
    if ranks == 1:
        return
    wrong = [f"{name} ({size})" for name, size in _sizes(shape, section, tokens) if size % ranks]
    # Each rank's queries must read whole key heads of their own, or all the same one.
    if shape.kv_heads % ranks and ranks % shape.kv_heads:
        wrong.append(f"key heads ({shape.kv_heads}), of which it must be a divisor or a multiple")
    if wrong:
        off = "; parallel.sequence=false shares no tokens" if section.sequence and tokens % ranks else ""
        raise ValueError(f"parallel.tensor {ranks} does not divide {', '.join(wrong)}{off}")


def _sizes(shape: ModelShape, section: ParallelSection, tokens: int) -> list[tuple[str, int]]:
    sizes = [("model heads", shape.heads), ("feed_forward", shape.feed_forward)]
    if section.vocabulary:
        sizes.append(("the vocabulary's ids", shape.vocabulary))
    if section.sequence:
        sizes.append(("the tokens of a micro-batch", tokens))
    return sizes
