"""Any file as records: through the reader that its name tells of, or as one document.

`Catalogue.endings` says which reader takes which names. A file of another name is one record: a page or another
document of the web by its media type, which a stage that reads payloads takes, or a text.
"""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.pipeline.contract import ReadBatch, Reader, Reason, Verdict
from lauter.pipeline.identity import range_id
from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.paths import expand_paths
from lauter.pipeline.showing import ShowingReader
from lauter.pipeline.storage import open_input, stat

STANDARD_INPUT = "-"
COMPRESSED = (".gz", ".zst", ".lz4")
SOURCE = "try"
"""The name that records are read under; it is a part of their ids, and of nothing that is shown."""

RECORD_FIELDS = ("url", "fetched_at", "http_status", "media_type", "charset")
"""What is shown of a record whose reader has no fields of its own to show."""

PAGE = "html"
"""A field of this name is taken for a page where a row has no text and the stage reads pages."""

_PAGES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")


@dataclass(frozen=True, slots=True)
class Read:
    """Some records of a file, and what their own fields are, in order."""

    batch: ReadBatch
    reasons: tuple[Reason, ...]
    """Of the reader."""
    fields: tuple[Mapping[str, Any], ...]


class Inputs:
    """The records of all files, in order; iterated as often as is wanted."""

    def __init__(
        self,
        paths: Sequence[str],
        catalogue: Catalogue,
        options: Mapping[str, Any],
        *,
        as_pages: bool,
        limit: int | None,
    ) -> None:
        """List the files.

        Args:
            paths: Paths and globs, or `-` for JSON lines on standard input.
            catalogue: The readers.
            options: Parameters of the readers, as a manifest's `options`.
            as_pages: Whether the first stage reads payloads.
            limit: Records after which no more is read.

        Raises:
            ValueError: A path names no file, or the options are none of a reader's.
            OSError: A file cannot be looked at.
        """
        self._catalogue, self._options, self._as_pages, self._limit = catalogue, options, as_pages, limit
        self.uris: list[str] = []
        for path in paths:
            found = [path] if path == STANDARD_INPUT else [file.uri for file in expand_paths(path, Path.cwd())]
            if not found:
                raise ValueError(f"no file matches {path!r}")
            self.uris += found
        self._standard: bytes | None = None
        for uri in self.uris:
            self._check(uri)

    def __iter__(self) -> Iterator[Read]:
        left = self._limit
        for uri in self.uris:
            for read in self._file(uri):
                if left is None:
                    yield read
                    continue
                yield _first(read, left)
                left -= min(left, len(read.fields))
                if not left:
                    return

    def without_text(self) -> list[str]:
        """The names of the files that hold no texts, which are to be extracted first."""
        return [_name(uri) for uri in self.uris if not self._gives_text(uri)]

    def _gives_text(self, uri: str) -> bool:
        reader = self._reader(uri)
        return is_text(media_type(uri)) if reader is None else bool(reader.provides_text)

    def _check(self, uri: str) -> None:
        reader = self._reader(uri)
        if reader is None and not self._as_pages and is_text(media_type(uri)):
            with open_input(uri) as stream:
                try:
                    bytes(stream.read()).decode("utf-8")
                except UnicodeDecodeError as error:
                    fault = f"{uri} is not UTF-8, at byte {error.start}"
                    raise ValueError(f"{fault}: convert it, or let --after extract read its encoding") from error
        # A page need not stand in the column of texts, and of an empty file every column is missing.
        if reader is not None and uri != STANDARD_INPUT and not self._as_pages and (file := stat(uri)) and file.size:
            with open_input(uri) as stream:
                try:
                    reader.check(cast(BinaryIO, stream))
                except ValueError as error:
                    raise ValueError(f"{uri}: {error}; name others with --read, as --read columns.text=body") from error

    def _reader(self, uri: str) -> Reader | None:
        name = ".jsonl" if uri == STANDARD_INPUT else uri.rsplit("/", 1)[-1].lower()
        for ending in COMPRESSED:
            name = name.removesuffix(ending)
        kind = next((self._catalogue.endings[end] for end in self._catalogue.endings if name.endswith(end)), None)
        if kind is None:
            return None
        cls = load_target(self._catalogue.readers[kind], "")
        reader: Reader = cls(cls.Config.model_validate(dict(self._options)), SOURCE)
        return reader

    def _file(self, uri: str) -> Iterator[Read]:
        reader = self._reader(uri)
        if reader is None:
            yield self._whole(uri)
            return
        with self._opened(uri) as stream, self._opened(uri) as again:
            own = reader.given(cast(BinaryIO, again)) if isinstance(reader, ShowingReader) else None
            for batch in reader.read(cast(BinaryIO, stream), uri):
                count = batch.records.num_rows
                fields: tuple[Mapping[str, Any], ...]
                if own is None:
                    fields = tuple({"file": _name(uri), **row} for row in _plain_rows(batch.records))
                else:
                    found = [*islice(own, count)]
                    given = (*found, *({} for _ in range(count - len(found))))
                    unread = (batch.verdict.reason != 0).tolist()
                    fields = tuple(
                        {"file": _name(uri), **row} if missing else row
                        for row, missing in zip(given, unread, strict=True)
                    )
                yield Read(_with_pages(batch, fields) if self._as_pages else batch, reader.reasons, fields)

    def _opened(self, uri: str) -> pa.NativeFile:
        if uri != STANDARD_INPUT:
            return open_input(uri)
        if self._standard is None:
            self._standard = sys.stdin.buffer.read()
        return pa.BufferReader(self._standard)

    def _whole(self, uri: str) -> Read:
        with open_input(uri) as stream:
            content = bytes(stream.read())
        kind = media_type(uri)
        as_text = not self._as_pages and is_text(kind)
        row = {
            "doc_id": range_id(SOURCE, _name(uri), 0, len(content)),
            "file": _name(uri),
            "offset": 0,
            "length": len(content),
            "media_type": kind,
            "payload": None if as_text else content,
            "text": content.decode("utf-8") if as_text else None,
        }
        records = pa.RecordBatch.from_pylist([row], schema=schema.RECORD)
        return Read(ReadBatch(records, Verdict(np.zeros(1, np.uint8))), (), ({"file": _name(uri)},))


