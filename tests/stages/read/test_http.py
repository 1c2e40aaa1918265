"""Bodies as crawlers stored them, against the standard library and fastwarc's writers."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.read import http as http1
from tests.stages.read.archives import http

LIMIT = 1 << 20
PAGE = b"<html>" + b"Stra\xc3\x9fe " * 2000


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def packed(data: bytes, coding: str) -> bytes:
    from fastwarc.stream_io import ZstdWriter

    if coding in ("gzip", "x-gzip"):
        return gzip.compress(data, mtime=0)
    if coding == "deflate":
        return zlib.compress(data)
    if coding == "raw":
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(data) + packer.flush()
    if coding == "br":
        return bytes(pytest.importorskip("brotli").compress(data))
    out = io.BytesIO()
    writer = ZstdWriter(out)
    writer.write(data)
    writer.finish()
    writer.flush()
    return out.getvalue()


def body(content: bytes, *headers: bytes, limit: int = LIMIT) -> bytes:
    message = http1.split(http(content, *headers))
    assert message is not None
    return bytes(http1.body(message, limit))


def reason(content: bytes, *headers: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(http1.BodyError) as caught:
        body(content, *headers, limit=limit)
    return caught.value.reason


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "raw", "br", "zstd"])
@pytest.mark.parametrize("transfer", [b"", b"Transfer-Encoding: Chunked"])
def test_every_coding_chunked_or_not(coding: str, transfer: bytes) -> None:
    data = packed(PAGE, coding)
    name = b"Content-Encoding: " + coding.replace("raw", "deflate").encode()
    assert body(chunked(data, 700) if transfer else data, name, transfer or b"X: y") == PAGE
    assert reason(data, name, limit=len(PAGE) - 1) == "payload-too-large"
    assert body(data, name, limit=len(PAGE)) == PAGE


def test_codings_are_undone_in_reverse_order() -> None:
    assert body(packed(packed(PAGE, "br"), "gzip"), b"Content-Encoding: br, gzip") == PAGE
    assert body(packed(packed(PAGE, "br"), "gzip"), b"Content-Encoding: br", b"Content-Encoding: gzip") == PAGE
    assert reason(PAGE, b"Content-Encoding: gzip, gzip, gzip, gzip, gzip") == "bad-content-encoding"


@pytest.mark.parametrize("name", [b"gzip", b"br", b"deflate", b"identity", b"utf-8"])
def test_a_body_that_was_decoded_already_is_taken_as_it_is(name: bytes) -> None:
    assert body(PAGE, b"Content-Encoding: " + name) == PAGE
    assert body(PAGE, b"Content-Encoding: " + name, b"Transfer-Encoding: chunked") == PAGE


def test_bodies_that_are_coded_wrongly() -> None:
    spoilt = bytearray(packed(PAGE, "gzip"))
    spoilt[12:20] = b"\xff" * 8
    assert reason(bytes(spoilt), b"Content-Encoding: gzip") == "bad-content-encoding"
    assert reason(b"\x9f\x00\x12" * 9, b"Content-Encoding: br") == "bad-content-encoding"
    assert reason(b"\x9f\x00\x12" * 9, b"Content-Encoding: deflate") == "bad-content-encoding"
    assert reason(PAGE, b"Content-Encoding: compress") == "bad-content-encoding"
    assert body(b"", b"Content-Encoding: gzip") == b""


def test_chunks_with_wrong_sizes() -> None:
    assert body(b"5\r\nhello\r\n6\r\n world\r\n", b"Transfer-Encoding: chunked") == b"hello world"
    assert body(b"5\r\nhello\r\nff\r\n world", b"Transfer-Encoding: chunked") == b"hello world"
    assert body(b"5;x=y\nhello\n0\n\n", b"Transfer-Encoding: chunked") == b"hello"
    wrong = b"Transfer-Encoding: chunked"
    assert reason(b"5\r\nhello\r\n3\r\n world\r\n0\r\n\r\n", wrong) == "bad-transfer-encoding"
    assert reason(b"5\r\nhello\r\nzz\r\nworld\r\n", wrong) == "bad-transfer-encoding"
    assert body(b"3\r\nnot chunks at all", wrong) == b"3\r\nnot chunks at all"


@given(st.binary(max_size=400), st.integers(1, 50))
def test_dechunk_undoes_chunking(data: bytes, size: int) -> None:
    assert bytes(http1.dechunk(chunked(data, size))) == data


@given(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"gzip", b"br", b"deflate", b"zstd", b"chunked", b"x", b""]), max_size=5),
    st.sampled_from([b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"5\r\n", b"<html>", b""]),
)
def test_no_body_raises_anything_else(data: bytes, codings: list[bytes], start: bytes) -> None:
    headers = (b"Content-Encoding: " + b", ".join(codings), b"Transfer-Encoding: " + b", ".join(codings))
    message = http1.split(http(start + data, *headers))
    assert message is not None
    try:
        assert len(http1.body(message, 1000)) <= 1000
    except http1.BodyError as error:
        assert error.reason in {"payload-too-large", "bad-content-encoding", "bad-transfer-encoding"}


def test_split_takes_lf_and_missing_reasons() -> None:
    message = http1.split(b"HTTP/1.0 404\nContent-Type: text/html\n\nbody\n\n")
    assert message is not None
    assert (message.status, bytes(message.body)) == (404, b"body\n\n")
    only = http1.split(b"HTTP/2 200\r\n\r\nx")
    assert only is not None
    assert (only.block, bytes(only.body)) == (b"HTTP/2 200\r\n\r\n", b"x")
    assert http1.split(b"HTTP/1.1 200 OK\r\nX: " + b"y" * http1.MAX_HEADERS + b"\r\n\r\n") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Text/HTML; charset=UTF-8", ("text/html", "utf-8")),
        ('text/html;charset="iso-8859-1"', ("text/html", "iso-8859-1")),
        ("text/html, text/plain", ("text/html", None)),
        ("html", ("", None)),
        ("*/*", ("", None)),
        ("unknown/unknown; charset=x", ("", "x")),
        ("", ("", None)),
    ],
)
def test_media_type(value: str, expected: tuple[str, str | None]) -> None:
    assert http1.media_type(value) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\n <!DocType HTML>", "text/html"),
        (b"<!-- x", "text/html"),
        (b"\xef\xbb\xbf<html>", "text/html"),
        (b"<br/>", "text/plain"),
        (b"words", "text/plain"),
        (b"", "text/plain"),
        (b"\xff\xfea\x00", "text/plain"),
        (b"\x00\x01", "application/octet-stream"),
    ],
)
def test_sniff(content: bytes, expected: str) -> None:
    assert http1.sniff(content) == expected


def test_values_join_continuation_lines_and_keep_order() -> None:
    block = b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai,\r\n\tnoindex\r\nx-robots-tag : b\xe9\r\n\r\n"
    assert http1.values(block, b"x-robots-tag") == ["noai, noindex", "bé"]
