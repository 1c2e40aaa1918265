"""Memory of a rank, by part, at the moment of a step when it is fullest."""

from __future__ import annotations

from dataclasses import dataclass

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.loss.cross_entropy import CHUNK_BYTES
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.planner.activations import WIDTH, Activations, Precision, activations
from lauter.trainer.planner.bubble import in_flight
from lauter.trainer.planner.holding import Holding, holding

PARTS = ("weights", "gradients", "optimizer", "activations", "logits", "gathered")
"""Of a step: parameters as they are kept (fp32 shards are their own masters); gradients, summed ones included;
separate masters and the moments of AdEMAMix or AdamW; activations and their gradients; logits of a chunk and the
gradients made with them; weights that FSDP2 gathers, and its buffers."""

_CHUNKS_NARROW = 4
# Up to so many chunks of logits the output layer's gradient is added up in bf16, see `loss.cross_entropy`.


@dataclass(frozen=True, slots=True)
class Work:
    """What a rank does in a step."""

    tokens: int
    """Of a micro-batch, those of other ranks of a context group left out."""
    micro_batches: int
    precision: Precision
    optimizer: OptimizerSection
    fused: bool
    """See `activations`."""
    alone: bool
    """One process without a grid: bf16 weights with fp32 masters, nothing gathered."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one rank."""

    place: int
    """Along the pipeline: the fullest."""
    moment: str
    """When it is fullest: `loss`, `first backward`, `last backward` or `update`."""
    parts: dict[str, int]
    """By `PARTS`, at that moment."""

    @property
    def total(self) -> int:
        """Of tensors; what the process holds before any comes on top (`Hardware.runtime_bytes`)."""
        return sum(self.parts.values())


