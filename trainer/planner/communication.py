"""What a rank sends in a step, by axis, and how long that takes."""

from __future__ import annotations

from dataclasses import dataclass

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.planner.activations import WIDTH, Precision
from lauter.trainer.planner.hardware import Hardware
from lauter.trainer.planner.holding import holding


@dataclass(frozen=True, slots=True)
class Messages:
    """Of one axis and one rank, in one step."""

    bytes: int
    """Sent; as many are received."""
    bandwidth: float
    """Bytes/s that such messages have."""
    waits: bool
    """Whether the products wait for them; otherwise they travel while the rank computes."""

    @property
    def seconds(self) -> float:
        """Time on the wire, latency left out."""
        return self.bytes / self.bandwidth


def communication(
    shape: ModelShape,
    section: ParallelSection,
    hardware: Hardware,
    *,
    sequence_length: int,
    micro: int,
    micro_batches: int,
    precision: Precision,
) -> dict[str, Messages]:
    """Bytes by axis: `tensor`, `context`, `shard`, `replicate`, `pipeline`; axes of size 1 are left out.

    Collectives are counted as rings: of n ranks each sends (n - 1) / n of an all-gather's result or a reduce-scatter's
    input, and twice that of an all-reduce.

    - tensor: an all-gather and a reduce-scatter of hidden states around attention and around the MLP, forward and
      backward (arXiv 2205.05198, section 4.2.2), or the all-reduces in their place, which are as many bytes; forward
      once more with full recomputation. The output layer and the embedding once each.
    - context: keys and values of all others forward, and again backward with their gradients in fp32 (`all-gather`,
      `ring`: in bf16 4 times the bytes of one forward pass in all), or queries, keys, values and results swapped both
      ways (`ulysses`).
    - shard: weights gathered before the forward and the backward pass of a layer, gradients reduced in fp32, for each
      micro-batch; in a pipeline once a step. Taken over shard x context ranks.
    - replicate: gradients of the shards in fp32, as often as they are reduced.
    - pipeline: hidden states and their gradients at the borders of stages.

    `section.shard` must be a number.
    """
    assert section.shard is not None
    b, tensor, context = WIDTH[precision], section.tensor, section.context
    tokens = sequence_length * micro // context
    held = holding(shape, section, 0)
    wide = max(b, 4)
    forward_passes = 2 if section.recompute == "full" else 1
    rounds = 1 if section.pipeline > 1 else micro_batches
    shards = section.shard * context
    span = 1
    found: dict[str, Messages] = {}

    def add(axis: str, size: int, sent: float, *, waits: bool) -> None:
        nonlocal span
        if size > 1:
            found[axis] = Messages(round(sent), _bandwidth(hardware, span, size), waits)
        span *= size

    stream = tokens * shape.hidden * b * (tensor - 1) / tensor
    # With `sequence` the two gathers of a layer are made once more in the backward pass (tensor/products.py).
    times = 4 * (forward_passes + 1) + (2 if section.sequence else 0)
    add("tensor", tensor, micro_batches * stream * (held.layers * times + 4), waits=True)
    keys = 2 * shape.kv_heads * shape.head_dim / min(tensor, shape.kv_heads) * tokens * b
    queries = 2 * shape.heads * shape.head_dim / tensor * tokens * b
    if section.context_kind == "ulysses":
        of_layer = (keys + queries) * (context - 1) / context * (forward_passes + 1)
    else:
        # Keys once a pass and once more for the backward one; their gradients travel in fp32.
        of_layer = keys * (context - 1) * (forward_passes + 1 + wide / b)
    add("context", context, micro_batches * held.layers * of_layer, waits=section.context_kind != "ring")
    span //= context  # FSDP2's ranks are those of a context group and of its neighbours.
    gathers = 1 if section.pipeline > 1 else 2
    add("shard", shards, rounds * held.parameters * (gathers * b + wide) * (shards - 1) / shards, waits=False)
    copies = section.replicate
    add("replicate", copies, rounds * held.parameters * wide / shards * 2 * (copies - 1) / copies, waits=False)
    state = tokens * shape.hidden * b / (tensor if section.sequence else 1)
    add("pipeline", section.pipeline, micro_batches * section.stages_per_rank * 2 * state, waits=False)
    return found


def _bandwidth(hardware: Hardware, span: int, size: int) -> float:
    """Of messages among `size` ranks that are `span` apart: within a node, or as the ring's links between nodes allow.

    Ranks of one node share what the ring sends to the next node, each over its own link.
    """
    here = max(1, hardware.per_node // span)
    if size <= here:
        return hardware.inside_bandwidth
    return min(hardware.inside_bandwidth, hardware.between_bandwidth * here)
