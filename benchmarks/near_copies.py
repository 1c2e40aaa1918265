"""Documents with planted near copies, made of real texts: what `clustering.py` signs.

Pieces of `PIECE` words; `COPIES` of all are near copies of another one, perhaps itself a copy, with words of other
texts in place of some: similarities are drawn evenly from 0.5 to 1. Where texts are too few there are pieces with half
of their words replaced, which are like nothing.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from datatrove.utils.text import simplify_text

from lauter.stages.dedup.config import DedupConfig
from lauter.stages.dedup.stage import Dedup

PIECE, NGRAM, COPIES = 200, 5, 0.3


def planted(path: Path, wanted: int) -> tuple[list[str], list[int]]:
    """Texts in any order, and of each the number of its group; `path`: pages with a text, a JSON object a line."""
    draw = random.Random(0)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        pages = [text.split() for line in lines if (text := json.loads(line)["gt"].get("text"))]
    vocabulary = [word for page in pages for word in page]

    def changed(words: list[str], share: float) -> list[str]:
        return [draw.choice(vocabulary) if draw.random() < share else word for word in words]

    found = [page[at : at + PIECE] for page in pages for at in range(0, len(page) - PIECE // 2, PIECE)]
    draw.shuffle(found)
    copies = int(wanted * COPIES)
    found = found[: wanted - copies]
    found += [changed(draw.choice(found), 0.5) for _ in range(wanted - copies - len(found))]
    groups = list(range(len(found)))
    for _ in range(copies):
        of = draw.choice([draw.randrange(copies), draw.randrange(len(found))])
        alike = draw.uniform(0.5, 1)
        # A run of words stays where none of its words is replaced: (1 - share)**NGRAM of all, which is 2J / (1 + J).
        found.append(changed(found[of], 1 - (2 * alike / (1 + alike)) ** (1 / NGRAM)))
        groups.append(groups[of])
    order = draw.sample(range(wanted), wanted)
    return [" ".join(found[place]) for place in order], [groups[place] for place in order]


def pairs_of(groups: Sequence[int]) -> list[tuple[int, int]]:
    """All pairs of documents of the same group."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for document, group in enumerate(groups):
        members[group].append(document)
    return [pair for group in members.values() for pair in itertools.combinations(group, 2)]


def shingles(texts: list[str]) -> list[list[frozenset[Any]]]:
    """Runs of words of each text, by Lauter's words and by datatrove's."""
    evidence = Dedup(DedupConfig()).evidence(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    words = [simplify_text(text).split() for text in texts]
    runs = [frozenset(zip(*(some[at:] for at in range(NGRAM)), strict=False)) for some in words]
    return [[frozenset(one.as_py()) for one in evidence], runs]
