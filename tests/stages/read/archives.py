"""Small archives written byte by byte, and ways to damage them."""

from __future__ import annotations

import gzip
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from lauter.pipeline.contract import ReadBatch
from lauter.stages.read.warc import WarcConfig, WarcReader

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[3].parent / "shared" / "data")


def folder(name: str) -> list[Path]:
    """The files of a folder of the test data; skips the test where it is absent."""
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name}/ in LAUTER_TEST_DATA")
    return sorted(path for path in (DATA / name).iterdir() if path.is_file())


def record(
    content: bytes,
    *,
    kind: str = "response",
    identifier: str | None = "<urn:uuid:1>",
    url: bytes = b"http://a.example/",
    content_type: str | None = "application/http; msgtype=response",
    length: int | None = None,
    tail: bytes = b"\r\n\r\n",
) -> bytes:
    """One WARC record; `length` is the declared length if it shall be a lie."""
    head = (
        b"WARC/1.1\r\nWARC-Type: "
        + kind.encode()
        + b"\r\nWARC-Target-URI: "
        + url
        + b"\r\nWARC-Date: 2024-05-18T01:58:10Z\r\n"
    )
    if identifier is not None:
        head += b"WARC-Record-ID: " + identifier.encode() + b"\r\n"
    if content_type is not None:
        head += b"Content-Type: " + content_type.encode() + b"\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % (len(content) if length is None else length) + content + tail


def http(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """One HTTP response."""
    return b"\r\n".join((b"HTTP/1.1 " + status, *(headers or (b"Content-Type: text/html",)), b"", b"")) + body


def members(records: list[bytes], level: int = 6) -> bytes:
    """Each part as a gzip member."""
    return b"".join(gzip.compress(part, level, mtime=0) for part in records)


def read(data: bytes, config: WarcConfig | None = None) -> list[ReadBatch]:
    """All batches of the WARC reader."""
    return list(WarcReader(config or WarcConfig(), "source").read(io.BytesIO(data), "file"))


def rows(data: bytes, config: WarcConfig | None = None) -> list[dict[str, object]]:
    """All rows of the WARC reader, each with its `reason` (None if it goes on)."""
    found: list[dict[str, object]] = []
    for batch in read(data, config):
        for row, code in zip(batch.records.to_pylist(), batch.verdict.reason, strict=True):
            found.append({**row, "reason": WarcReader.reasons[code - 1].name if code else None})
    return found


def damaged(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """`data` with one to four cuts, flips, deletions, insertions, repetitions or swaps."""
    for _ in range(draw.randint(1, 4)):
        if not data:
            return data
        start = draw.randrange(len(data))
        end = min(len(data), start + draw.choice((1, 2, 7, 60, 300, 5000)))
        action = draw.randrange(8)
        if action == 0:
            data = data[:start]
        elif action == 1:
            data = data[:start] + bytes([data[start] ^ (1 << draw.randrange(8))]) + data[start + 1 :]
        elif action == 2:
            data = data[:start] + data[end:]
        elif action == 3:
            data = data[:start] + draw.choice(list(INSERTIONS)) + data[start:]
        elif action == 4:
            data = data[:end] + data[start:end] + data[end:]
        elif action == 5:
            data = data[:start] + draw.randbytes(end - start) + data[end:]
        elif action == 6:
            other = draw.choice(others)
            cut = draw.randrange(len(other) + 1)
            data = data[:start] + other[cut : cut + draw.choice((10, 500, 100_000))]
        else:
            data = data[start:]
    return data


INSERTIONS = (
    b"\n",
    b"\r\n\r\n",
    b"\n" * 20,
    b"WARC/",
    b"\nWARC/1.0\r\n",
    b"\r\nWARC/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n",
    b"\nWARC/1.0\nWARC-Type: resource\nContent-Length: 99999999999\n\n",
    b"Content-Length: 7\r\n",
    b"\x1f\x8b\x08",
    gzip.compress(b"WARC/1.0\r\n", mtime=0),
    gzip.compress(b"", mtime=0),
    gzip.compress(record(http(b"<p>in"), identifier=None), mtime=0),
    b"\x00" * 40,
)


def layouts(records: list[bytes], draw: random.Random) -> Iterator[bytes]:
    """The same records in every container the standard library and fastwarc can write."""
    from fastwarc.stream_io import Lz4Writer, ZstdWriter

    text = b"".join(records)
    yield text
    yield members(records)
    yield members(records, 0)
    yield members([text])
    yield members([text], 0)
    cuts = sorted(draw.sample(range(len(text)), min(len(text), 5)))
    yield members(
        [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)], draw.choice((0, 1, 9))
    )
    for writer in (Lz4Writer, ZstdWriter):
        out = io.BytesIO()
        codec = writer(out)
        for part in records:
            codec.write(part)
            codec.finish()
        codec.flush()
        yield out.getvalue()
