"""A stage that drops what is on a list and asks for the copies of it; rewriters behind it count what they see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Literal

import pyarrow as pa

from lauter.pipeline.contract import ReadBatch, Reason, StageConfig, StageContext
from lauter.pipeline.manifest import Catalogue
from tests.pipeline import counting_stage
from tests.pipeline.counting_stage import SEEN
from tests.pipeline.origin_stage import Origins
from tests.pipeline.small_stages import LineReader, LookupConfig


class ReservedConfig(LookupConfig):
    """The list, and what becomes of copies."""

    mirrors: Literal["keep", "drop"] = "keep"


class Reserved(Origins):
    """`Origins` to whom copies matter."""

    name: ClassVar[str] = "reserved"
    Config: ClassVar[type[StageConfig]] = ReservedConfig
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("blocked", mirrored=True),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"mirrors"})

    def __init__(self, config: ReservedConfig, context: StageContext) -> None:
        super().__init__(config, context)

    @classmethod
    def mirrors(cls, config: ReservedConfig) -> Literal["keep", "drop"]:
        """As the parameter says."""
        return config.mirrors


class Claimed(Reserved):
    """A second one, with a list of its own."""

    name: ClassVar[str] = "claimed"


CATALOGUE = Catalogue(
    readers=counting_stage.CATALOGUE.readers,
    stages={
        **counting_stage.CATALOGUE.stages,
        "reserved": "tests.pipeline.mirror_stage:Reserved",
        "claimed": "tests.pipeline.mirror_stage:Claimed",
    },
    barriers=counting_stage.CATALOGUE.barriers,
    encoder=counting_stage.CATALOGUE.encoder,
)


class RangedReader(LineReader):
    """Lines whose ranges hold their ends, so that some of them are a file; counts the lines that it reads."""

    excerpts: ClassVar[bool] = True

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """As `LineReader`."""
        for batch in super().read(stream, file):
            SEEN["read"] += batch.records.num_rows
            yield ReadBatch(self._ranged(batch.records), batch.verdict)

    def _ranged(self, records: pa.RecordBatch) -> pa.RecordBatch:
        at = records.schema.get_field_index("length")
        longer = pa.array([length + 1 for length in records.column("length").to_pylist()], pa.int64())
        return records.set_column(at, records.schema.field(at), longer)


class SharedReader(RangedReader):
    """All lines share one range, the first 40 bytes: some of them are no file."""

    def _ranged(self, records: pa.RecordBatch) -> pa.RecordBatch:
        for name, value in (("offset", 0), ("length", 40)):
            at = records.schema.get_field_index(name)
            records = records.set_column(at, records.schema.field(at), pa.array([value] * len(records), pa.int64()))
        return records
