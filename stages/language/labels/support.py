"""How well the embedded model knows each of its labels: the table that is made with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple, TypeGuard, get_args

Level = Literal["well", "weak", "words", "untested"]
"""Well supported; below that, on running text; scored by words alone, for want of text; nothing to score it with."""

LEVELS: tuple[Level, ...] = get_args(Level)

LEVEL_WORDS: Mapping[Level, str] = {
    "well": "well supported",
    "weak": "weakly supported",
    "words": "word list only",
    "untested": "not scored",
}
"""The levels as people read them."""

COLUMNS = ("label", "level", "scored", "threshold", "document", "cluster")
"""Columns that a table must have. Others are figures (`f1_udhr`, `n_udhr`, …), empty where there was no such test."""

EMBEDDED = "models/embedded/labels.tsv"
"""Where it lies, below the folder of the stage."""


class Support(NamedTuple):
    """What is known of one label of a model."""

    label: str
    level: Level
    scored: str
    """What its score rests on: running text, word types held out of training, or nothing."""
    threshold: float
    """Probability from which an answer of a line keeps its precision."""
    cluster: str
    """Name of the group of sister languages that the model does not tell apart, or empty."""
    figures: Mapping[str, float]
    """The other columns that have a number."""
    tier: str = ""
    """The column `tier`, what it was trained on: A running text or counted words, B a list of at least 1,000 word
    types, C at least 300, D fewer. Empty where the table has none."""
    document: float = 0.9
    """Probability from which a document is taken to be in it, where no manifest says otherwise."""

    @property
    def is_thin(self) -> bool:
        """Whether little speaks for it: no running text to score it with, or few words to learn it from.

        A text of a large language is taken for such a label at its peril.
        """
        return self.level in ("words", "untested") or self.tier in ("C", "D")


@cache
def embedded() -> Mapping[str, Support]:
    """The labels of the embedded model, in its order.

    Raises:
        FileNotFoundError: This installation has no embedded model.
    """
    with resources.as_file(resources.files("lauter.stages.language").joinpath(EMBEDDED)) as path:
        return read(path)


def read(path: Path) -> Mapping[str, Support]:
    """Read a table of labels: tab-separated, comments in front, then a line that names the columns.

    Raises:
        ValueError: A column is missing, or a row can't be read; the message says where.
        OSError: The file can't be read.
    """
    names: list[str] | None = None
    found: dict[str, Support] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        cells = line.split("\t")
        if names is None:
            names = cells
            missing = [name for name in COLUMNS if name not in names]
            if missing:
                raise ValueError(f"{path}:{number}: no column {', '.join(missing)}")
            continue
        row = dict(zip(names, cells, strict=False))
        if len(cells) != len(names):
            raise ValueError(f"{path}:{number}: {len(cells)} cells in a table of {len(names)} columns")
        level = row["level"]
        if not _is_level(level):
            raise ValueError(f"{path}:{number}: level {level!r} is none of {', '.join(LEVELS)}")
        threshold, document = (_probability(row, name, f"{path}:{number}") for name in ("threshold", "document"))
        if row["label"] in found:
            raise ValueError(f"{path}:{number}: {row['label']} is there twice")
        figures = {name: value for name in names if name not in COLUMNS and (value := _number(row[name])) is not None}
        found[row["label"]] = Support(
            row["label"], level, row["scored"], threshold, row["cluster"], figures, row.get("tier", ""), document
        )
    if not found:
        raise ValueError(f"{path}: no label in it")
    return found


def _is_level(word: str) -> TypeGuard[Level]:
    return word in LEVELS


def _probability(row: Mapping[str, str], name: str, where: str) -> float:
    value = _number(row[name])
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"{where}: {name} {row[name]!r} is no probability")
    return value


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