def memory(shape: ModelShape, section: ParallelSection, work: Work) -> Memory:
    """Of the fullest rank. `section.shard` must be a number.

    Counted are live tensors. An allocator may hold more: glibc's on a CPU held 4 to 7 % more on one process and up to
    1.6 times as much under FSDP2, unless MALLOC_MMAP_THRESHOLD_ has it give each large piece back.

    Raises:
        ValueError: the model can't be cut like this.
    """
    places = sorted({0, section.pipeline // 2, section.pipeline - 1})
    found = [memory_at(shape, section, work, place) for place in places]
    return max(found, key=lambda one: one.total)


def memory_at(shape: ModelShape, section: ParallelSection, work: Work, place: int) -> Memory:
    """Of the ranks at one place along the pipeline."""
    held = holding(shape, section, place)
    kept = activations(shape, section, work.tokens, work.precision, fused=work.fused)
    moments = _alone(shape, held, kept, work) if work.alone else _sharded(shape, section, held, kept, work, place)
    name, parts = max(moments.items(), key=lambda item: sum(item[1].values()))
    return Memory(place, name, {part: parts.get(part, 0) for part in PARTS})


def state_bytes(work: Work) -> tuple[int, int]:
    """Bytes a parameter: as it is kept, and of the optimizer. Moments are fp32, fp64 under fp64."""
    b = WIDTH[work.precision]
    wide = max(b, 4)
    moments = 3 if work.optimizer.name == "ademamix" else 2
    own_master = work.alone and work.precision == "bf16"
    return (b if work.alone else wide), wide * (moments + own_master)


def _alone(shape: ModelShape, held: Holding, kept: Activations, work: Work) -> dict[str, dict[str, int]]:
    """One process. Gradients of a backward pass come layer by layer, from the last, while activations go."""
    b = WIDTH[work.precision]
    weight, optimizer = state_bytes(work)
    # With several micro-batches the sum is in the master's dtype: bf16 gradients come on top of it.
    summed = held.parameters * 4 if work.micro_batches > 1 and b == 2 else 0
    base = {"weights": held.parameters * weight, "optimizer": held.parameters * optimizer, "gradients": summed}
    every, layers = held.parameters * b, held.layers * kept.kept
    loss = _loss(shape, held, kept, work)
    first = held.head * b + held.down_parameters * b
    last = every - held.embedding * b
    return {
        "loss": _plus(base, activations=layers + 3 * kept.state, logits=loss),
        "first backward": _plus(base, activations=layers + kept.again + kept.passing, gradients=first),
        "last backward": _plus(base, activations=kept.kept + kept.again + kept.passing, gradients=last),
        "update": _plus(base, gradients=every if not summed else 0),
    }


def _sharded(
    shape: ModelShape, section: ParallelSection, held: Holding, kept: Activations, work: Work, place: int
) -> dict[str, dict[str, int]]:
    """FSDP2: fp32 shards; copies for the products are gathered layer by layer, in a pipeline for a whole step."""
    b = WIDTH[work.precision]
    wide = max(b, 4)
    weight, optimizer = state_bytes(work)
    assert section.shard is not None
    shards = section.shard * section.context
    own = -(-held.parameters // shards)
    layer, root = held.layer_parameters, held.roots
    base = {"weights": own * weight, "optimizer": own * optimizer}
    loss = _loss(shape, held, kept, work)
    if section.pipeline > 1:
        count = in_flight(section, work.micro_batches, place)
        # torch keeps what a stage received, and what it gave, with each micro-batch.
        layers = round(count * (held.layers * kept.kept + 2 * section.stages_per_rank * kept.state))
        whole = _plus(base, gathered=held.parameters * b, gradients=held.parameters * wide, activations=layers)
        largest = max(layer, root)
        reduced = {"gathered": held.parameters * b + largest * wide, "gradients": held.parameters * wide + own * wide}
        return {
            "loss": _plus(whole, activations=3 * kept.state, logits=loss),
            "first backward": _plus(whole, activations=kept.again + kept.passing, gradients=layer * b),
            "update": _plus(base, **reduced),
        }
    # Gradients of the shards: from the first micro-batch on where there are several.
    sums = own * wide
    layers = held.layers * kept.kept
    # The layer at work and the one that comes next are there; gradients of both, and the buffers in which the first
    # one's gradients are summed in fp32, are there until the second one's are.
    two = (2 * layer * b + layer * b + 2 * layer * wide) if shards > 1 or section.replicate > 1 else 3 * layer * b
    early = sums if work.micro_batches > 1 else 0
    return {
        "loss": _plus(base, activations=layers + 3 * kept.state, logits=loss, gathered=root * b, gradients=early),
        "first backward": _plus(
            base,
            activations=layers + kept.again + kept.passing,
            gradients=early + held.head * b,
            gathered=root * b + two,
        ),
        "last backward": _plus(
            base,
            activations=kept.kept + kept.again + kept.passing,
            gradients=sums + held.head * b,
            gathered=root * b + two,
        ),
        "root reduced": _plus(base, gradients=sums + root * b, gathered=root * b + 2 * root * wide),
        "update": _plus(base, gradients=sums),
    }


def _loss(shape: ModelShape, held: Holding, kept: Activations, work: Work) -> int:
    """What is there while the loss is computed: a chunk of logits, its rows, and both gradients made with it."""
    if not held.head:
        return 0
    b = WIDTH[work.precision]
    ids = held.head // shape.hidden
    rows = min(max(1, CHUNK_BYTES // (ids * b * 16)) * 16, -(-work.tokens // 16) * 16)
    chunk = ids * rows * b
    if not work.fused:
        # Softmax in torch: two copies in fp32.
        chunk += 2 * ids * rows * max(b, 4)
    narrow = b > 2 or work.tokens <= _CHUNKS_NARROW * rows
    return chunk + 2 * rows * shape.hidden * b + held.head * (b if narrow else b + 4)


def _plus(base: dict[str, int], **more: int) -> dict[str, int]:
    return {part: base.get(part, 0) + more.get(part, 0) for part in {**base, **more}}
