"""One way to lay a run over ranks: from text, checked as the trainer would, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from pydantic import ValidationError

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.parallel.context.split import require_shares
from lauter.trainer.parallel.pipeline.placing import require_micro_batches, require_stages
from lauter.trainer.parallel.tensor.pieces import require_fit
from lauter.trainer.planner.activations import Precision
from lauter.trainer.planner.bubble import bubble_fraction
from lauter.trainer.planner.communication import Messages, communication
from lauter.trainer.planner.flop import Flop, flop
from lauter.trainer.planner.hardware import Hardware
from lauter.trainer.planner.holding import holding
from lauter.trainer.planner.memory import Memory, Work, memory, state_bytes
from lauter.trainer.planner.speed import Speed, derived

SHORT = {"tp": "tensor", "pp": "pipeline", "cp": "context", "dp": "shard", "vpp": "stages_per_rank"}
"""Megatron-LM's names of sizes, as `--layout` takes them too."""

ROOM = 0.92
"""Share of a device's memory that a plan fills: allocators leave gaps, and some buffers of messages are not counted."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained, on what."""

    shape: ModelShape
    precision: Precision
    optimizer: OptimizerSection
    sequence_length: int
    sequences: int
    """Of a step; the most, where the batch size is ramped."""
    asynchronous: bool
    """Whether checkpoints are written while training goes on, from a copy in the host's memory."""
    hardware: Hardware
    ranks: int
    smaller: tuple[int, ...] = ()
    """Sequences of the other steps of a ramp: they decide nothing but whether a layout can run them."""

    @property
    def step_tokens(self) -> int:
        """Of all ranks."""
        return self.sequences * self.sequence_length


@dataclass(frozen=True, slots=True)
class Laid:
    """A layout and what it takes."""

    parallel: ParallelSection
    """`shard` is a number."""
    micro: int
    micro_batches: int
    memory: Memory
    snapshot_bytes: int
    """In the host's memory, for asynchronous saves; on a CPU that is the rank's own."""
    bubble: float
    flop: Flop
    messages: dict[str, Messages]
    speed: Speed
    total_bytes: int
    """Of the device: tensors, what the process holds besides, and on a CPU the snapshot."""
    fits: bool


def parsed(text: str, base: ParallelSection) -> tuple[ParallelSection, int | None]:
    """`tensor=4,pipeline=8,…` (or `tp=4,pp=8`) on top of a config's layout, whose sizes it replaces; and `micro`.

    `stages_per_rank` above 1 means the schedule "interleaved" unless one is named.

    Raises:
        ValueError: an unknown key, or a value that it can't have.

    >>> parsed("tp=4,pp=8,vpp=5", ParallelSection(shard=2))[0].schedule
    'interleaved'
    """
    sizes = {"pipeline": 1, "replicate": 1, "shard": None, "context": 1, "tensor": 1, "stages_per_rank": 1}
    found: dict[str, object] = {**base.model_dump(), **sizes, "schedule": "1f1b"}
    micro: int | None = None
    for item in filter(None, text.replace(" ", "").split(",")):
        key, equals, value = item.partition("=")
        key = SHORT.get(key, key)
        if not equals or (key != "micro" and key not in ParallelSection.model_fields):
            known = ", ".join([*ParallelSection.model_fields, "micro", *SHORT])
            raise ValueError(f"--layout: {item!r} is no key=value of these: {known}")
        plain: object = int(value) if value.isdecimal() else {"true": True, "false": False}.get(value, value)
        if key == "micro":
            if not isinstance(plain, int) or plain < 1:
                raise ValueError(f"--layout: micro must be a whole number from 1 on, not {value!r}")
            micro = plain
        else:
            found[key] = plain
    if found["stages_per_rank"] != 1 and "schedule=" not in text:
        found["schedule"] = "interleaved"
    try:
        return ParallelSection.model_validate(found), micro
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ValueError(f"--layout: {wrong}") from error


