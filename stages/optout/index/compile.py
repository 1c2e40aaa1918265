"""Compiles snapshots to the index that workers map: all steps in one process, as the engine runs them over many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from lauter.stages.optout.index.answers import COUNTED, answer_rows
from lauter.stages.optout.index.finish import INDEX_FILE, ORIGINS_FILE, write_index
from lauter.stages.optout.index.layout import ANSWER
from lauter.stages.optout.index.settle import settle
from lauter.stages.optout.index.settled import Settled
from lauter.stages.optout.index.terms import Terms

__all__ = ["INDEX_FILE", "ORIGINS_FILE", "compile_snapshots"]


def compile_snapshots(paths: Sequence[str], out: str, terms: Terms) -> Mapping[str, int]:
    """Write `robots.arrow` (schema `layout.INDEX`) and `origins.parquet` into the folder `out`; return counts.

    The bytes of both files depend on the answers and the terms alone, not on their order or files. Memory is that of
    all answers in compiled form; the steps of a partitioned build (`prepare.py`) hold a part of them at a time.

    Counts: those of `answers.answer_rows`, `settle.settle` and `finish.write_index`.
    """
    counts = Counter(dict.fromkeys(COUNTED, 0))
    rows = pa.concat_tables([ANSWER.empty_table(), *answer_rows(paths, terms, counts)])
    counts.update(dict.fromkeys(("superseded", "revisits", "unresolved"), 0))
    table = settle(rows, ANSWER.empty_table(), terms, counts)
    del rows
    write_index(Settled([table]), Path(out), terms, counts)
    return dict(counts)
