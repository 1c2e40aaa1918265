"""Questions that have one right answer in any language: words to copy, sums to work out.

A question is an example or more and then one that is open. Words and sentences are in `words.yaml`, written for Lauter.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

COPIED = 6
"""Words of a list that is to be copied."""
EXAMPLES = 4
"""Sums with their results before the open one."""
LARGEST = 20
"""Of a sum's numbers: results have one or two digits."""


@dataclass(frozen=True, slots=True)
class Question:
    """A text up to where the answer begins, and the answer."""

    task: str
    language: str
    text: str
    answer: str
    """With the space before it and the sign that ends it."""


def questions(tasks: Sequence[str], count: int, seed: int) -> Iterator[Question]:
    """`count` of each task and language; each depends on nothing but its number and the seed."""
    content = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))
    for task in tasks:
        for language, known in content.items():
            for number in range(count):
                generator = random.Random(f"{seed}\0{task}\0{language}\0{number}")
                text, answer = WRITTEN[task](known, generator)
                yield Question(task, language, text, answer)


def _copy(known: Mapping[str, Any], generator: random.Random) -> tuple[str, str]:
    """A list of words, once whole, and once up to behind its first word."""
    words = generator.sample(known["words"], COPIED)
    return f"{' '.join(words)}.\n{words[0]}", f" {' '.join(words[1:])}."


def _arithmetic(known: Mapping[str, Any], generator: random.Random) -> tuple[str, str]:
    """Sums and differences, none below 0 and none twice."""
    sums: dict[str, int] = {}
    while len(sums) <= EXAMPLES:
        a, b = generator.randint(0, LARGEST), generator.randint(0, LARGEST)
        plus = generator.random() < 0.5
        a, b = (a, b) if plus else (max(a, b), min(a, b))
        sums.setdefault(known["plus" if plus else "minus"].format(a=a, b=b), a + b if plus else a - b)
    *examples, (asked, result) = sums.items()
    lines = [f"{text} {value}.\n" for text, value in examples]
    return f"{''.join(lines)}{asked}", f" {result}."


WRITTEN: Mapping[str, Callable[[Mapping[str, Any], random.Random], tuple[str, str]]] = {
    "copy": _copy,
    "arithmetic": _arithmetic,
}
"""Task -> what makes one question of what is known of a language."""
