"""The stages of a run: which mixture holds from which sample on, and where its streams stood by then."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lauter.pipeline.faults import nearest
from lauter.pipeline.mixture import StreamSize, stream_tokens
from lauter.trainer.config.sections import DataSection, StageSection
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.data.interleave import Interleave, counts_in_period
from lauter.trainer.data.stream import Stream


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run with one mixture."""

    name: str
    first: int
    """Number of its first sample."""
    streams: tuple[str, ...]
    """In order of name."""
    interleave: Interleave
    taken: Mapping[str, int]
    """Samples that every stream has given in earlier stages."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """All stages. A stream goes on in a later stage where it was."""

    stages: tuple[Stage, ...]
    samples: int | None
    """How many there are; None where the last stage is open."""

    def stage_at(self, sample: int) -> Stage:
        """The stage of a sample; raises `DataError` behind the last one."""
        if self.samples is not None and sample >= self.samples:
            raise DataError(
                [
                    f"data.stages: sample {sample} is asked for, but the stages have {self.samples} together; "
                    "give the last stage more `tokens`, or none for the rest of the run"
                ]
            )
        return self.stages[bisect_right(self.stages, sample, key=lambda stage: stage.first) - 1]

    def place(self, sample: int) -> tuple[str, int]:
        """The stream that a sample comes from, and how many samples that stream gave before it."""
        stage = self.stage_at(sample)
        index, before = stage.interleave.place(sample - stage.first)
        name = stage.streams[index]
        return name, stage.taken.get(name, 0) + before

    def given(self, sample: int) -> dict[str, int]:
        """How many samples every stream has given before this one, which may lie behind the last."""
        stage = self.stages[bisect_right(self.stages, sample, key=lambda stage: stage.first) - 1]
        found = dict(stage.taken)
        counts = stage.interleave.counts_before(sample - stage.first).tolist()
        for name, count in zip(stage.streams, counts, strict=True):
            found[name] += count
        return found

    def describe(self) -> list[dict[str, Any]]:
        """What decides the order, as JSON."""
        return [
            {
                "name": stage.name,
                "first": stage.first,
                "streams": dict(zip(stage.streams, stage.interleave.counts.tolist(), strict=True)),
            }
            for stage in self.stages
        ]


def mixture(section: DataSection, streams: Mapping[str, Stream]) -> Mixture:
    """The section's stages over the streams there are.

    Raises:
        UnfitError: there are no streams at all, or a stage names streams that do not exist.
    """
    sections = section.stages or (StageSection(name="all"),)
    if not streams:
        raise UnfitError(["the corpora have no stream: nothing was kept; `lauter report DIR` says why"])
    problems = [
        f"data.stages: stage {stage.name!r}: no stream {name!r}{nearest(name, list(streams))}"
        for stage in sections
        for name in stage.streams or {}
        if name not in streams
    ]
    if problems:
        raise UnfitError(problems)
    stages: list[Stage] = []
    taken: dict[str, int] = dict.fromkeys(streams, 0)
    first: int | None = 0
    for stage in sections:
        if first is None:
            raise UnfitError([f"data.stages: stage {stage.name!r} comes after one without `tokens`"])
        weights = _weights(stage, streams)
        found = Stage(
            stage.name, first, tuple(weights), Interleave(counts_in_period(list(weights.values()))), {**taken}
        )
        stages.append(found)
        if stage.tokens is None:
            first = None
        else:
            samples = -(-stage.tokens // section.sequence_length)
            for name, count in zip(found.streams, found.interleave.counts_before(samples).tolist(), strict=True):
                taken[name] += count
            first += samples
    return Mixture(tuple(stages), first)


def _weights(stage: StageSection, streams: Mapping[str, Stream]) -> dict[str, float]:
    if stage.mixture is not None:
        sizes = {name: StreamSize(stream.tokens, stream.copies) for name, stream in streams.items()}
        try:
            return stream_tokens(stage.mixture, sizes, stage.tokens)
        except ValueError as error:
            raise UnfitError([f"data.stages: stage {stage.name!r}: {error}"]) from error
    weights = stage.streams or {name: float(stream.tokens) for name, stream in streams.items()}
    return {name: weights[name] for name in sorted(weights)}


def streams_at_once(stages: Sequence[Stage]) -> int:
    """The most streams that one stage reads."""
    return max(len(stage.streams) for stage in stages)
