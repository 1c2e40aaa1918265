"""The steps of compiling as the engine runs them: by snapshot file, then by range of ids, then once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.optout.index.answers import COUNTED, answer_rows
from lauter.stages.optout.index.finish import write_index
from lauter.stages.optout.index.layout import ANSWER, SETTLED
from lauter.stages.optout.index.settle import QUESTION, asked_rows, questions, settle
from lauter.stages.optout.index.settled import Settled
from lauter.stages.optout.index.terms import Terms

_SETTLING = ("superseded", "revisits", "unresolved")


class PartitionedCompile:
    """The methods of `contract.PartitionedStage` for a stage whose `terms` say what is compiled.

    Answers are shuffled by their `origin_id`. A revisit asks all ranges for what it refers to; where a redirect or a
    pointer to licence terms leads is looked up at the end, in the settled ranges of all, which are memory-mapped.
    """

    terms: Terms
    prepare_from: ClassVar[str] = "snapshot"
    prepare_rows: ClassVar[pa.Schema] = ANSWER
    prepare_questions: ClassVar[pa.Schema] = QUESTION
    prepare_settled: ClassVar[pa.Schema] = SETTLED

    def prepare_whole(self, paths: Sequence[str], out: str) -> Mapping[str, int]:
        """All steps in one."""
        counts: Counter[str] = Counter()
        rows = pa.concat_tables([ANSWER.empty_table(), *(table for table, _ in self.prepare_map(paths, counts))])
        settled = self.prepare_range(rows, ANSWER.empty_table(), counts)
        del rows
        return self.prepare_finish([settled], out, counts)

    def prepare_map(self, paths: Sequence[str], counts: Counter[str]) -> Iterator[tuple[pa.Table, NDArray[np.uint64]]]:
        """The answers in snapshot files, and the id of each."""
        counts.update(dict.fromkeys(COUNTED, 0))
        for table in answer_rows(paths, self.terms, counts):
            yield table, table.column("id").to_numpy()

    def prepare_ask(self, rows: pa.Table) -> pa.Table:
        """What revisits refer to."""
        return questions(rows)

    def prepare_answer(self, rows: pa.Table, asked: Iterable[pa.Table]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """The answers that revisits may refer to, and who asks."""
        return asked_rows(rows, asked)

    def prepare_range(self, rows: pa.Table, answers: pa.Table, counts: Counter[str]) -> pa.Table:
        """The answers that count, in order."""
        counts.update(dict.fromkeys(_SETTLING, 0))
        return settle(rows, answers, self.terms, counts)

    def prepare_finish(self, ranges: Sequence[pa.Table], out: str, counts: Counter[str]) -> Mapping[str, int]:
        """`robots.arrow` and `origins.parquet`."""
        write_index(Settled(ranges), Path(out), self.terms, counts)
        return dict(counts)
