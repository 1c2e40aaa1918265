"""The contract of a stage whose decisions depend on the whole corpus: it counts, the engine sums, it decides.

What a stage counts are numbers of its own making: an n-gram, or a language and the bin of a score, which is how a
histogram of each language is made (`histograms`). A part counts its documents from their scores alone, the counts of
all parts are summed, and `decide` is told the sums. They are whole numbers, so neither the order in which parts finish
nor how files are cut has a say; they are an input of every `decide` task, by their content; and a limit that only
`decide` reads counts nothing anew.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@runtime_checkable
class SurveyingStage(Protocol):
    """A soft stage (`contract.SoftStage`) whose decisions depend on in how many documents of the corpus things occur.

    Documents are those that passed the hard decisions, copies among them. Memory and disk are bounded by the distinct
    numbers, 16 bytes each: for a histogram, keys times bins.
    """

    @classmethod
    def surveys(cls, config: Any) -> bool:  # noqa: ANN401 - the stage's own Config
        """Whether it asks with these parameters."""
        ...

    def occurrences(self, scores: pa.RecordBatch) -> NDArray[np.uint64]:
        """Numbers of what occurs in each document, each once a document, one document after another."""
        ...

    def surveyed(self, number: NDArray[np.uint64], documents: NDArray[np.uint64]) -> None:
        """Learn the documents of each number that occurs, sorted by number; called before `decide`."""
        ...
