"""Streams: the parts of a corpus that a trainer weighs, and which of them a document belongs to.

    streams:
      sources: {web: [crawl-a, crawl-b]}                # a source in no group is a group of its own
      languages: {german: [deu_Latn, gsw_Latn], each: ["*_Latn"]}
      lengths: [4096, 8192, 16384, 32768]               # tokens
      copies: fineweb2                                  # or bounds: [2, 3, 5, 100, 1000]

A stream is named after its groups, in this order, with a dot between them: `web.german.4096-8191.x2`. What is not
declared is no part of the name; without `sources` the first part is `sharding.stream`. The first group of languages
that has a document's label takes it, by name or by a pattern with `*`; the group `each` makes a stream of every label
that it takes, and what no group takes is `rest`. Bounds cut a range: [4096, 8192] makes `0-4095`, `4096-8191` and
`8192-up`; of copies the ranges begin at 1 and have an `x` before them.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from lauter.pipeline.faults import nearest
from lauter.pipeline.yaml_lines import Location

EACH = "each"
REST = "rest"
FINEWEB2 = (2, 3, 5, 100, 1000)
"""Bounds of FineWeb-2's rehydration table (arXiv 2506.20920 and its README: weights for 1, 2, 3-4, 5-99, 100-999 and
from 1,000 copies on)."""
TAKEN = {"tokenizer": "the tokenizer's folder", "index.json": "the list of all streams"}
"""What lies in `tokens/` beside the folders of streams."""

LABEL = r"^([a-z]{3}|\*)_([A-Z][a-z]{3}|\*)$|^\*$"
"""ISO 639-3 and ISO 15924, `deu_Latn`; either may be `*`, and both together too."""
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
"""A label that may be a part of a path. A user's own stage may write any other, which no group `each` takes."""


def _each_source(value: object) -> object:
    return {} if value == EACH else value


def _each_language(value: object) -> object:
    return {EACH: ["*"]} if value == EACH else value


def _preset(value: object) -> object:
    return FINEWEB2 if value == "fineweb2" else value


def _rising(bounds: tuple[int, ...]) -> tuple[int, ...]:
    if any(second <= first for first, second in pairwise(bounds)):
        raise ValueError("bounds must rise")
    return bounds


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
Label = Annotated[str, Field(pattern=LABEL)]


