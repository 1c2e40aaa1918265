"""What a model's labels mean: ISO 639-3 language and ISO 15924 script, `deu_Latn`.

Two kinds of model are understood. One whose labels have that form already (GlotLID, OpenLID) is taken at its word. One
that names a language only (lid.176) gets the script from the text, and a label is refused where the text has next to
no letter of a script that the language is written in: lid.176 must answer something, and on a text in Cherokee or
Tifinagh it answers with a language that it cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from lauter.stages.language.labels.registry import rows

LABEL = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
"""The form of a label: ISO 639-3, underscore, ISO 15924."""

UNIDENTIFIED = ("mis_", "mul_", "und_", "zxx_")
"""How the label of a text without one identified language begins (ISO 639-3, codes for special situations)."""

_PREFIX = "__label__"


class Meaning(NamedTuple):
    """The language of a model's label, and the scripts that it may be written in (none: the label has the script)."""

    language: str
    scripts: tuple[str, ...]


@cache
def wikipedia_labels() -> Mapping[str, Meaning]:
    """The labels of lid.176, from the table beside this file."""
    return {code: Meaning(language, tuple(scripts.split(","))) for code, language, scripts, _ in rows("wikipedia.tsv")}


def meanings(labels: Sequence[str]) -> dict[str, Meaning]:
    """What each label of a model means.

    Args:
        labels: As the model gives them, `__label__` in front.

    Raises:
        ValueError: A label is neither of the form `deu_Latn` nor one of lid.176.
    """
    known = wikipedia_labels()
    result = {}
    for label in labels:
        name = label.removeprefix(_PREFIX)
        if LABEL.fullmatch(name):
            result[label] = Meaning(name, ())
        elif name in known:
            result[label] = known[name]
        else:
            raise ValueError(f"the language model has a label that is neither like deu_Latn nor one of lid.176: {name}")
    return result


def is_unidentified(label: str) -> bool:
    """Whether a label says that no one language was identified."""
    return label.startswith(UNIDENTIFIED)
