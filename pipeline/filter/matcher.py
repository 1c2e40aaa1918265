"""The streaming matcher: text in, the same text out, with a mark in place of what the list knows.

Held back is only what a gram that is not whole yet may cover: fewer than `GRAM_WEIGHT` units, each with the gap before
it bounded, so some KB at most, whatever comes in. How the text is cut into chunks changes nothing.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lauter.pipeline.filter.grams import Grams, gram_hash
from lauter.pipeline.filter.published import FilterList
from lauter.pipeline.filter.units import UnitStream

REPLACEMENT = "[removed]"
INVALID = "surrogateescape"
"""Bytes that are no UTF-8 pass through as lone surrogates, which no unit holds, and come out as they were."""


@dataclass
class _Span:
    """A stretch that is covered by grams of the list: [start, end) in characters of the whole stream."""

    start: int
    end: int
    marked: bool = False


class Matcher:
    """Feeds on bytes in any pieces; `spans` and `characters` count what was replaced."""

    def __init__(self, lists: Sequence[FilterList], replacement: str = REPLACEMENT) -> None:
        self.spans = self.characters = 0
        self._lists = [(item.salt, item.as_set()) for item in lists]
        self._replacement = replacement
        self._decoder = codecs.getincrementaldecoder("utf-8")(INVALID)
        self._units = UnitStream()
        self._grams = Grams()
        self._text = ""
        self._base = 0
        """Place of the first character of `_text` in the stream: all before it is out."""
        self._open: list[_Span] = []
        """What is covered and not wholly out, in order; no two of them share a character."""

    def feed(self, data: bytes) -> bytes:
        """The bytes that are certain after some more."""
        return self._step(self._decoder.decode(data), final=False)

    def finish(self) -> bytes:
        """The rest, at the end of the stream."""
        return self._step(self._decoder.decode(b"", final=True), final=True)

    def _step(self, more: str, *, final: bool) -> bytes:
        self._text += more
        self._units.feed(more, self._grams.units, final=final)
        for gram, start, end in self._grams.take():
            if any(gram_hash(gram, salt) in hashes for salt, hashes in self._lists):
                if self._open and start < self._open[-1].end:
                    self._open[-1].end = end
                else:
                    self._open.append(_Span(start, end))
        held = self._grams.start
        certain = self._units.scanned if final or held is None else held
        return "".join(self._out(certain)).encode("utf-8", INVALID)

    def _out(self, certain: int) -> Iterator[str]:
        """Let go of everything before a place."""
        place = self._base
        while self._open and self._open[0].start < certain:
            span = self._open[0]
            if not span.marked:
                yield self._text[place - self._base : span.start - self._base]
                yield self._replacement
                span.marked = True
                self.spans += 1
                place = span.start
            behind = min(span.end, certain)
            self.characters += behind - place
            place = behind
            if span.end > certain:
                break
            del self._open[0]
        if place < certain:
            yield self._text[place - self._base : certain - self._base]
        self._text = self._text[certain - self._base :]
        self._base = certain
