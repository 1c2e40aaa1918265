"""Needles in a haystack (RULER, arXiv 2404.06654, section 3.1): facts that stand in a text about something else.

A needle is a word that goes with a key. The question gives the key and begins the answer, as a base model must be
asked. The answer follows the key at once, as in the needle: to copy what came after the same word is what even small
models learn (arXiv 2209.11895).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from lauter.trainer.probes.probe import Probe, Source, filled
from lauter.trainer.probes.words import KEYS, VALUES

NEEDLES = 4
"""Of the tasks with several: keys of `multi-key`, values of `multi-value`, keys asked for in `multi-query`; RULER's
own numbers (appendix B)."""


def fact(key: str, value: str) -> str:
    """A needle, as it stands in the text."""
    return f" Remember: {key} {value}."


def question(key: str) -> str:
    """Which word goes with a key, up to where the answer begins."""
    return f"\nWhich word goes with {key}? Remember: {key}"


def single(source: Source, generator: random.Random, length: int, depth: float) -> Probe:
    """One needle, asked for."""
    (key,), (value,) = _pairs(source, generator, 1)
    return _asked(source, generator, "single", length, [(depth, fact(key, value))], question(key), [value], depth)


def multi_key(source: Source, generator: random.Random, length: int, depth: float) -> Probe:
    """Four needles with keys of their own; one of them is asked for, the others stand anywhere."""
    keys, values = _pairs(source, generator, NEEDLES)
    others = [(generator.random(), fact(key, value)) for key, value in zip(keys[1:], values[1:], strict=True)]
    facts = [(depth, fact(keys[0], values[0])), *others]
    return _asked(source, generator, "multi-key", length, facts, question(keys[0]), values[:1], depth)


def multi_value(source: Source, generator: random.Random, length: int, depth: float) -> Probe:
    """Four words for one key, all asked for, in the order in which they stand in the text."""
    (key,), _ = _pairs(source, generator, 1)
    depths = _depths(generator, depth)
    values = generator.sample(VALUES[: source.words], NEEDLES)
    facts = [(at, fact(key, value)) for at, value in zip(depths, values, strict=True)]
    asked = f"\nWhich words go with {key}, in their order? Remember: {key}"
    return _asked(source, generator, "multi-value", length, facts, asked, values, depth)


def multi_query(source: Source, generator: random.Random, length: int, depth: float) -> Probe:
    """Four needles with keys of their own, all asked for, in an order of chance."""
    keys, values = _pairs(source, generator, NEEDLES)
    pairs = list(zip(keys, values, strict=True))
    facts = [(at, fact(key, value)) for at, (key, value) in zip(_depths(generator, depth), pairs, strict=True)]
    generator.shuffle(pairs)
    asked = f"\nWhich words go with {_listed([key for key, _ in pairs])}? They are"
    return _asked(source, generator, "multi-query", length, facts, asked, [value for _, value in pairs], depth)


def _asked(
    source: Source,
    generator: random.Random,
    task: str,
    length: int,
    facts: Sequence[tuple[float, str]],
    asked: str,
    values: Sequence[str],
    depth: float,
) -> Probe:
    answer = f" {_listed(values)}"
    return filled(source, generator, task=task, length=length, facts=facts, question=asked, answer=answer, depth=depth)


def _pairs(source: Source, generator: random.Random, count: int) -> tuple[list[str], list[str]]:
    return generator.sample(KEYS[: source.words], count), generator.sample(VALUES[: source.words], count)


def _depths(generator: random.Random, first: float) -> list[float]:
    """The given one, and others behind it, ascending."""
    return [first, *sorted(first + (1 - first) * generator.random() for _ in range(NEEDLES - 1))]


def _listed(words: Sequence[str]) -> str:
    """As one says it: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