def media_type(uri: str) -> str:
    """The media type that a name tells of; a name that tells of none is of a text."""
    kind, encoding = mimetypes.guess_type(_name(uri))
    return "application/octet-stream" if encoding else kind or "text/plain"


def is_text(kind: str) -> bool:
    """Whether a file of a media type is taken for a text as it is."""
    return kind not in _PAGES and (kind.startswith("text/") or kind == "application/json")


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def _plain_rows(records: pa.RecordBatch) -> list[dict[str, Any]]:
    names = [name for name in RECORD_FIELDS if name in records.schema.names]
    rows: list[dict[str, Any]] = records.select(names).to_pylist()
    return rows


def _first(read: Read, count: int) -> Read:
    verdict = read.batch.verdict
    rule = None if verdict.rule is None else verdict.rule.slice(0, count)
    batch = ReadBatch(read.batch.records.slice(0, count), Verdict(verdict.reason[:count], rule=rule))
    return Read(batch, read.reasons, read.fields[:count])


def _with_pages(batch: ReadBatch, fields: Sequence[Mapping[str, Any]]) -> ReadBatch:
    """The batch, its rows that have no text but a page in their field `html` with that page as their payload."""
    records = batch.records
    texts = records.column("text").is_valid().to_pylist()
    pages = {
        place: page
        for place, row in enumerate(fields)
        if not texts[place] and isinstance(page := row.get(PAGE), str | bytes) and page
    }
    if not pages:
        return batch
    reason = batch.verdict.reason.copy()
    columns = {name: records.column(name).to_pylist() for name in ("payload", "media_type", "charset")}
    for place, page in pages.items():
        reason[place] = 0
        columns["payload"][place] = page.encode("utf-8", "replace") if isinstance(page, str) else page
        columns["media_type"][place] = "text/html"
        columns["charset"][place] = "utf-8" if isinstance(page, str) else None
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else records.column(field.name)
        for field in records.schema
    ]
    return ReadBatch(
        pa.RecordBatch.from_arrays(arrays, schema=records.schema), Verdict(reason, rule=batch.verdict.rule)
    )
