"""What the WARC and WET readers make of records, honest and otherwise."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import zlib
from datetime import UTC, datetime

import pytest

from lauter.pipeline import identity, schema
from lauter.stages.read.containers import BLOCK, EMPTY_MEMBER
from lauter.stages.read.rows import BATCH_PAYLOAD_BYTES
from lauter.stages.read.warc import WarcConfig, WarcReader
from lauter.stages.read.wet import WetConfig, WetReader
from tests.stages.read.archives import folder, http, layouts, members, read, record, rows

PAGE = b"<!DOCTYPE html><p>Gr\xc3\xbc\xc3\x9fe"


def one(content: bytes, config: WarcConfig | None = None, **fields: object) -> dict[str, object]:
    """The only row of a file with one record."""
    (row,) = rows(record(content, **fields), config)  # type: ignore[arg-type]
    return row


def test_a_response_fills_every_column() -> None:
    data = members([record(b"x", kind="warcinfo"), record(http(PAGE, b"Content-Type: Text/HTML; Charset=UTF-8"))])
    (batch,) = read(data)
    assert batch.records.schema == schema.RECORD
    assert batch.others == {"warcinfo": 1}
    start = data.index(b"\x1f\x8b\x08", 5)
    assert batch.records.to_pylist() == [
        {
            "doc_id": identity.native_id("source", "<urn:uuid:1>"),
            "file": "file",
            "offset": start,
            "length": len(data) - start,
            "url": "http://a.example/",
            "fetched_at": datetime(2024, 5, 18, 1, 58, 10, tzinfo=UTC),
            "http_status": 200,
            "http_headers": b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; Charset=UTF-8\r\n\r\n",
            "media_type": "text/html",
            "charset": "utf-8",
            "payload": PAGE,
            "text": None,
            "repository": None,
            "path": None,
            "licences": None,
            "generator": None,
            "marks": None,
        }
    ]
    assert list(batch.verdict.reason) == [0]


def test_offset_and_length_cut_a_plain_record_out_of_its_file() -> None:
    parts = [record(http(b"<p>%d" % number)) for number in range(3)]
    data = b"".join(parts)
    for row, part in zip(rows(data), parts, strict=True):
        offset, length = row["offset"], row["length"]
        assert isinstance(offset, int)
        assert isinstance(length, int)
        assert data[offset : offset + length] == part


def test_every_container_gives_the_same_documents() -> None:
    parts = [record(http(b"<p>%d" % number * 5000), identifier=f"<urn:{number}>") for number in range(20)]
    versions = [[(row["doc_id"], row["payload"]) for row in rows(data)] for data in layouts(parts, random.Random(1))]
    assert len(versions[0]) == 20
    assert all(version == versions[0] for version in versions)


def test_doc_id_without_record_id_hashes_url_date_and_content() -> None:
    content = http(PAGE)
    expected = identity.content_id("source", "http://a.example/", "2024-05-18T01:58:10Z", content)
    assert one(content, identifier=None)["doc_id"] == expected


def test_resource_record_takes_its_own_content_type() -> None:
    row = one(PAGE, kind="resource", content_type="text/html; charset=latin-1")
    assert (row["media_type"], row["charset"], row["payload"]) == ("text/html", "latin-1", PAGE)
    assert (row["http_status"], row["http_headers"], row["reason"]) == (None, None, None)


def test_media_type_is_sniffed_only_where_there_is_none() -> None:
    assert one(http(PAGE, b"X: y"))["media_type"] == "text/html"
    assert one(http(b"User-agent: *\n", b"X: y"))["media_type"] == "text/plain"
    image = one(http(b"\x89PNG\r\n\x1a\n\x00\x00", b"X: y"))
    assert (image["media_type"], image["reason"], image["payload"]) == ("application/octet-stream", "not-html", None)
    assert one(http(PAGE, b"Content-Type: image/png"))["reason"] == "not-html"


def test_status_other_than_200_is_dropped_and_configurable() -> None:
    moved = http(b"<p>", status=b"301 Moved")
    assert (one(moved)["reason"], one(moved)["http_status"], one(moved)["payload"]) == ("http-status", 301, None)
    assert one(moved, WarcConfig(statuses=(200, 301)))["reason"] is None


@pytest.mark.parametrize(
    "content",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n<p>no blank line", b"HTTP/1.1 2000 OK\r\n\r\n", b"<p>"],
)
def test_response_that_is_no_http_message(content: bytes) -> None:
    assert one(content)["reason"] == "bad-http"


def test_bytes_that_are_no_utf8_in_headers_and_url() -> None:
    row = one(http(PAGE, b"Content-Type: text/html", b"X-\xff: \xfe"), url=b"http://a.example/\xe4\xc3\xa4?\x00 b")
    assert row["url"] == "http://a.example/%E4\u00e4?%00 b"
    assert row["http_headers"] == b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-\xff: \xfe\r\n\r\n"
    assert row["payload"] == PAGE
    assert len(str(one(http(PAGE), identifier="<urn:\u00ff>")["doc_id"])) > 16


def test_wet_reader_yields_text() -> None:
    data = record(b"Gr\xc3\xbc\xc3\x9fe \xff", kind="conversion", content_type="text/plain") + record(http(PAGE))
    (batch,) = WetReader(WetConfig(), "source").read(io.BytesIO(data), "file")
    assert batch.records["text"].to_pylist() == ["Grüße \ufffd", None]
    assert batch.records["payload"].null_count == 2
    assert [WetReader.reasons[code - 1].name if code else None for code in batch.verdict.reason] == [None, "no-text"]


def test_wet_text_over_the_limit() -> None:
    data = record(b"x" * 9, kind="conversion") + record(b"x" * 10, kind="conversion")
    (batch,) = WetReader(WetConfig(max_text_bytes=9), "source").read(io.BytesIO(data), "file")
    assert batch.records["text"].to_pylist() == ["x" * 9, None]
    assert WetReader.reasons[batch.verdict.reason[1] - 1][:2] == ("text-too-large", "error")


def test_a_date_that_no_calendar_holds_is_none() -> None:
    head = b"WARC/1.1\r\nWARC-Type: resource\r\nWARC-Date: 9999-12-31T23:59:59-23:59\r\nContent-Type: text/plain\r\n"
    (row,) = rows(head + b"Content-Length: 4\r\n\r\ntext\r\n\r\n")
    assert (row["payload"], row["fetched_at"], row["reason"]) == (b"text", None, None)


def test_cut_file_keeps_what_is_whole() -> None:
    parts = [record(http(PAGE * 50), identifier=f"<{number}>") for number in range(5)]
    for data in (b"".join(parts), members(parts), members([b"".join(parts)], 0)):
        cut = rows(data[: len(data) // 2 + 40])
        assert [row["reason"] for row in cut] == [None, None, "truncated"]
        assert cut[-1]["payload"] is None
        whole = [(row["doc_id"], row["payload"]) for row in rows(data)[:4]]
        assert [(row["doc_id"], row["payload"]) for row in rows(data[:-1])[:4]] == whole


def test_reader_goes_on_behind_damage() -> None:
    parts = [record(http(PAGE * 50), identifier=f"<{number}>") for number in range(5)]
    text = b"".join(parts)
    wrong = text.replace(b"Content-Length", b"Content-Lenght", 1)
    assert [row["reason"] for row in rows(wrong)] == ["corrupt-range", None, None, None, None]
    packed = bytearray(members(parts))
    packed[len(members(parts[:2])) + 90] ^= 0x55
    found = rows(bytes(packed))
    assert [row["reason"] for row in found] == [None, None, "corrupt-range", None, None]
    assert found[2]["offset"] == len(members(parts[:2]))
    assert found[2]["doc_id"] == identity.range_id("source", "file", len(members(parts[:2])), len(members(parts[:3])))


def test_a_wrong_checksum_is_a_corrupt_range() -> None:
    first, second = members([record(http(PAGE))]), members([record(http(b"<p>two"))])
    spoilt = first[:-8] + zlib.crc32(b"other").to_bytes(4, "little") + first[-4:]
    assert [row["reason"] for row in rows(spoilt + second)] == ["corrupt-range", None]
    assert [row["reason"] for row in rows(first + b"trailing" * 9)] == [None, "corrupt-range"]


def test_wrong_lengths() -> None:
    good = record(http(b"<p>good"))
    for length in (3, 10**5, 10**12):
        for data in (record(http(PAGE), length=length) + good, members([record(http(PAGE), length=length), good])):
            assert [row["reason"] for row in rows(data)] == ["corrupt-range", None]
    assert [row["reason"] for row in rows(record(http(PAGE), length=-1) + good)] == ["corrupt-range", None]


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04" + b"\nWARC/1.0\r\n" * 5, b"filedesc://x 0.0.0.0\n", gzip.compress(b"filedesc://x\n", mtime=0),
     b"BZh9", b"\x89PNG\r\n", b"plain words\n" * 10, gzip.compress(b"words", mtime=0)],
    ids=["zip", "arc", "arc.gz", "bz2", "png", "text", "text.gz"],
)  # fmt: skip
def test_other_formats_are_one_row(data: bytes) -> None:
    (row,) = rows(data)
    assert (row["reason"], row["offset"], row["length"]) == ("unsupported-format", 0, len(data))


def test_files_without_anything() -> None:
    assert read(b"") == []
    assert read(EMPTY_MEMBER) == []
    assert WarcReader(WarcConfig(), "source").count(io.BytesIO(b"")).rows == 0


def test_record_over_the_limit_is_one_row() -> None:
    config = WarcConfig(max_record_bytes=1000)
    large, small = record(http(b"<p>" + b"x" * 5000), identifier="<large>"), record(http(PAGE), identifier="<small>")
    for data in (small + large + small, members([small, large, small]), members([small + large + small])):
        found = rows(data, config)
        assert [row["reason"] for row in found] == [None, "record-too-large", None]
        assert found[1]["doc_id"] == identity.native_id("source", "<large>")


def test_batches_are_cut_by_bytes_and_a_huge_record_stands_alone() -> None:
    page, large = b"<p>" + b"x" * (BATCH_PAYLOAD_BYTES * 3 // 10), b"<p>" + b"y" * (BATCH_PAYLOAD_BYTES + 9)
    small, huge = record(http(page)), record(http(large))
    batches = read(small * 4 + huge + small)
    assert [len(batch.records) for batch in batches] == [3, 1, 1, 1]


def test_giant_member_of_many_records() -> None:
    noise = random.Random(0).randbytes(3 << 20)
    parts = [record(http(b"<p>" + noise), identifier=f"<{number}>") for number in range(4)]
    data = members([b"".join(parts)], 1)
    assert len(data) > BLOCK
    found = rows(data)
    ends = [int(str(row["offset"])) + int(str(row["length"])) for row in found]
    assert [row["offset"] for row in found] == [0] * 4
    assert ends == sorted(ends)
    assert ends[-1] == len(data)


def test_real_files_agree_with_fastwarc_where_it_reads_them() -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    wanted = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion
    compared = 0
    for path in folder("warc-real"):
        data = path.read_bytes()
        found = rows(data)
        try:
            theirs = [
                (record.headers.get("WARC-Target-URI") or "", record.reader.read())
                for record in ArchiveIterator(io.BytesIO(data), record_types=wanted)
            ]
        except OSError:
            continue
        if any(row["reason"] in ("corrupt-range", "truncated", "unsupported-format") for row in found):
            continue
        # It passes over records whose header lines end in LF alone.
        assert len(theirs) in (0, len(found)), path.name
        for (url, body), row in zip(theirs, found if theirs else [], strict=True):
            assert (row["url"] or "") == url.strip("<>"), path.name
            headers = row["http_headers"] if isinstance(row["http_headers"], bytes) else b""
            if row["payload"] is not None and b"encoding:" not in headers.lower():
                assert row["payload"] == body, path.name
                compared += 1
    assert compared > 300


MEMORY = """
import io, sys, zlib
from pathlib import Path
from lauter.stages.read.warc import WarcConfig, WarcReader
from tests.stages.read.archives import http, record

