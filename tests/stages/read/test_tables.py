"""The JSONL and Parquet readers."""

from __future__ import annotations

import gzip
import io
import json
import random
from datetime import UTC, date, datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import identity, schema
from lauter.stages.read.columns import Columns, TableConfig
from lauter.stages.read.jsonl import JsonlReader
from lauter.stages.read.parquet import ParquetReader
from lauter.stages.read.rows import seconds
from tests.stages.read.archives import damaged, folder

FINEWEB = {"text": "Grüße", "id": "<urn:uuid:1>", "url": "http://a.example/", "date": "2024-05-18T01:58:10Z"}


def rows(reader: JsonlReader | ParquetReader, data: bytes) -> list[dict[str, object]]:
    """All rows, with reasons; asserts the law, and that ranges ascend without overlap."""
    found: list[dict[str, object]] = []
    ranges: list[tuple[int, int]] = []
    for batch in reader.read(io.BytesIO(data), "file"):
        batch.records.validate(full=True)
        assert batch.records.schema == schema.RECORD
        for row, code in zip(batch.records.to_pylist(), batch.verdict.reason, strict=True):
            found.append({**row, "reason": reader.reasons[code - 1].name if code else None})
            ranges.append((row["offset"], row["offset"] + row["length"]))
    assert len(found) == reader.count(io.BytesIO(data)).rows
    assert all(one[1] <= two[0] for one, two in pairwise(ranges))
    return found


def jsonl(limit: int = 64 << 20, columns: Columns | None = None) -> JsonlReader:
    return JsonlReader(TableConfig(max_record_bytes=limit, columns=columns or Columns()), "source")


def parquet(limit: int = 64 << 20, columns: Columns | None = None) -> ParquetReader:
    return ParquetReader(TableConfig(max_record_bytes=limit, columns=columns or Columns()), "source")


def table(rows: int = 50, **columns: pa.Array) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns or {"text": [f"text {i}" * 30 for i in range(rows)]}), out, row_group_size=20)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    from fastwarc.stream_io import ZstdWriter

    out = io.BytesIO()
    writer = ZstdWriter(out)
    writer.write(data)
    writer.finish()
    writer.flush()
    return out.getvalue()


def test_fineweb_row_means_the_same_in_both_formats() -> None:
    line = json.dumps(FINEWEB).encode() + b"\n"
    (left,) = rows(jsonl(), line)
    (right,) = rows(parquet(), table(**{name: pa.array([value]) for name, value in FINEWEB.items()}))
    assert left["doc_id"] == right["doc_id"] == identity.native_id("source", "<urn:uuid:1>")
    for row in (left, right):
        assert (row["text"], row["url"], row["reason"], row["payload"]) == ("Grüße", "http://a.example/", None, None)
        assert row["fetched_at"] == datetime(2024, 5, 18, 1, 58, 10, tzinfo=UTC)
    assert (left["offset"], left["length"], right["offset"], right["length"]) == (0, len(line) - 1, 0, 1)


def test_content_is_the_identity_where_there_is_no_other() -> None:
    record = {"text": "x", "url": "http://a.example/", "date": "2024"}
    (left,) = rows(jsonl(), json.dumps(record).encode())
    (right,) = rows(parquet(), table(**{name: pa.array([value]) for name, value in record.items()}))
    assert left["doc_id"] == right["doc_id"] == identity.content_id("source", "http://a.example/", "2024", b"x")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "invalid-json"),
        (b"[1]", "invalid-json"),
        (b'{"text": "\xff"}', "invalid-json"),
        (b"[" * 100_000, "invalid-json"),
        (b'{"text": ' + b"1" * 5000 + b"}", "invalid-json"),
        (b'{"id": "a"}', "no-text"),
        (b'{"text": null}', "no-text"),
        (b'{"text": " \\n"}', "no-text"),
        (b'{"text": 3}', "no-text"),
        (b'{"text": "' + b"x" * 200_000 + b'"}', "record-too-large"),
        (b'\xef\xbb\xbf{"text": "with mark"}', None),
        (b'{"text": "\\ud83d\\ude00 \\ud800"}', None),
        (b'{"text": "x", "url": "\\ud800", "date": "\\ud800", "id": "\\ud800"}', None),
        (b'{"text": "x", "url": 3, "date": {}, "id": true}', None),
    ],
)
def test_lines(line: bytes, reason: str | None) -> None:
    (row, *more) = rows(jsonl(150_000), line + b"\n \t\r\n\n" + b'{"text": "next"}')
    assert row["reason"] == reason
    assert [other["text"] for other in more] == ["next"]


