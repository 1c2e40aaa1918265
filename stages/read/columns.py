"""Which columns of a Parquet or JSONL file hold a document; FineWeb's names by default."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import ClassVar, Literal
from urllib.parse import quote

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


UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units of dates that are numbers, by how many of them a second has."""

_PLACES = re.compile(r"\{([^{}]+)\}")


class Columns(StageConfig):
    """Names of the columns. A name that the manifest gives must be in the file; of the defaults only `text` must."""

    text: str = "text"
    """The document's text."""

    id: str | None = "id"
    """An identifier that stays with the document when the file is copied or split; without one the content is the
    identity."""

    url: str | None = "url"
    """Where the document was found: a column, or a URL made of several, each in braces, as
    `https://github.com/{max_stars_repo_name}/blob/{max_stars_repo_head_hexsha}/{max_stars_repo_path}`. A row in which
    one of them is empty has none."""

    date: str | None = "date"
    """When it was fetched: ISO 8601, UTC unless it names a zone; in Parquet also a number, of `date_unit`."""

    repository: str | None = None
    """The repository that a file of source code is from, `owner/name`; The Stack: `max_stars_repo_name`."""

    path: str | None = None
    """Where it lies in its repository; The Stack: `max_stars_repo_path`."""

    licences: str | None = None
    """Its licences: a text, or a list of texts that all hold; The Stack: `max_stars_repo_licenses`."""

    def names(self) -> dict[str, tuple[str, ...]]:
        """Role -> the columns that it is read from."""
        found = {}
        for role in type(self).model_fields:
            name: str | None = getattr(self, role)
            if name:
                found[role] = tuple(_PLACES.findall(name)) if is_template(role, name) else (name,)
        return found


class TableConfig(StageConfig):
    """Parameters of the readers of Parquet and JSONL files."""

    columns: Columns = Columns()
    """Names of the columns."""

    date_unit: Literal["s", "ms", "us", "ns"] = "s"
    """What a date counts since 1970 UTC, where it is a number (Parquet); FineMath's `fetch_time`: `ns`."""

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


def is_template(role: str, name: str) -> bool:
    """Whether what stands for a role is a URL made of several columns."""
    return role == "url" and _PLACES.search(name) is not None


def filled(template: str, values: Mapping[str, str | None]) -> str | None:
    """A URL made of columns, their values percent-encoded but for slashes (RFC 3986); None where one is empty.

    >>> filled("https://git.example/{repository}/{path}", {"repository": "a/b", "path": "c d.py"})
    'https://git.example/a/b/c%20d.py'
    """
    if not all(values.get(name) for name in _PLACES.findall(template)):
        return None
    return _PLACES.sub(lambda found: quote((values[found[1]] or "").encode("utf-8", "replace"), safe="/"), template)


def check_columns(columns: Columns, found: Collection[str]) -> None:
    """Raise `ValueError`, naming what is missing and what is there, if a column that must exist does not."""
    wanted = {"text"} | columns.model_fields_set
    missing = [
        f"{name!r} (columns.{role})"
        for role, names in columns.names().items()
        for name in names
        if role in wanted and name not in found
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
