"""The JSONL reader: one JSON object a line, plain or compressed with gzip, Zstandard or LZ4.

A line ends at LF or at the end of the file. One of spaces, tabs and CRs only is no record (counted as `blank-line`).
`offset` and `length` are bytes of the decompressed text, without the LF. Where the compression breaks, what is left of
the file, with the unfinished line before it, is one corrupt range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, ClassVar, NamedTuple

from lauter.pipeline.contract import FileCount, ReadBatch
from lauter.stages.read import framing
from lauter.stages.read.columns import TableReader, check_columns, filled, is_template
from lauter.stages.read.containers import Break, Container, opened
from lauter.stages.read.recount import count_lines
from lauter.stages.read.rows import Row, Rows, corrupt_row, escaped, seconds

BLANKS = b" \t\r"
CHECKED_LINES = 100
"""Lines that `check` looks at for column names."""


class Line(NamedTuple):
    """Bytes [start, end) of the text. `content` is None for a line over the limit; `broken` ends the file."""

    start: int
    end: int
    content: bytes | None
    broken: bool = False


class JsonlReader(TableReader):
    """Reads documents out of JSONL files."""

    name: ClassVar[str] = "jsonl"
    version: ClassVar[int] = 2

    def check(self, stream: BinaryIO) -> None:
        """Raise `ValueError` if no object of the first hundred lines has the configured columns."""
        found: dict[str, None] = {}
        for line in islice(_lines(opened(stream), self._config.max_record_bytes), CHECKED_LINES):
            value = json_object(line.content or b"", first=line.start == 0)
            found.update(dict.fromkeys(value or ()))
        check_columns(self._columns, found)

    def read(self, stream: BinaryIO, file: str) -> Iterator[ReadBatch]:
        """Every line that is not blank once, in file order."""
        rows = Rows(file, self.reasons)
        container = opened(stream)
        if container.first.startswith(framing.FOREIGN):
            yield from rows.add(corrupt_row(self._source, file, 0, container.size, "unsupported-format"))
        else:
            for line in _lines(container, self._config.max_record_bytes):
                if line.broken:
                    yield from rows.add(corrupt_row(self._source, file, line.start, line.end, "corrupt-range"))
                elif line.content is None:
                    yield from rows.add(corrupt_row(self._source, file, line.start, line.end, "record-too-large"))
                elif not line.content.strip(BLANKS):
                    rows.other("blank-line")
                else:
                    yield from rows.add(self._row(line, line.content, file))
        yield from rows.rest()

    def count(self, stream: BinaryIO) -> FileCount:
        """Lines that are not blank, by other code than `read`."""
        return count_lines(stream)

    def given(self, stream: BinaryIO) -> Iterator[dict[str, object]]:
        """The object of each line that `read` makes a row of (`showing.ShowingReader`).

        Where it is none, the number of the `line`, from 1, and its `fault`.
        """
        for number, line in enumerate(_lines(opened(stream), self._config.max_record_bytes), 1):
            if line.content is None:
                yield {"line": number, "fault": f"longer than {self._config.max_record_bytes:,} bytes"}
            elif line.broken:
                yield {"line": number, "fault": "the compression breaks off"}
            elif line.content.strip(BLANKS):
                first = line.start == 0
                value = json_object(line.content, first=first)
                yield {"line": number, "fault": _fault(line.content, first=first)} if value is None else value

    def _row(self, line: Line, content: bytes, file: str) -> Row:
        names = self._columns
        value = json_object(content, first=line.start == 0)
        if value is None:
            return corrupt_row(self._source, file, line.start, line.end, "invalid-json")
        text = value.get(names.text)
        url = self._url(value)
        date = _string(value.get(names.date)) if names.date else None
        own = value.get(names.id) if names.id else None
        identifier = own if isinstance(own, (str, int)) and not isinstance(own, bool) else None
        address = escaped(url.encode("utf-8", "surrogatepass")) if url else None
        row = Row(
            b"",
            line.start,
            line.end - line.start,
            address,
            seconds(date or ""),
            repository=_readable(value.get(names.repository or "")),
            path=_readable(value.get(names.path or "")),
            licences=_licences(value.get(names.licences or "")),
        )
        if isinstance(text, str) and text and not text.isspace():
            row = row._replace(text=_utf8(text))
        else:
            row = row._replace(reason="no-text")
        return self._finished(row, file, identifier=identifier, date=_utf8(date).decode() if date else None)

    def _url(self, value: dict[str, object]) -> str | None:
        name = self._columns.url
        if name is None or not is_template("url", name):
            return _string(value.get(name)) if name else None
        return filled(name, {place: _string(value.get(place)) for place in self._columns.names()["url"]})


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _readable(value: object) -> str | None:
    return _utf8(value).decode() if isinstance(value, str) and value else None


def _licences(value: object) -> tuple[str, ...] | None:
    """A text, or the texts of a list; None for anything else, as if nothing were said."""
    items = value if isinstance(value, list) else [value]
    found = tuple(text for text in map(_readable, items) if text)
    return found if found and len(found) == len(items) else None


def _utf8(text: str) -> bytes:
    """The text as UTF-8; surrogates that JSON spells apart are joined, lone ones become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _value(line: bytes, *, first: bool) -> object:
    """What a line of JSON holds; a byte order mark may stand before the first. Raises as `json.loads` does."""
    return json.loads(line.decode("utf-8-sig" if first else "utf-8"))


def json_object(line: bytes, *, first: bool) -> dict[str, object] | None:
    """The JSON object of a line; None if it is none."""
    try:
        value = _value(line, first=first)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fault(line: bytes, *, first: bool) -> str:
    """Why `json_object` finds none; nothing of the line is quoted."""
    try:
        _value(line, first=first)
    except UnicodeDecodeError as error:
        return f"not UTF-8, at byte {error.start + 1}"
    except json.JSONDecodeError as error:
        return f"{error.msg}, at character {error.pos + 1}"
    except (ValueError, RecursionError) as error:
        return "nested too deep" if isinstance(error, RecursionError) else "a number is too long"
    return "no JSON object"


def _lines(container: Container, limit: int) -> Iterator[Line]:
    """The lines of a text file of any compression; holds at most `limit` bytes of a line and one piece."""
    start = 0
    parts: list[bytes] = []
    size = 0
    large = blank = False
    for piece in container.pieces:
        if isinstance(piece, Break):
            yield Line(start, start + size, b"", broken=True)
            return
        text = piece.text
        at = 0
        while at < len(text):
            end = text.find(b"\n", at)
            stop = len(text) if end < 0 else end
            size += stop - at
            if large or size > limit:
                # Too long to keep; only whether it is blank still matters.
                blank = (blank if large else not b"".join(parts).strip(BLANKS)) and not text[at:stop].strip(BLANKS)
                large, parts = True, []
            else:
                parts.append(text[at:stop])
            at = stop + 1
            if end >= 0:
                yield Line(start, start + size, None if large and not blank else b"".join(parts))
                start, size, parts, large, blank = start + size + 1, 0, [], False, False
    if size:
        yield Line(start, start + size, None if large and not blank else b"".join(parts))