def test_a_text_over_the_limit_is_named_in_every_format() -> None:
    config = TableConfig(max_text_bytes=8)
    texts = ["ü" * 4, "ü" * 4 + "x", "short"]
    for ids in ([None] * 3, ["a", "b", "c"]):
        lines = [json.dumps({"text": text, "id": name}).encode() for text, name in zip(texts, ids, strict=True)]
        left = rows(JsonlReader(config, "source"), b"\n".join(lines))
        right = rows(ParquetReader(config, "source"), table(text=pa.array(texts), id=pa.array(ids, pa.string())))
        for found in (left, right):
            assert [(row["text"], row["reason"]) for row in found] == [
                (texts[0], None), (None, "text-too-large"), (texts[2], None)]  # fmt: skip
        assert len({row["doc_id"] for row in left}) == 3
        if ids[1]:
            assert left[1]["doc_id"] == right[1]["doc_id"] == identity.native_id("source", "b")
        else:
            assert right[1]["doc_id"] == identity.range_id("source", "file", 1, 2)
    assert {reason.name: reason.verdict for reason in JsonlReader.reasons}["text-too-large"] == "error"


def test_integers_and_timestamps_that_no_calendar_holds() -> None:
    for dates in (pa.array([2**62, -(2**62), 0]), pa.array([2**64 - 1, 2**63, 0], pa.uint64()),
                  pa.array([2**60, -(2**60), 0], pa.timestamp("ms"))):  # fmt: skip
        found = rows(parquet(), table(text=pa.array(["a", "b", "c"]), date=dates))
        assert [row["fetched_at"] for row in found] == [None, None, datetime(1970, 1, 1, tzinfo=UTC)]


def test_surrogates() -> None:
    (row,) = rows(jsonl(), b'{"text": "\\ud83d\\ude00 \\ud800"}')
    assert row["text"] == "😀 \ufffd"


def test_blank_lines_are_counted_apart() -> None:
    (batch,) = jsonl().read(io.BytesIO(b'\n{"text": "a"}\r\n  \n' + b" " * 300_000 + b'\n{"text": "b"}'), "file")
    assert batch.records["text"].to_pylist() == ["a", "b"]
    assert batch.others == {"blank-line": 3}
    assert [len(rows(jsonl(9), b" " * 100 + b"\n" + b"x" * 100))] == [1]


def test_offsets_count_the_decompressed_text() -> None:
    lines = [json.dumps({"text": f"number {i}"}).encode() for i in range(4000)]
    text = b"\n".join(lines)
    for data in (text, gzip.compress(text), gzip.compress(text[:999]) + gzip.compress(text[999:]), zstd(text)):
        for row, line in zip(rows(jsonl(), data), lines, strict=True):
            offset = int(str(row["offset"]))
            assert text[offset : offset + int(str(row["length"]))] == line


