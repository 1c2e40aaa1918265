"""How the ranks of a run share the work."""

from __future__ import annotations

from typing import Literal

from lauter.trainer.config.fields import Positive, Section


class ParallelSection(Section):
    """How ranks share the work: the sizes of five axes, whose product is the number of ranks. One process needs none.

    Micro-batches are read by `replicate` x `shard` ranks; the others share the work on them.
    """

    pipeline: Positive = 1
    """Groups of ranks that each hold some of the layers (pipeline parallel)."""
    replicate: Positive = 1
    """Groups of ranks that each hold the whole of their layers (HSDP); the other ranks of a group share them."""
    shard: Positive | None = None
    """Ranks that share parameters, gradients and moments (FSDP2). Default: what the other axes leave."""
    context: Positive = 1
    """Ranks that share the tokens of a micro-batch (context parallel); FSDP2 shards over them as well."""
    tensor: Positive = 1
    """Ranks that share each product (tensor parallel)."""
    sequence: bool = True
    """With `tensor`: between the products the ranks share the tokens, too (sequence parallel, arXiv 2205.05198)."""
    vocabulary: bool = True
    """With `tensor`: the ranks share embeddings and logits by ids; the loss is computed from the parts."""
    context_kind: Literal["all-gather", "ulysses", "ring"] = "all-gather"
    """How attention sees the tokens of other ranks: keys and values gathered (arXiv 2407.21783, 3.3.2), heads swapped
    for tokens (arXiv 2309.14509), or keys and values passed round (arXiv 2310.01889)."""
    schedule: Literal["gpipe", "1f1b", "interleaved", "interleaved-zero-bubble", "zero-bubble-v", "dual-pipe-v"] = (
        "1f1b"
    )
    """With `pipeline`: the order of forward and backward passes."""
    stages_per_rank: Positive = 1
    """With `pipeline`: runs of layers that each rank holds; 1 with `gpipe` and `1f1b`, 2 with the two of form V."""
    recompute: Literal["none", "selective", "full"] = "none"
    """Activations computed again in the backward pass: of no layer, of its wide MLP only, of whole layers."""
    float8: bool = False
    """Products of the layers in 8-bit floating point: needs torchao and a GPU from H100 or L40 on."""
    compile: bool = False
    """`torch.compile` for each layer; needs a C++ compiler on a CPU."""