def lay(job: Job, parallel: ParallelSection, micro: int) -> Laid:
    """What a layout takes.

    Raises:
        ValueError: it can't be run, and why: the words of the trainer, which would refuse it too.
    """
    others = parallel.pipeline * parallel.replicate * parallel.context * parallel.tensor
    shard = parallel.shard or max(job.ranks // others, 1)
    if others * shard != job.ranks:
        raise ValueError(f"{job.ranks} ranks are not the product of the layout's axes, {others * shard}; see --ranks")
    parallel = parallel.model_copy(update={"shard": shard})
    readers = micro * parallel.replicate * shard
    for sequences in (job.sequences, *job.smaller):
        if sequences % readers:
            raise ValueError(
                f"{sequences} sequences a step are no multiple of batch.micro ({micro}) x {readers // micro} ranks "
                "that read data"
            )
    micro_batches = job.sequences // readers
    tokens = micro * job.sequence_length
    counts_of_steps = [sequences // readers for sequences in (job.sequences, *job.smaller)]
    for check in _checks(job.shape, parallel, tokens, counts_of_steps):
        check()
    fused = parallel.compile or (job.hardware.name == "cpu" and job.precision != "fp64")
    work = Work(
        tokens=tokens // parallel.context,
        micro_batches=micro_batches,
        precision=job.precision,
        optimizer=job.optimizer,
        fused=fused,
        alone=job.ranks == 1,
    )
    needed = memory(job.shape, parallel, work)
    snapshot = _snapshot_bytes(job, parallel, work)
    on_cpu = job.hardware.name == "cpu"
    total = needed.total + job.hardware.runtime_bytes + (snapshot if on_cpu else 0)
    counts = flop(job.shape, job.sequence_length, parallel.recompute)
    messages = communication(
        job.shape,
        parallel,
        job.hardware,
        sequence_length=job.sequence_length,
        micro=micro,
        micro_batches=micro_batches,
        precision=job.precision,
    )
    speed = derived(
        job.shape,
        parallel,
        job.hardware,
        counts,
        messages,
        ranks=job.ranks,
        step_tokens=job.step_tokens,
        micro_batches=micro_batches,
    )
    return Laid(
        parallel=parallel,
        micro=micro,
        micro_batches=micro_batches,
        memory=needed,
        snapshot_bytes=snapshot,
        bubble=bubble_fraction(parallel, micro_batches) if parallel.pipeline > 1 else 0.0,
        flop=counts,
        messages=messages,
        speed=speed,
        total_bytes=total,
        fits=total <= ROOM * job.hardware.memory_bytes,
    )


def _checks(
    shape: ModelShape, parallel: ParallelSection, tokens: int, micro_batches: Sequence[int]
) -> list[Callable[[], None]]:
    """Those that the trainer makes before it builds a model."""
    checks: list[Callable[[], None]] = [
        lambda: require_fit(shape, parallel, tokens // parallel.context),
        lambda: require_shares(parallel, shape, tokens),
    ]
    if parallel.pipeline > 1:
        stages = ParallelSection(
            pipeline=parallel.pipeline, stages_per_rank=parallel.stages_per_rank, schedule=parallel.schedule
        )
        checks.append(lambda: _stages_fit(stages, shape))
        checks += [partial(require_micro_batches, parallel, count) for count in micro_batches]
    return checks


@cache
def _stages_fit(stages: ParallelSection, shape: ModelShape) -> None:
    """`require_stages`, which looks at thousands of cuts: a plan asks hundreds of times."""
    require_stages(stages, shape)


def _snapshot_bytes(job: Job, parallel: ParallelSection, work: Work) -> int:
    """Of the fullest rank: what it saves, which are masters and moments."""
    if not job.asynchronous:
        return 0
    weight, optimizer = state_bytes(work)
    a_parameter = optimizer if work.alone and job.precision == "bf16" else weight + optimizer
    shards = (parallel.shard or 1) * parallel.context
    places = {0, parallel.pipeline - 1}
    return max(-(-holding(job.shape, parallel, place).parameters // shards) for place in places) * a_parameter
