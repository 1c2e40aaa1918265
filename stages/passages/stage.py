"""The cutting stage `passages`: lines, paragraphs or sentences that stand elsewhere in the corpus too are cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from lauter.pipeline.contract import Reason, ReportSection, StageConfig, StageContext
from lauter.pipeline.cutting import ONLY_REPEATED, Cuts, Passages, Repeated
from lauter.stages.kernels.words import text_buffers
from lauter.stages.passages.config import UNITS, PassagesConfig
from lauter.stages.passages.cut import cut
from lauter.stages.passages.report import passages_report
from lauter.stages.passages.sign import sign


class RepeatedPassages:
    """Cuts lines, paragraphs or sentences that stand in the corpus more often than wanted; it comes after all others.

    What stays is what is read first (`cutting.CuttingStage`). A passage whose first occurrence lies in a document that
    goes as a whole is lost with it: fewer than `min_left` words a document.
    """

    name: ClassVar[str] = "passages"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = PassagesConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    reasons: ClassVar[tuple[Reason, ...]] = (Reason(ONLY_REPEATED),)
    """For the manual; which documents end so, `cut` says."""

    def __init__(self, config: PassagesConfig, context: StageContext) -> None:
        self._config = config

    def sign(self, batch: pa.RecordBatch) -> Passages:
        """The passages of a batch with the column `text`; a null text has none.

        Memory: 32 bytes a passage, and twice that for a moment.
        """
        config = self._config
        texts = text_buffers(batch.column("text"))
        places, key = sign(texts.data, texts.offsets, UNITS[config.unit], config.window, config.min_words, config.flags)
        return Passages(places[:, 0], places[:, 1], places[:, 2], key)

    @classmethod
    def keeps(cls, config: PassagesConfig) -> int:
        """As the parameter says."""
        return config.keep

    def cut(self, batch: pa.RecordBatch, repeated: Repeated) -> Cuts:
        """The repeated passages with the white space at their seams (`passages.cut`)."""
        texts = text_buffers(batch.column("text"))
        row, first, last = (np.ascontiguousarray(column) for column in (repeated.row, repeated.start, repeated.end))
        cuts, dropped = cut(texts.data, texts.offsets, row, first, last, self._config.min_left)
        return Cuts(cuts[:, 0], cuts[:, 1], cuts[:, 2], dropped)

    @classmethod
    def tell(cls, row: Mapping[str, Any]) -> str | None:
        """What was cut of a record (`explain`): how much, and how often the most frequent passage of it stands."""
        found = row.get("cuts")
        if not found:
            return None
        often = f"the most frequent passage of it stands {found['occurrences']:,} times"
        if row["reason"] == ONLY_REPEATED:
            return f"ends here: too little of its {found['chars']:,} characters stands nowhere else; {often}"
        places = "1 place" if found["places"] == 1 else f"{found['places']:,} places"
        return f"cuts {found['chars']:,} characters at {places} that stand elsewhere too; {often}"

    @classmethod
    def report(
        cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: PassagesConfig
    ) -> ReportSection | None:
        """The section of the report (`contract.ReportingStage`)."""
        return passages_report(summary["cuts"], config)
