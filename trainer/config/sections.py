"""What a training config may say: one frozen model a section. `load.py` reads it; docs/training.md explains it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from lauter.pipeline.mixture import MixtureSection
from lauter.trainer.config.fields import (
    NAME,
    Beta,
    Fraction,
    Natural,
    NaturalTokens,
    Number,
    Positive,
    Section,
    Tokens,
)
from lauter.trainer.config.launch import LaunchSection
from lauter.trainer.config.lora import LoraSection
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.preference import PreferenceSection
from lauter.trainer.config.probes import ProbesSection
from lauter.trainer.config.watching import GuardSection, MetricsSection, SamplingSection, ValidationSection

Overlong = Literal["cut", "truncate", "leave-out"]
"""What becomes of a document that is longer than a window."""

COOLS_DOWN = "cools_down"
"""Key of the context of a validation: whether the schedule is only the start of a cooldown's (`--cooldown`)."""


def _hex_digits(value: str) -> str:
    """A SHA-256, in lower case."""
    if re.fullmatch("[0-9a-fA-F]{64}", value) is None:
        raise ValueError("expected 64 hex digits")
    return value.lower()


def _defaults(value: object) -> object:
    """A key with nothing after it means the defaults, as if it were not there."""
    return {} if value is None else value


class ModelSection(Section):
    """A preset, and what of it is changed. Lengths and widths in units, not in bytes."""

    preset: Literal["nano", "tiny", "small", "apertus-8b", "apertus-70b"]
    layers: Positive | None = None
    hidden: Positive | None = None
    feed_forward: Positive | None = None
    heads: Positive | None = None
    kv_heads: Positive | None = None
    head_dim: Positive | None = None
    vocabulary: Positive | None = None
    """Rows of both embeddings. Default: the tokenizer's ids, rounded up to a multiple of 128."""
    positions: Positive | None = None
    rope_theta: Annotated[Number, Field(gt=1)] | None = None
    init_std: Annotated[Number, Field(gt=0)] | None = None


class CorpusSection(Section):
    """A run folder of `lauter build`."""

    path: str
    """Local, relative to the config's folder, or `s3://`. `tokens/`, `corpus.json` and the lock file are read."""
    name: Annotated[str, Field(pattern=NAME)] | None = None
    """Prefix of its streams (`NAME/stream`) where there are several corpora. Default: the folder's name."""
    root: Annotated[str, AfterValidator(_hex_digits)] | None = None
    """The ledger root it must have. Default: whatever it has, which is written into the checkpoint."""


class StageSection(Section):
    """A part of the run with one mixture."""

    name: Annotated[str, Field(pattern=NAME)]
    tokens: Tokens | None = None
    """How long, in tokens; rounded up to whole samples. Only the last stage may leave it out: the rest of the run."""
    streams: dict[str, Annotated[Number, Field(gt=0)]] | None = None
    """Stream -> weight. Default: every stream, weighted by its tokens."""
    mixture: MixtureSection | None = None
    """In place of `streams`: a mixture, or the path of its file, relative to the config. Its `tokens` are the stage's
    where the stage itself has none and is not the last."""

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> StageSection:
        if self.streams is not None and self.mixture is not None:
            raise ValueError(f"stage {self.name!r} has `streams` and `mixture`: give one")
        return self


class GoldfishSection(Section):
    """Labels left out at places that depend on the tokens before them (Hans et al., arXiv 2406.10209)."""

    hash: Literal["mixed", "apertus"] = "mixed"
    """`mixed` leaves out 1 in k; `apertus` is what Apertus ran, which overflows and leaves out fewer."""
    k: Positive = 50
    h: Positive = 50
    """Tokens that are hashed, the label included."""


