"""What the audit asks of a hard stage whose keeps can be derived again, by another path than the stage's own.

The engine hands over kept rows in the order of their URLs; what decides a permission it never learns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa


class Verifier(Protocol):
    """Re-derives a stage's decisions by another path than the stage, for the audit.

    It can be pickled: copies of it work in other processes, as long as the first is not closed.
    """

    def check(self, ledger: pa.RecordBatch, signals: pa.RecordBatch) -> Iterator[tuple[int, str]]:
        """Row of the batch, and one sentence with evidence, for each record that was kept and should not have been.

        `ledger`: kept rows of any parts (`doc_id`, `url`, `fetched_at` of `schema.LEDGER`) in the order of their URLs,
        pages of one host in one batch after another; `signals`: their `schema.SIGNAL` rows, `row` counting in the
        batch, in order. Memory does not grow with the number of calls, as long as `tally` is called between them.
        """
        ...

    def tally(self) -> Mapping[str, int]:
        """Counts of what `check` saw since the last `tally`, to be summed over all calls and copies.

        It is called between hosts only: no host (`origin.normalise`) has pages on both sides of a call.
        """
        ...

    def covered(self, tally: Mapping[str, int]) -> str:
        """One sentence, from the sum of all tallies, of how much there was to derive the decisions from."""
        ...

    def notes(self, tally: Mapping[str, int]) -> list[str]:
        """What could not be checked, and why, and what the sum of all tallies should make suspicious."""
        ...

    def close(self) -> None:
        """Remove what it has put on disk."""
        ...


@runtime_checkable
class VerifiedStage(Protocol):
    """A hard stage whose keeps the audit derives again."""

    @classmethod
    def audited(cls, config: Any, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the stage's own Config
        """The parameters to verify with: those that a corpus was built with, and what an auditor wants instead.

        `options` are his words by name, None where he has none. Raises ValueError for one that cannot be used.
        """
        ...

    @classmethod
    def verifier(cls, config: Any) -> Verifier:  # noqa: ANN401 - the stage's own Config
        """A verifier for some parameters (`audited`). Raises ValueError or OSError for a file that cannot be read."""
        ...
