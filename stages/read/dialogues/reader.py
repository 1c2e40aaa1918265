"""The reader of dialogues: JSONL, plain or compressed, or Parquet, told by its first bytes; a row is one dialogue."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from lauter.chat.control import NAMES
from lauter.chat.conversation import ChatError
from lauter.pipeline.contract import FileCount, ReadBatch, Reason, StageConfig
from lauter.stages.read.columns import TableConfig
from lauter.stages.read.dialogues.config import DialoguesConfig
from lauter.stages.read.dialogues.row import conversation_of, row_of
from lauter.stages.read.jsonl import CHECKED_LINES, JsonlReader, Line, json_object
from lauter.stages.read.parquet import ParquetReader
from lauter.stages.read.rows import BATCH_BYTES, Row, corrupt_row

REASONS = (
    Reason("corrupt-range", "error"),
    Reason("unsupported-format", "error"),
    Reason("record-too-large", "error"),
    Reason("invalid-json", "error"),
    Reason("no-text"),
    Reason("text-too-large", "error"),
    Reason("no-dialogue", "error"),
    Reason("no-answer"),
)
"""Why a row ends in the reader. `no-dialogue`: it has not the shape; the evidence says what and in which turn."""

_PARQUET = b"PAR1"


class DialoguesReader:
    """Reads instruction data in the usual public shapes; each dialogue is a record whose text is its turns.

    Its `marks` (`schema.MARK`) say which control tokens of the chat format stand between the turns and what carries
    loss. A row without an answer ends as `no-answer`, unless prompts are what is taken.
    """

    name: ClassVar[str] = "dialogues"
    version: ClassVar[int] = 1
    provides_text: ClassVar[bool] = True
    marked: ClassVar[frozenset[str]] = frozenset(NAMES)
    Config: ClassVar[type[StageConfig]] = DialoguesConfig
    reasons: ClassVar[tuple[Reason, ...]] = REASONS

    def __init__(self, config: DialoguesConfig, source_name: str) -> None:
        self._config = config
        self._jsonl = _Lines(config, source_name)
        self._parquet = _Table(config, source_name)

    def check(self, stream: BinaryIO) -> None:
        """Raise `ValueError`, with the first fault, if none of the first hundred rows has the shape."""
        fault = None
        for fields in islice(self.given(stream), CHECKED_LINES):
            try:
                conversation_of(fields, self._config)
            except ChatError as error:
                fault = fault or f"no row has the shape `{self._config.shape}`; the first one: {error}"
            else:
                return
        if fault is not None:
            raise ValueError(fault)

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """Every row once, in file order."""
        return self._of(stream).read(stream, file)

    def count(self, stream: BinaryIO) -> FileCount:
        """The rows by other code than `read`: lines that are not blank, or those of a Parquet file's footer."""
        return self._of(stream).count(stream)

    def given(self, stream: BinaryIO) -> Iterator[dict[str, object]]:
        """The fields of each row (`showing.ShowingReader`)."""
        return self._of(stream).given(stream)

    def _of(self, stream: BinaryIO) -> _Lines | _Table:
        stream.seek(0)
        head = stream.read(len(_PARQUET))
        stream.seek(0)
        return self._parquet if head == _PARQUET else self._jsonl


def _limits(config: DialoguesConfig) -> TableConfig:
    return TableConfig(max_record_bytes=config.max_record_bytes, max_text_bytes=config.max_text_bytes)


class _Lines(JsonlReader):
    """Lines as dialogues."""

    reasons = REASONS

    def __init__(self, config: DialoguesConfig, source_name: str) -> None:
        super().__init__(_limits(config), source_name)
        self._dialogues = config

    def _row(self, line: Line, content: bytes, file: str) -> Row:
        fields = json_object(content, first=line.start == 0)
        if fields is None:
            return corrupt_row(self._source, file, line.start, line.end, "invalid-json")
        return row_of(fields, self._dialogues, self._source, file, line.start, line.end - line.start)


class _Table(ParquetReader):
    """Rows of a table as dialogues."""

    reasons = REASONS

    def __init__(self, config: DialoguesConfig, source_name: str) -> None:
        super().__init__(_limits(config), source_name)
        self._dialogues = config

    def _batches(self, table: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
        meta = table.metadata.row_group(group)
        # As Python objects a row takes some five times the bytes that it has in the file.
        mean = max(1, meta.total_byte_size // max(1, meta.num_rows))
        size = max(1, BATCH_BYTES // 8 // mean)
        return iter(table.iter_batches(batch_size=size, row_groups=[group], use_threads=False))

    def _rows(self, batch: pa.RecordBatch, first: int, file: str) -> Iterator[Row]:
        for index, fields in enumerate(map(_fields, _slices(_dated(batch))), first):
            if fields is None:
                yield corrupt_row(self._source, file, index, index + 1, "corrupt-range")
            else:
                yield row_of(fields, self._dialogues, self._source, file, index, 1)

    def _shown(self, batch: pa.RecordBatch) -> list[dict[str, object]]:
        return [_fields(row) or {} for row in _slices(_dated(batch))]


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    return (batch.slice(index, 1) for index in range(batch.num_rows))


def _dated(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same with dates and timestamps as ISO 8601 in UTC, to the second.

    Python holds no nanoseconds, years beyond 9999 or zones that it does not know, and no dialogue is lost for them.
    """
    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s", tz=getattr(column.type, "tz", None)), safe=False)
            column = column.cast(pa.timestamp("s")).cast(pa.string())
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _fields(row: pa.RecordBatch) -> dict[str, Any] | None:
    """The only row of a batch as Python objects; None where a text of it is no UTF-8, or Python has no such value."""
    try:
        fields: dict[str, Any] = row.to_pylist()[0]
    except (pa.ArrowException, ValueError, OverflowError, LookupError):
        return None
    return fields
