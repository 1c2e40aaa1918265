"""Which columns of a Parquet or JSONL file hold a document; FineWeb's names by default."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from pydantic import Field

from lauter.pipeline import identity
from lauter.pipeline.contract import Reason, StageConfig
from lauter.stages.read.rows import MAX_TEXT_BYTES, Row

REASONS = (
    Reason("corrupt-range", "error"),
    Reason("unsupported-format", "error"),
    Reason("record-too-large", "error"),
    Reason("invalid-json", "error"),
    Reason("no-text"),
    Reason("text-too-large", "error"),
)
"""Why a row of a Parquet or JSONL file ends in the reader."""


class Columns(StageConfig):
    """Names of the columns. A name that the manifest gives must be in the file; of the defaults only `text` must."""

    text: str = "text"
    """The document's text."""

    id: str | None = "id"
    """An identifier that stays with the document when the file is copied or split; without one the content is the
    identity."""

    url: str | None = "url"
    """Where the document was found."""

    date: str | None = "date"
    """When it was fetched: ISO 8601, UTC unless it names a zone."""


class TableConfig(StageConfig):
    """Parameters of the readers of Parquet and JSONL files."""

    columns: Columns = Columns()
    """Names of the columns."""

    max_record_bytes: int = Field(default=64 << 20, ge=1, le=1 << 31)
    """Bytes of a line (JSONL) or of a text (Parquet) above which a row becomes `record-too-large`."""

    max_text_bytes: int = Field(default=MAX_TEXT_BYTES, ge=1, le=1 << 31)
    """Bytes of a text, as UTF-8, above which a row becomes `text-too-large`."""


class TableReader:
    """What the readers of JSONL and Parquet files share: parameters, reasons, and what becomes of a text."""

    provides_text: ClassVar[bool] = True
    Config: ClassVar[type[StageConfig]] = TableConfig
    reasons: ClassVar[tuple[Reason, ...]] = REASONS

    def __init__(self, config: TableConfig, source_name: str) -> None:
        self._config = config
        self._columns = config.columns
        self._source = source_name

    def _finished(self, row: Row, file: str, *, identifier: object, date: str | None) -> Row:
        """The row with its id, and without its text if it is too large or there is another reason to end here.

        A row without a text has the identity of its place in the file, unless it has an identifier of its own.
        """
        text, limit = row.text or b"", self._config.max_text_bytes
        reason = row.reason or ("text-too-large" if len(text) > limit else None)
        if reason is None or identifier not in (None, "", b""):
            doc_id = document_id(self._source, identifier, row.url, date, text)
        else:
            doc_id = identity.range_id(self._source, file, row.offset, row.offset + row.length)
        return row._replace(doc_id=doc_id, reason=reason, text=None if reason else text)


def check_columns(columns: Columns, found: Collection[str]) -> None:
    """Raise `ValueError`, naming what is missing and what is there, if a column that must exist does not."""
    wanted = {"text"} | columns.model_fields_set
    named = {role: getattr(columns, role) for role in ("text", "id", "url", "date")}
    missing = [
        f"{name!r} (columns.{role})" for role, name in named.items() if role in wanted and name and name not in found
    ]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}; the file has {', '.join(map(repr, found)) or 'none'}")


def document_id(source: str, identifier: object, url: str | None, date: str | None, text: bytes) -> bytes:
    """The 16-byte id of a row: of its own identifier if it has one, else of its content."""
    if isinstance(identifier, bytes):
        identifier = identifier.decode("utf-8", "surrogateescape")
    if identifier is None or identifier == "":
        return identity.content_id(source, url, date, text)
    return identity.native_id(
        source, str(identifier).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    )
