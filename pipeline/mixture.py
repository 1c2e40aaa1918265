"""A mixture: which streams a stage of training reads, and how much of each. Data, not shards: nothing is copied.

    mixture: stage-5
    tokens: 1.6e12                       # how long the stage is
    components:
      - {name: english, streams: ["dclm-edu*"]}
      - {name: tasks, streams: [tasks], repeat: 3, epochs: 3}

A component asks for as many tokens as its streams hold, times `repeat`, or for what `weight` says; what it may give is
bounded by `epochs` and `cap`. Where a stage is longer than a bounded component can serve at its weight, the others
take over in proportion to theirs (`shares`), so no small source is read more often than was said.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lauter.pipeline.faults import faults, nearest
from lauter.pipeline.quantity import Quantity
from lauter.pipeline.yaml_lines import ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml

FINEWEB2_REHYDRATION: Mapping[int, float] = {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1}
"""From how many copies on a document counts how often (FineWeb-2, arXiv 2506.20920, its published table): a page that
the web copies often is a good one, a page that it copies a thousand times is a template."""

Amount = Annotated[float, Field(gt=0, strict=False)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ComponentSection(_Section):
    """A part of a mixture: some streams that are weighed together."""

    name: Annotated[str, Field(min_length=1)]
    streams: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False, min_length=1)]
    """Names or globs of streams. A stream belongs to the first component that names it."""
    weight: Amount | None = None
    """Tokens it asks for, or other numbers in that proportion. Default: those that it holds, times `repeat`."""
    repeat: Amount = 1.0
    """How often each token counts."""
    epochs: Amount | None = None
    """How often the stage may read a document of weight 1 at most, and one that `rehydrate` counts f times f times as
    often; default: as often as its weight wants."""
    cap: Quantity | None = None
    """Tokens that the stage may take of it at most."""
    rehydrate: Literal["fineweb2"] | dict[int, Amount] | None = None
    """From how many copies on a document counts how often; for streams that are parted by `copies`."""
    published: Quantity | None = None
    """Tokens that the published recipe had of it: what `lauter plan` reckons with while there are no shards."""
    published_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """What share of these documents the published recipe drew at random. Here they are kept whole: the plan says so."""

    @property
    def rehydration(self) -> Mapping[int, float]:
        """Least copies -> how often a document counts; empty where nothing is rehydrated."""
        return FINEWEB2_REHYDRATION if self.rehydrate == "fineweb2" else dict(self.rehydrate or {})


class MixtureSection(_Section):
    """The file's top level."""

    mixture: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """Its name."""
    corpus: str | None = None
    """The manifest whose corpus has the streams, relative to this file."""
    tokens: Quantity | None = None
    """How long the stage is; a training config may say otherwise."""
    components: Annotated[tuple[ComponentSection, ...], Field(strict=False, min_length=1)]

    def names(self, stream: str) -> bool:
        """Whether a component names a stream."""
        return any(fnmatch.fnmatchcase(stream, pattern) for item in self.components for pattern in item.streams)

    @model_validator(mode="after")
    def _weights_of_one_kind(self) -> MixtureSection:
        given = [component.weight is not None for component in self.components]
        if any(given) and not all(given):
            lacking = next(component.name for component in self.components if component.weight is None)
            raise ValueError(f"component {lacking!r} has no `weight` and others have one: give all or none")
        return self


@dataclass(frozen=True, slots=True)
class StreamSize:
    """What a mixture knows of a stream."""

    tokens: int
    copies: int = 1
    """The least number of copies of its documents, where streams are parted by it."""


def load_mixture(path: Path) -> MixtureSection:
    """Read and check a mixture.

    Raises:
        ManifestError: every problem found, with file and line.
    """
    document = load_yaml(path)
    try:
        return MixtureSection.model_validate(document.data if isinstance(document.data, dict) else {})
    except ValidationError as error:
        raise ManifestError(
            [document.problem(place, message) for place, message in faults(MixtureSection, error)]
        ) from error


def stream_tokens(section: MixtureSection, streams: Mapping[str, StreamSize], tokens: float | None) -> dict[str, float]:
    """Tokens that a stage of `tokens` takes of each stream (stream -> tokens), in order of name.

    Without a length, what every component asks for. Within a component streams share by their tokens, each times its
    rehydration.

    Raises:
        ValueError: a component names no stream that there is, or the stage is longer than all may give together.
    """
    claimed = claimed_streams(section, streams)
    wanted: dict[str, float] = {}
    most: dict[str, float] = {}
    for component, names in zip(section.components, claimed, strict=True):
        counting = {name: streams[name].tokens * _factor(component, streams[name]) for name in names}
        held = sum(counting.values())
        asked = component.weight if component.weight is not None else held * component.repeat
        limit = min(
            component.cap if component.cap is not None else float("inf"),
            component.epochs * held if component.epochs is not None else float("inf"),
        )
        for name in names:
            wanted[name] = asked * counting[name] / held
            most[name] = limit * counting[name] / held if limit != float("inf") else limit
    names = sorted(wanted)
    total = tokens if tokens is not None else sum(min(wanted[name], most[name]) for name in names)
    found = shares([wanted[name] for name in names], [most[name] for name in names], total)
    return dict(zip(names, found, strict=True))


def shares(wanted: Sequence[float], most: Sequence[float], total: float) -> list[float]:
    """Split `total` in proportion to `wanted`, none above its `most`: x_i = min(most_i, t wanted_i) for one t.

    >>> shares([3, 1], [30, 100], 80)
    [30, 50]

    Raises:
        ValueError: all together may not give so much.
    """
    if sum(most) < total * (1 - 1e-12):
        raise ValueError(
            f"the stage has {total:,.0f} tokens and its components may give {sum(most):,.0f}: "
            "raise `epochs` or `cap`, or shorten the stage"
        )
    # Those that are full first: the ones whose bound is least for what they want.
    order = sorted(range(len(wanted)), key=lambda index: (most[index] / wanted[index], index))
    found = [0.0] * len(wanted)
    left, asking = total, sum(wanted)
    for index in order:
        found[index] = min(most[index], left * wanted[index] / asking)
        left -= found[index]
        asking = max(asking - wanted[index], 0.0) or 1.0
    return found


def _factor(component: ComponentSection, stream: StreamSize) -> float:
    table = component.rehydration
    steps = [least for least in table if least <= stream.copies]
    return table[max(steps)] if steps else 1.0


def claimed_streams(section: MixtureSection, streams: Mapping[str, StreamSize]) -> list[list[str]]:
    """The streams with tokens that each component has, in order of name: the first one that names a stream has it.

    Raises:
        ValueError: a component names no such stream, or only those of components before it.
    """
    free = sorted(name for name, size in streams.items() if size.tokens)
    claimed: list[list[str]] = []
    for component in section.components:
        names = [name for name in free if any(fnmatch.fnmatchcase(name, pattern) for pattern in component.streams)]
        if not names:
            patterns = ", ".join(component.streams)
            hint = nearest(component.streams[0], list(streams))
            raise ValueError(f"component {component.name!r}: no stream with tokens is named {patterns}{hint}")
        free = [name for name in free if name not in names]
        claimed.append(names)
    return claimed