class DataSection(Section):
    """What is read, in which order, cut how."""

    corpora: Annotated[tuple[CorpusSection, ...], Field(strict=False)] = ()
    """`--data DIR` takes their place."""
    sequence_length: Annotated[int, Field(ge=2)] = 4096
    packing: Literal["concatenate", "best-fit"] = "concatenate"
    """`concatenate`: documents one after the other, cut at every window. `best-fit`: no document is cut that fits."""
    overlong: Overlong = "cut"
    """Under `best-fit`, a document longer than a window: cut into several windows, ended with the first one
    (`truncate`), or not read at all (`leave-out`). A dialogue that is cut goes on without its question."""
    stages: Annotated[tuple[StageSection, ...], Field(strict=False)] = ()
    """Default: one stage of every stream."""
    goldfish: GoldfishSection | None = None
    hold_out_shards: Natural = 0
    """The last n shards of every stream are never trained on: validation reads them."""
    prefetch: Annotated[int, Field(ge=0, le=64)] = 2
    """Steps decoded ahead."""

    @model_validator(mode="after")
    def _overlong_is_packed(self) -> DataSection:
        if self.overlong != "cut" and self.packing != "best-fit":
            raise ValueError(f"overlong: {self.overlong} needs `packing: best-fit`; under `concatenate` all is cut")
        return self

    @model_validator(mode="after")
    def _only_the_last_stage_is_open(self) -> DataSection:
        for stage in self.stages[:-1]:
            if stage.tokens is None:
                raise ValueError(f"stage {stage.name!r} needs `tokens`: only the last stage may leave them out")
        return self


class OptimizerSection(Section):
    """AdEMAMix (Pagliardini et al., arXiv 2409.03137) as Apertus ran it, or AdamW."""

    name: Literal["ademamix", "adamw"] = "ademamix"
    learning_rate: Annotated[Number, Field(gt=0)] = 1.1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    beta3: Beta = 0.9999
    alpha: Annotated[Number, Field(ge=0)] = 8.0
    warmup_steps: Natural = 100_000
    """Steps over which alpha and beta3 rise; 0 for none."""
    eps: Annotated[Number, Field(gt=0)] = 1e-8
    weight_decay: Annotated[Number, Field(ge=0)] = 0.1
    """Decoupled; norms and the scalars of xIELU have none."""
    clip: Annotated[Number, Field(gt=0)] | None = 0.1
    """Largest norm of the whole gradient."""


class ScheduleSection(Section):
    """Warm-up, stable, decay (WSD), all in tokens."""

    total_tokens: Tokens
    """The run ends at the first step at or after it."""
    from_tokens: NaturalTokens = 0
    """Where the warm-up begins: of a phase, the tokens of those before it."""
    warmup_tokens: NaturalTokens = 0
    """Linear from 0."""
    cooldown_tokens: NaturalTokens = 0
    """The last part of `total_tokens`, over which the rate falls to `final_fraction`."""
    shape: Literal["1-sqrt", "linear"] = "1-sqrt"
    final_fraction: Fraction = 0.1

    @model_validator(mode="after")
    def _parts_fit(self, info: ValidationInfo) -> ScheduleSection:
        # Of a branch that only cools down, the checkpoint decides total and cooldown.
        cools_down = info.context is not None and info.context[COOLS_DOWN]
        needed = self.from_tokens + self.warmup_tokens + self.cooldown_tokens
        if needed > self.total_tokens and not cools_down:
            begins = f"from_tokens ({self.from_tokens}), " if self.from_tokens else ""
            raise ValueError(
                f"{begins}warmup_tokens ({self.warmup_tokens}) and cooldown_tokens ({self.cooldown_tokens}) "
                f"are together more than total_tokens ({self.total_tokens}); lower them by "
                f"{needed - self.total_tokens} in all, or raise it to {needed}"
            )
        return self


class RampSection(Section):
    """From this many tokens on, this many sequences a step."""

    from_tokens: Tokens
    sequences: Positive


