"""Variable tracking and common words (RULER, arXiv 2404.06654, sections 3.2 and 3.3)."""

from __future__ import annotations

import random

from lauter.trainer.probes.probe import Probe, ProbeError, Source, filled
from lauter.trainer.probes.words import made_up

HOPS = 4
"""Assignments of a variable to the next one: RULER's number (appendix B), five variables together."""

COMMON = 10
"""Words that are asked for."""

OFTEN = ((30, 3), (10, 1))
"""How often a common and an uncommon word stand in the list: RULER's numbers, and a third of them for short texts."""


def variable_tracking(source: Source, generator: random.Random, length: int, depth: float) -> Probe:
    """A chain X1 = value, X2 = X1, … in filler: all variables that have the value, in the chain's order."""
    names = [name.upper() for name in made_up(generator, HOPS + 1)]
    value = str(generator.randrange(10_000, 100_000))
    depths = [depth, *sorted(depth + (1 - depth) * generator.random() for _ in range(HOPS))]
    given = [value, *(f"VAR {name}" for name in names)]
    facts = [(at, f" VAR {name} = {one}.") for at, name, one in zip(depths, names, given, strict=False)]
    question = (
        f"\nWhich variables have the value {value}? By the chain of assignments in the text above, {len(names)} "
        "variables have it:"
    )
    return filled(
        source,
        generator,
        task="variable-tracking",
        length=length,
        facts=facts,
        question=question,
        answer=f" {', '.join(names)}",
        depth=depth,
    )


def common_words(source: Source, generator: random.Random, length: int, depth: float) -> Probe:
    """A list of words in an order of chance, in which ten stand ten times as often as all others: these ten.

    They are asked for in the order in which they come up first, so that there is one right answer. There is no filler
    but for the last few tokens, and nothing stands at a depth: the list fills the length.

    Raises:
        ProbeError: the length does not even hold the ten.
    """
    question = "\nWhich ten words are the most common in the list above, in the order of their first time? They are:"
    fixed = len(source.encode(question)) + 1
    words = made_up(generator, COMMON)
    rest = made_up(random.Random(generator.random()), length + COMMON)
    uncommon = [word for word in rest if word not in words]
    sizes = {word: len(source.encode(f" {word}")) for word in [*words, *uncommon]}
    for often, seldom in OFTEN:
        room = length - fixed - sum(sizes[word] for word in words) * (often + 1) - COMMON
        if room < 0:
            continue
        shown = words * often
        for word in uncommon:
            room -= seldom * sizes[word]
            if room < 0:
                break
            shown += [word] * seldom
        generator.shuffle(shown)
        ordered = sorted(words, key=shown.index)
        return filled(
            source,
            generator,
            task="common-words",
            length=length,
            facts=[(1.0, "".join(f" {word}" for word in shown))],
            question=question,
            answer=f" {', '.join(ordered)}",
            depth=depth,
        )
    raise ProbeError(f"task 'common-words' needs more than the length {length} with this tokenizer")