def head(length):
    return record(b"", length=length, tail=b"")

def bomb(length, size):
    # Fully flushed blocks stand alone, so that one of them can be repeated.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head(length)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    check = zlib.crc32(head(length))
    for _ in range(size):
        check = zlib.crc32(bytes(1 << 20), check)
    total = (len(head(length)) + (size << 20)) & 0xFFFFFFFF
    end = packer.flush() + check.to_bytes(4, "little") + total.to_bytes(4, "little")
    return bytes((31, 139, 8)) + bytes(7) + start + block * size + end

small = record(http(b"<p>small"))
cases = {
    "bomb": lambda: bomb(1 << 30, size),
    "bomb-in-disguise": lambda: bomb(100, size),
    "declared": lambda: small + head(2 << 30) + small,
    "declared-short": lambda: small + head(60 << 20) + small,
    "body-bomb": lambda: record(http(bomb(9, size), b"Content-Type: text/html", b"Content-Encoding: gzip")),
}
def peak():
    # Not ru_maxrss, in which the test process counts that this one was forked from.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

size = int(sys.argv[2])
data = cases[sys.argv[1]]()
reader = WarcReader(WarcConfig(), "source")
list(reader.read(io.BytesIO(small), "file"))
before = peak()
rows = sum(len(batch.records) for batch in reader.read(io.BytesIO(data), "file"))
read = peak()
assert rows == reader.count(io.BytesIO(data)).rows
counted = peak()
print(rows, (read - before) // 1024, (counted - before) // 1024)
"""


def growth(case: str, megabytes: int) -> tuple[int, int, int]:
    """Rows, and the growth of the peak over an ordinary file's in MB, of reading and then of counting."""
    command = [sys.executable, "-c", MEMORY, case, str(megabytes)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(out[0]), int(out[1]), int(out[2])


@pytest.mark.parametrize(
    ("case", "megabytes"),
    [
        ("bomb", 200),
        ("bomb-in-disguise", 200),
        ("body-bomb", 200),
        pytest.param("bomb", 1024, marks=pytest.mark.slow),
        pytest.param("bomb-in-disguise", 1024, marks=pytest.mark.slow),
        pytest.param("body-bomb", 1024, marks=pytest.mark.slow),
    ],
)
def test_a_bomb_keeps_memory_flat(case: str, megabytes: int) -> None:
    """A body may be inflated up to its own limit of 64 MiB."""
    rows, reading, counting = growth(case, megabytes)
    assert rows == 1
    assert max(reading, counting) < (190 if case == "body-bomb" else 100)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["declared", "declared-short"])
def test_a_declared_length_costs_no_memory(case: str) -> None:
    rows, reading, counting = growth(case, 0)
    assert rows == 3
    assert max(reading, counting) < 30
