"""Compiles snapshots in one process: the steps that the engine runs over many workers, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lauter.stages.optout.index.finish import INDEX_FILE, ORIGINS_FILE
from lauter.stages.optout.index.prepare import PartitionedCompile
from lauter.stages.optout.index.terms import Terms

__all__ = ["INDEX_FILE", "ORIGINS_FILE", "compile_snapshots"]


def compile_snapshots(paths: Sequence[str], out: str, terms: Terms) -> Mapping[str, int]:
    """Write `robots.arrow` (schema `layout.INDEX`) and `origins.parquet` into the folder `out`; return counts.

    Of several answers of one origin and kind the newest counts (see `settle.settle`); answers after `terms.as_of` do
    not count at all. The bytes of both files depend on the answers and the terms alone, not on their order or files.
    Memory is that of all answers in compiled form. Counts: those of `answers.answer_rows`, `settle.settle` and
    `finish.write_index`.
    """
    compiling = PartitionedCompile()
    compiling.terms = terms
    return compiling.prepare_whole(paths, out)