def test_cut_compression_keeps_the_rows_so_far() -> None:
    draw = random.Random(1)
    text = b"".join(json.dumps({"text": draw.randbytes(100).hex()}).encode() + b"\n" for _ in range(3000))
    for packed in (gzip.compress(text), zstd(text)):
        found = rows(jsonl(), packed[: len(packed) // 2])
        assert len(found) > 1000
        assert [row["reason"] for row in found[-2:]] == [None, "corrupt-range"]


def test_wrong_kinds_of_file() -> None:
    for data in (table(), b"PK\x03\x04abc", b"\x89PNG"):
        (row,) = rows(jsonl(), data)
        assert (row["reason"], row["length"]) == ("unsupported-format", len(data))
    for data in (b"words", b"PAR1", table()[:-5], table()[:-1] + b"X"):
        (row,) = rows(parquet(), data)
        assert (row["reason"], row["offset"], row["length"]) == ("corrupt-range", 0, len(data))
    assert rows(jsonl(), b"") == rows(parquet(), b"") == []


def test_check_names_what_is_missing_and_what_is_there() -> None:
    line, file = json.dumps(FINEWEB).encode(), table(**{name: pa.array([value]) for name, value in FINEWEB.items()})
    jsonl().check(io.BytesIO(line))
    parquet().check(io.BytesIO(file))
    for reader, data in ((jsonl(columns=Columns(text="body")), line), (parquet(columns=Columns(text="body")), file)):
        with pytest.raises(
            ValueError, match=r"no column 'body' \(columns.text\); the file has 'text', 'id', 'url', 'date'"
        ):
            reader.check(io.BytesIO(data))
    jsonl().check(io.BytesIO(b'{"text": "no url, and none was asked for"}'))
    with pytest.raises(ValueError, match=r"'uri' \(columns.url\)"):
        parquet(columns=Columns(url="uri")).check(io.BytesIO(file))
    with pytest.raises(ValueError, match="holds int64, not text"):
        parquet(columns=Columns(text="n")).check(io.BytesIO(table(n=pa.array([1]))))
    with pytest.raises(ValueError, match="no readable Parquet"):
        parquet().check(io.BytesIO(b"words"))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_types(kind: pa.DataType) -> None:
    values = ["a", None, "ü", " ", "x" * 300]
    found = rows(parquet(200), table(text=pa.array(values, pa.string()).cast(kind)))
    assert [row["text"] for row in found] == ["a", None, "ü", None, None]
    assert [row["reason"] for row in found] == [None, "no-text", None, "no-text", "record-too-large"]
    assert [row["offset"] for row in found] == [0, 1, 2, 3, 4]


def test_bytes_that_are_no_utf8_and_typed_columns() -> None:
    data = table(
        text=pa.array([b"a\xff", b"b"], pa.binary()),
        id=pa.array([7, None]),
        url=pa.array([b"http://\xe4/", None], pa.binary()),
        date=pa.array([date(2024, 5, 18), None]),
    )
    first, second = rows(parquet(), data)
    assert (first["text"], first["url"]) == ("a\ufffd", "http://%E4/")
    assert first["doc_id"] == identity.native_id("source", "7")
    assert first["fetched_at"] == datetime(2024, 5, 18, tzinfo=UTC)
    assert (second["text"], second["fetched_at"]) == ("b", None)


def test_a_broken_row_group_loses_its_own_rows_only() -> None:
    draw = random.Random(4)
    data = bytearray(table(text=pa.array([draw.randbytes(200).hex() for _ in range(60)])))
    meta = pq.read_metadata(io.BytesIO(data)).row_group(1).column(0)
    start = meta.data_page_offset if meta.dictionary_page_offset is None else meta.dictionary_page_offset
    data[start : start + 200] = b"\xff" * 200
    reasons = [row["reason"] for row in rows(parquet(), bytes(data))]
    assert reasons[:20] == reasons[40:] == [None] * 20
    assert "corrupt-range" in reasons[20:40]


def test_missing_text_column_still_gives_every_row() -> None:
    assert [row["reason"] for row in rows(parquet(), table(url=pa.array(["a", "b"])))] == ["no-text"] * 2
    assert len(rows(parquet(), table(n=pa.array([1, 2, 3])))) == 3


def test_a_failing_disk_is_not_taken_for_bad_bytes() -> None:
    class Failing(io.BytesIO):
        broken = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.broken and self.tell() < 5000:
                raise OSError("lost connection")
            return super().read(size)

    text = json.dumps({"text": random.Random(1).randbytes(200_000).hex()}).encode()
    cases: tuple[tuple[JsonlReader | ParquetReader, bytes], ...] = ((jsonl(), zstd(text)), (parquet(), table(2000)))
    for reader, data in cases:
        stream = Failing(data)
        stream.broken = True
        with pytest.raises(OSError, match="lost connection"):
            list(reader.read(stream, "file"))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**63))
def test_damaged_files_obey_the_law(seed: int) -> None:
    draw = random.Random(seed)
    text = b"".join(json.dumps({"text": "x" * draw.randrange(500)}).encode() + b"\n" for _ in range(draw.randrange(40)))
    lines = [text, gzip.compress(text), gzip.compress(text, 0) + gzip.compress(text), zstd(text)]
    rows(jsonl(draw.choice((100, 10_000))), damaged(draw.choice(lines), draw, lines))
    files = [table(30)]
    rows(parquet(), damaged(files[0], draw, files))


def test_real_samples() -> None:
    for path in folder("samples/jsonl"):
        found = rows(jsonl(), path.read_bytes())
        assert found
        assert {row["reason"] for row in found} <= {None, "no-text"}
    for path in folder("samples/parquet"):
        found = rows(parquet(), path.read_bytes())
        assert len(found) == pq.read_metadata(path).num_rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-18T01:58:10Z", "2024-05-18T01:58:10"),
        ("2024-05-18T01:58:10.999999Z", "2024-05-18T01:58:10"),
        ("2024-05-18 01:58:10 UTC", "2024-05-18T01:58:10"),
        ("2024-05-18T01:58:10+02:00", "2024-05-17T23:58:10"),
        ("2024-05-18T01:58:10-0030", "2024-05-18T02:28:10"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59"),
        ("2024-05", "2024-05-01T00:00:00"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59"),
        ("0001-01-01T10:00:00+10:00", "0001-01-01T00:00:00"),
        ("9999-12-31T22:59:59-01:00", "9999-12-31T23:59:59"),
    ],
)
def test_seconds(text: str, expected: str) -> None:
    assert seconds(text) == int(datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024-13-01",
        "2009-03-65T08:43:19-0800",
        "20240518",
        "2024-05-18T25:00",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T09:59:59+10:00",
    ],
)
def test_dates_that_are_none(text: str) -> None:
    assert seconds(text) is None
