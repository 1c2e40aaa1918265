"""Benchmark files as items: the texts of some fields of each row, which must not stand in a training corpus.

The format is told by the name: `.jsonl` (or `.ndjson`), `.tsv`, `.csv`, `.parquet`, and `.txt`, where each line is an
item; all but Parquet perhaps compressed (`.gz`, `.bz2`, `.zst`, `.lz4`). A field is the name of a column, with dots
for what lies deeper (`choices.text`), in each object of a list too; in `.tsv` and `.csv` files without a heading line
it is the column's number from 1. The strings of a list are one text, a line each. Every field of a row is an item of
its own, since questions are copied without their answers.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import PurePath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

CHECKED_ROWS = 100
"""Rows of a file that are looked at for field names before any work."""

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
TABLES = (".jsonl", ".ndjson", ".tsv", ".csv", ".parquet")
"""Formats whose rows have fields."""
MAX_CELL = 1 << 24
"""Characters of a cell of a `.tsv` or `.csv` file, at most."""

_Row = Mapping[str, object]


class Item(NamedTuple):
    """One text of a benchmark."""

    benchmark: str
    number: int
    """The line of its file, of Parquet the row, from 1; counted on from file to file."""
    field: str
    """Empty for a line of a text file."""
    text: str


def format_of(path: str) -> str:
    """The ending that tells the format. Raises ValueError for any other."""
    suffixes = PurePath(path).suffixes
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    ending = suffixes[-1] if suffixes else ""
    if ending not in (*TABLES, ".txt"):
        known = ", ".join((*TABLES, ".txt"))
        raise ValueError(f"{path}: a benchmark file ends in one of {known}, perhaps with {', '.join(COMPRESSED)} after")
    return ending


def check(path: str, fields: Sequence[str]) -> None:
    """Raise ValueError where a file cannot be read or lacks a field in its first rows, with what there is."""
    ending = format_of(path)
    if (ending == ".txt") != (not fields):
        wanted = "has no fields: leave them out" if fields else "has fields: name those to look for under `fields`"
        raise ValueError(f"{path}: {wanted}{'' if fields else '; ' + _told(_head(path, ending))}")
    if fields:
        head = _head(path, ending, fields)
        missing = [field for field in fields if not any(_text(row, field) for _, row in head)]
        if missing:
            names = ", ".join(map(repr, missing))
            raise ValueError(f"{path}: no text in field {names} of its first {len(head)} rows; {_told(head)}")


def read(benchmark: str, paths: Sequence[str], fields: Sequence[str]) -> Iterator[Item]:
    """The items of a benchmark; a row without a text in a field has no item of it.

    Raises ValueError with file and line for a row that is none.
    """
    first = 0
    for path in paths:
        number = 0
        ending = format_of(path)
        if ending == ".txt":
            for number, line in _lines(path):
                if line.strip():
                    yield Item(benchmark, first + number, "", line)
        else:
            for number, row in _rows(path, ending, fields):
                for field in fields:
                    text = _text(row, field)
                    if text:
                        _must_be_characters(text, f"{path}:{number}: field {field!r}")
                        yield Item(benchmark, first + number, field, text)
        first += number


def _head(path: str, ending: str, fields: Sequence[str] = ()) -> list[tuple[int, _Row]]:
    return list(islice(_rows(path, ending, fields), CHECKED_ROWS))


def _told(head: Sequence[tuple[int, _Row]]) -> str:
    names = dict.fromkeys(chain.from_iterable(_names(row) for _, row in head))
    return f"there is {', '.join(map(repr, names)) or 'no row'}"


def _names(row: _Row, before: str = "") -> Iterator[str]:
    for name, value in row.items():
        objects = [value] if isinstance(value, Mapping) else value if isinstance(value, list) else []
        mappings = [one for one in objects if isinstance(one, Mapping)]
        for one in mappings:
            yield from _names(one, f"{before}{name}.")
        if not mappings:
            yield f"{before}{name}"


def _text(row: _Row, field: str) -> str:
    """The text of a field, empty where there is none."""
    value: object = row.get(field)
    if value is None:
        value = row
        for name in field.split("."):
            value = _member(value, name)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(item for item in value if isinstance(item, str))
    return ""


def _member(value: object, name: str) -> object:
    """What an object has under a name, of a list what its objects have; lists in lists become one."""
    if isinstance(value, Mapping):
        return value.get(name)
    if not isinstance(value, list):
        return None
    found = (_member(one, name) for one in value)
    return [item for one in found for item in (one if isinstance(one, list) else [one])]


def _must_be_characters(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{where} has half a surrogate pair, which is no character; mend the row") from error


def _rows(path: str, ending: str, fields: Sequence[str]) -> Iterator[tuple[int, _Row]]:
    if ending == ".parquet":
        return _parquet_rows(path)
    if ending in (".tsv", ".csv"):
        return _cells(path, ending, fields)
    return _objects(path)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without their ends. Raises ValueError where they are not UTF-8 or broken."""
    number = 0
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line.rstrip("\r\n")
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise ValueError(f"{path}:{number + 1}: cannot be read: {error}") from error


def _opened(path: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(pa.input_stream(path, compression="detect"), encoding="utf-8-sig", newline="\n")


def _objects(path: str) -> Iterator[tuple[int, _Row]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{number}: no JSON: {error}") from error
        if not isinstance(value, dict):
            raise ValueError(f"{path}:{number}: no JSON object")  # noqa: TRY004 - it is the file that is wrong
        yield number, value


def _cells(path: str, ending: str, fields: Sequence[str]) -> Iterator[tuple[int, _Row]]:
    csv.field_size_limit(MAX_CELL)
    lines = (line for _, line in _lines(path))
    rows = (
        csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if ending == ".tsv"
        else csv.reader((f"{line}\n" for line in lines), strict=True)
    )
    numbered = bool(fields) and all(field.isdecimal() for field in fields)
    heading: list[str] | None = None
    try:
        for cells in rows:
            if heading is None and not numbered:
                heading = cells
            elif cells:
                names = map(str, range(1, len(cells) + 1)) if heading is None else heading
                yield rows.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise ValueError(f"{path}:{rows.line_num}: {error}") from error


def _parquet_rows(path: str) -> Iterator[tuple[int, _Row]]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