class BatchSection(Section):
    """Sizes in sequences of `data.sequence_length`."""

    sequences: Positive = 16
    """Of a step, over all ranks."""
    micro: Positive = 4
    """Of one forward pass of one rank. `sequences` must be a multiple of micro x ranks."""
    ramp: Annotated[tuple[RampSection, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _ramp_ascends(self) -> BatchSection:
        starts = [step.from_tokens for step in self.ramp]
        if starts != sorted(set(starts)):
            raise ValueError("ramp: `from_tokens` must ascend")
        return self


class CheckpointSection(Section):
    """When state is saved, and how much of it is kept."""

    every_steps: Positive = 500
    keep: Positive = 3
    """The newest n; older ones are deleted once a newer one is verified."""
    keep_every_steps: Positive | None = None
    """Checkpoints at multiples of it are never deleted."""
    asynchronous: bool = True
    """Write while training goes on."""
    mtbf_hours: Annotated[Number, Field(gt=0)] | None = None
    """Hours between failures of the whole job, if they are known: the run then says how often it should save."""


class Training(Section):
    """What every training's config says: the first one's, and that of what comes after it."""

    name: Annotated[str, Field(pattern=NAME)]
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 28
    precision: Literal["bf16", "fp32", "fp64"] = "bf16"
    """Of weights and activations. Masters and moments are fp32 (fp64 under fp64, which is for proofs)."""
    data: Annotated[DataSection, BeforeValidator(_defaults)] = DataSection()
    optimizer: Annotated[OptimizerSection, BeforeValidator(_defaults)] = OptimizerSection()
    z_loss: Annotated[Number, Field(ge=0)] = 0.0
    """Weight of the squared logarithm of the softmax's normaliser (PaLM, arXiv 2204.02311 section 5)."""
    batch: Annotated[BatchSection, BeforeValidator(_defaults)] = BatchSection()
    lora: LoraSection | None = None
    """Only low-rank parts are trained. Default: every weight."""
    preference: PreferenceSection | None = None
    """What is learnt from in place of `data.corpora`: pairs of completions."""
    parallel: Annotated[ParallelSection, BeforeValidator(_defaults)] = ParallelSection()
    checkpoint: Annotated[CheckpointSection, BeforeValidator(_defaults)] = CheckpointSection()
    validation: ValidationSection | None = None
    sampling: SamplingSection | None = None
    probes: ProbesSection | None = None
    guard: Annotated[GuardSection, BeforeValidator(_defaults)] = GuardSection()
    metrics: Annotated[MetricsSection, BeforeValidator(_defaults)] = MetricsSection()
    launch: Annotated[LaunchSection, BeforeValidator(_defaults)] = LaunchSection()

    @model_validator(mode="after")
    def _validation_has_data(self) -> Self:
        if self.validation is not None and not self.data.hold_out_shards:
            raise ValueError("validation needs `data.hold_out_shards`: at least one shard that is not trained on")
        return self

    @model_validator(mode="after")
    def _sampling_has_layers(self) -> Self:
        # Ranks of a context group have all layers, and all of the tokens when they generate.
        axes = ("pipeline", "tensor")
        shared = ", ".join(f"parallel.{axis}" for axis in axes if getattr(self.parallel, axis) > 1)
        if self.sampling is not None and shared:
            raise ValueError(
                f"sampling needs whole layers on every rank, which {shared} above 1 share: a single new token can't be "
                "divided; leave `sampling` out and use `lauter generate` on a checkpoint"
            )
        return self


Objective = Literal["pretrain", "sft", "qrpo", "dpo"]
"""What a run learns from: text as it comes, answers (supervised fine-tuning), or preferences."""


class RunSection(Training):
    """The whole config of a run, as it is trained and as its checkpoints keep it."""

    model: ModelSection
    schedule: ScheduleSection
    objective: Objective = "pretrain"
    """`lauter tune` sets it; such a run begins with the weights of another and counts its tokens from 0."""

    @model_validator(mode="after")
    def _lora_begins_somewhere(self) -> RunSection:
        if self.lora is not None and self.objective == "pretrain":
            raise ValueError("lora: only `lauter tune` trains low-rank parts, beside weights that are there")
        return self
