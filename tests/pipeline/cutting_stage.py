"""Small stages, the real one that cuts passages behind them, one that writes placeholders, and their encoder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import Reason, StageConfig, StageContext, Verdict
from lauter.pipeline.manifest import Catalogue
from tests.pipeline import small_stages
from tests.pipeline.small_stages import NoConfig

PLACEHOLDER = 300
HERE = "tests.pipeline.cutting_stage"


class Marks:
    """Replaces every @name by a placeholder."""

    name: ClassVar[str] = "marks"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ("text",)
    documents: ClassVar[pa.Schema] = schema.fields(schema.DOCUMENT, "text", "pii_spans")
    scores: ClassVar[pa.Schema] = pa.schema([])
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def apply(self, batch: pa.RecordBatch) -> Verdict:
        texts = [re.sub(r"@\w+", "<é-pii>", text) for text in batch.column("text").to_pylist()]
        spans = [
            [{"start": found.start(), "end": found.end(), "type": "é"} for found in re.finditer("<é-pii>", text)]
            for text in texts
        ]
        return Verdict(
            np.zeros(batch.num_rows, np.uint8),
            {"text": pa.array(texts, pa.large_string()), "pii_spans": pa.array(spans, pa.list_(schema.SPAN))},
        )


class Placed:
    """One token a byte between 256 and 257, and one for each span."""

    name: ClassVar[str] = "placed"
    version: ClassVar[int] = 1
    Config: ClassVar[type[StageConfig]] = NoConfig

    def __init__(self, config: NoConfig, context: StageContext) -> None:
        pass

    def open(self) -> None:
        pass

    def encode(self, text: pa.LargeStringArray, spans: pa.ListArray | None) -> pa.ListArray:
        rows = []
        for value, own in zip(
            text.to_pylist(), spans.to_pylist() if spans is not None else [[]] * len(text), strict=True
        ):
            ids, at = [256], 0
            for span in own or ():
                ids += [*value[at : span["start"]].encode(), PLACEHOLDER]
                at = span["end"]
            rows.append([*ids, *value[at:].encode(), 257])
        return pa.array(rows, pa.list_(pa.uint32()))

    def files(self) -> Mapping[str, bytes]:
        sidecar = {
            "bos": {"id": 256, "token": "<s>"},
            "eos": {"id": 257, "token": "</s>"},
            "placeholders": {"é": {"id": PLACEHOLDER, "token": "<é>"}},
        }
        return {"tokenizer.json": b"{}", "sidecar.json": json.dumps(sidecar).encode()}


CATALOGUE = Catalogue(
    readers=small_stages.CATALOGUE.readers,
    stages={**small_stages.CATALOGUE.stages, "marks": f"{HERE}:Marks"},
    barriers=small_stages.CATALOGUE.barriers,
    cutters={"passages": "lauter.stages.passages.stage:RepeatedPassages"},
    encoder=f"{HERE}:Placed",
)