class StreamsSection(BaseModel):
    """What the streams of a corpus are parted by; nothing given, nothing parted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    sources: Annotated[
        dict[Name, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]] | None, BeforeValidator(_each_source)
    ] = None
    """Group -> sources. A source in no group is a group of its own; `each`: all are. Default: all are one."""
    languages: Annotated[
        dict[Name, Annotated[tuple[Label, ...], Field(strict=False, min_length=1)]] | None,
        BeforeValidator(_each_language),
    ] = None
    """Group -> labels or patterns, the first that fits. The group `each` is a group for every label that it takes;
    `languages: each` is short for every label alone. Default: all are one."""
    lengths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False), AfterValidator(_rising)] = ()
    """Tokens, BOS and EOS included, from which on a document lies in the next range."""
    copies: Annotated[
        tuple[Annotated[int, Field(ge=2)], ...],
        Field(strict=False),
        AfterValidator(_rising),
        BeforeValidator(_preset),
    ] = ()
    """Documents that one stands for, itself included, from which on it lies in the next range; or `fineweb2`."""


@dataclass(frozen=True, slots=True)
class StreamRule:
    """How the documents of one source are parted; made of plain data, since tasks carry it."""

    first: str
    """The group of the source."""
    languages: tuple[tuple[str, tuple[str, ...]], ...] | None
    lengths: tuple[int, ...]
    copies: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        languages = None if self.languages is None else [[name, list(labels)] for name, labels in self.languages]
        return {
            "first": self.first,
            "languages": languages,
            "lengths": list(self.lengths),
            "copies": list(self.copies),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> StreamRule:
        """The inverse of `to_json`."""
        given = data["languages"]
        languages = None if given is None else tuple((name, tuple(labels)) for name, labels in given)
        return StreamRule(data["first"], languages, tuple(data["lengths"]), tuple(data["copies"]))

    def language_group(self, label: str | None) -> str:
        """The group that takes a label.

        >>> StreamRule("main", (("german", ("deu_Latn",)), ("each", ("*_Latn",))), (), ()).language_group("fra_Latn")
        'fra_Latn'
        """
        for name, labels in self.languages or ():
            if label is None or not any(fnmatch.fnmatchcase(label, pattern) for pattern in labels):
                continue
            if name != EACH or PLAIN.fullmatch(label):
                return label if name == EACH else name
        return REST

    def may_make(self, name: str) -> bool:
        """Whether a stream of this name may come of it, whatever labels documents have; ranges aside.

        >>> StreamRule("index", (("json", ("deu_Latn",)),), (), ()).may_make("index.json")
        True
        """
        first, dot, language = name.partition(".")
        if self.lengths or self.copies or first != self.first or bool(dot) != (self.languages is not None):
            return False
        groups = [group for group, _ in self.languages or () if group != EACH]
        return not dot or language in groups or self.language_group(language) == language

    def assign(
        self, language: pa.Array | pa.ChunkedArray, length: NDArray[np.integer[Any]], copies: NDArray[np.integer[Any]]
    ) -> tuple[list[str], NDArray[np.int64]]:
        """(names of streams, index of each document's), the names in order; of n documents.

        `language`: strings or a dictionary of them, perhaps null; `length` in tokens and `copies`, shape (n,).
        """
        coded = language.dictionary_encode() if pa.types.is_string(language.type) else language
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        # The last entry is for a document without a label.
        group = [self.language_group(label) for label in [*coded.dictionary.to_pylist(), None]]
        groups = sorted(set(group))
        of_label = np.array([groups.index(name) for name in group], np.int64)
        code = of_label[coded.indices.fill_null(len(group) - 1).to_numpy(zero_copy_only=False)]
        for bounds, value in ((self.lengths, length), (self.copies, copies)):
            place = np.searchsorted(np.array(bounds, np.int64), value.astype(np.int64), "right")
            code = code * (len(bounds) + 1) + place
        distinct, index = np.unique(code, return_inverse=True)
        names = [self._name(groups, int(item)) for item in distinct]
        order = sorted(range(len(names)), key=names.__getitem__)
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        return [names[place] for place in order], rank[index]

    def _name(self, groups: Sequence[str], code: int) -> str:
        code, copies = divmod(code, len(self.copies) + 1)
        language, length = divmod(code, len(self.lengths) + 1)
        parts = [self.first]
        if self.languages is not None:
            parts.append(groups[language])
        if self.lengths:
            parts.append(range_name(self.lengths, length, 0))
        if self.copies:
            parts.append("x" + range_name(self.copies, copies, 1))
        return ".".join(parts)


def range_name(bounds: Sequence[int], place: int, least: int) -> str:
    """The name of a range between bounds.

    >>> [range_name((2, 3, 5), place, 1) for place in range(4)]
    ['1', '2', '3-4', '5-up']
    """
    first = bounds[place - 1] if place else least
    if place == len(bounds):
        return f"{first}-up"
    last = bounds[place] - 1
    return str(first) if first == last else f"{first}-{last}"


def describe(name: str, section: StreamsSection | None) -> dict[str, Any]:
    """What a stream holds, read off its name: `sources` and `language` (groups), `tokens` and `copies` (from, to).

    A range without end has None as its second number; what the streams are not parted by is left out.
    """
    if section is None:
        return {}
    parts = name.split(".")
    found: dict[str, Any] = {}
    first = parts.pop(0)
    if section.sources is not None:
        found["sources"] = first
    if section.languages is not None and parts:
        found["language"] = parts.pop(0)
    for key, bounds in (("tokens", section.lengths), ("copies", section.copies)):
        if bounds and parts:
            start, _, end = parts.pop(0).removeprefix("x").partition("-")
            found[key] = [int(start), None if end == "up" else int(end or start)]
    return found


def rule_of(section: StreamsSection | None, source: str, stream: str) -> StreamRule:
    """The rule for the documents of a source; `stream` is `sharding.stream`."""
    if section is None:
        return StreamRule(stream, None, (), ())
    first = stream
    if section.sources is not None:
        first = next((name for name, some in section.sources.items() if source in some), source)
    languages = None if section.languages is None else tuple(section.languages.items())
    return StreamRule(first, languages, section.lengths, section.copies)


def stream_faults(
    section: StreamsSection, sources: Sequence[str], *, labelled: bool, joined: bool
) -> Iterator[tuple[Location, str]]:
    """What is wrong with a section: (place in it, what).

    `labelled`: whether a stage writes the column `language`; `joined`: whether one finds copies.
    """
    if section.sources is not None:
        yield from _source_faults(section.sources, sources)
    if section.languages is not None:
        if not labelled:
            yield ("languages",), "no stage writes the column 'language'; add one that does"
        if REST in section.languages:
            yield ("languages", REST), f"{REST!r} is what no group takes; call this group something else"
        seen: Counter[str] = Counter()
        for group, labels in section.languages.items():
            for index, label in enumerate(labels):
                if seen[label]:
                    yield ("languages", group, index), f"the label {label!r} stands above"
                seen[label] += 1
    if section.copies and not joined:
        yield ("copies",), "no stage finds copies, so every document stands for one; add one that does"


def taken_names(section: StreamsSection | None, sources: Sequence[str], stream: str) -> Iterator[tuple[Location, str]]:
    """(place in the manifest, what is wrong) of each stream that would be called as something else in `tokens/`."""
    seen: set[str] = set()
    for index, source in enumerate(sources):
        rule = rule_of(section, source, stream)
        name = next((name for name in TAKEN if rule.may_make(name)), None)
        if name is None or rule.first in seen:
            continue
        seen.add(rule.first)
        place: Location = ("sharding", "stream")
        if section is not None and section.sources is not None:
            place = ("streams", "sources", rule.first) if rule.first in section.sources else ("sources", index, "name")
        yield place, f"no stream may be called {name!r}, which is {TAKEN[name]}; call {rule.first!r} something else"


def _source_faults(groups: Mapping[str, Sequence[str]], sources: Sequence[str]) -> Iterator[tuple[Location, str]]:
    seen: Counter[str] = Counter()
    for group, names in groups.items():
        for index, name in enumerate(names):
            if name not in sources:
                yield ("sources", group, index), f"unknown source {name!r}{nearest(name, list(sources))}"
            elif seen[name]:
                yield ("sources", group, index), f"the source {name!r} stands above"
            seen[name] += 1
    for group in groups:
        if group in sources and not seen[group]:
            yield ("sources", group), f"the source {group!r} is in no group, so it is a group of this name itself"
