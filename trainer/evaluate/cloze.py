"""Multiple choice by likelihood: which of a few ends is the likeliest, for its length?

Per byte, so that a long choice has no disadvantage (what lm-evaluation-harness calls `acc_norm`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lauter.trainer.evaluate.likelihood import likelihoods, request
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus


@dataclass(frozen=True, slots=True)
class Item:
    """A text, and how it may go on."""

    text: str
    choices: tuple[str, ...]
    """The first one is right; what follows from likelihoods does not depend on the order."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of all items of one language."""

    items: int
    right: float
    """Share whose right choice is the likeliest for its length; a tie counts as wrong."""
    chance: float
    """The same of somebody who guesses."""

    def to_json(self) -> dict[str, Any]:
        """As the result holds it."""
        return {"accuracy": self.right, "chance": self.chance, "items": self.items}


def own_items() -> dict[str, list[Item]]:
    """The set that comes with Lauter, language -> items: 54 of them in five languages."""
    content = yaml.safe_load(Path(__file__).with_name("cloze.yaml").read_text("utf-8"))
    return {name: [Item(text, tuple(choices)) for text, *choices in items] for name, items in content.items()}


def cloze(model: Apertus, tokenizer: TextTokenizer, items: Mapping[str, Sequence[Item]]) -> dict[str, Chosen]:
    """Accuracy by language, in the order given.

    Text and choice are encoded together (`likelihood.request`).

    Raises:
        TokenizerError: a text can't become ids.
    """
    asked = [(name, item) for name, some in items.items() for item in some]
    requests = [request(tokenizer, item.text, choice) for _, item in asked for choice in item.choices]
    found = iter(likelihoods(model, requests))
    right: dict[str, list[bool]] = {}
    for name, item in asked:
        scores = [next(found).log / len(choice.encode()) for choice in item.choices]
        right.setdefault(name, []).append(scores[0] > max(scores[1:]))
    return {
        name: Chosen(len(some), sum(right[name]) / len(some), sum(1 / len(item.choices) for item in some) / len(some))
        for name, some in items.items()
    }
