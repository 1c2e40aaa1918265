"""Stages behind a prepared one that count the rows they see: what an incremental build runs again, and what not."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.pipeline.manifest import Catalogue
from tests.pipeline import origin_stage
from tests.pipeline.small_stages import NoConfig, Words

SEEN: Counter[str] = Counter()
"""Rows by stage, of this process."""


class CountedWords(Words):
    """Rewrites text, and counts."""

    name: ClassVar[str] = "counted"

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        super().__init__(config, context)

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """As `Words`."""
        SEEN["counted"] += batch.num_rows
        return super().apply(batch)


class Marks:
    """Writes columns of every kind, some of them null; drops what says `delta`, raises on what says `boom`."""

    name: ClassVar[str] = "marks"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "language", "script", "pii_spans", "title")
    scores: ClassVar[pa.Schema] = pa.schema(
        [schema.DOCUMENT.field("language"), *schema.fields(schema.SCORE, "toxicity", "top_ngram_ratios")]
    )
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("delta"),)

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        """Nothing to load."""

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        """Spans over the vowels of the first word; a text of an odd number of letters has nulls."""
        texts = batch.column("text").to_pylist()
        if any("boom" in text for text in texts):
            raise ValueError("boom")
        SEEN["marks"] += len(texts)
        even = [len(text) % 2 == 0 for text in texts]
        spans = [
            [{"start": i, "end": i + 1, "type": "vowel"} for i, c in enumerate(text[:6]) if c in "aeiou"]
            for text in texts
        ]
        columns: dict[str, Any] = {
            "language": [f"{text[0]}ng_Latn" if ok else None for text, ok in zip(texts, even, strict=True)],
            "script": ["Latn"] * len(texts),
            "pii_spans": [found if ok else None for found, ok in zip(spans, even, strict=True)],
            "title": [text.split()[-1] if ok else None for text, ok in zip(texts, even, strict=True)],
            "toxicity": [len(text) for text in texts],
            "top_ngram_ratios": [[len(text), 1, 2] if ok else None for text, ok in zip(texts, even, strict=True)],
        }
        fields = {field.name: field for field in (*self.documents, *self.scores)}
        bad = np.array(["delta" in text for text in texts], np.uint8)
        rule = [{"agent": None, "signal": "word", "line": 2, "text": "delta"} if b else None for b in bad]
        return Verdict(
            bad,
            {name: pa.array(columns[name], field.type) for name, field in fields.items()},
            pa.array(rule, schema.RULE),
        )


class ByOrigin(Marks):
    """A later stage that reads what the prepared one writes, so that nothing of it can be taken over."""

    name: ClassVar[str] = "by-origin"
    reads: ClassVar[tuple[str, ...]] = ("text", "origin_id")


CATALOGUE = Catalogue(
    readers=origin_stage.CATALOGUE.readers,
    stages={
        **origin_stage.CATALOGUE.stages,
        "counted": "tests.pipeline.counting_stage:CountedWords",
        "marks": "tests.pipeline.counting_stage:Marks",
        "by-origin": "tests.pipeline.counting_stage:ByOrigin",
    },
    barriers=origin_stage.CATALOGUE.barriers,
    encoder=origin_stage.CATALOGUE.encoder,
)
