"""Decoding piece by piece, against decoding at once."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.fetch.body import LIMIT_BYTES, Body, BodyReader

TEXT = b"User-agent: GPTBot\nDisallow: /\n" * 40
ENCODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT, mtime=0),
    "X-GZIP": gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0) + b"\0" * 9,
    "deflate": zlib.compress(TEXT),
    "Deflate, identity": zlib.compress(TEXT, wbits=-15),
    "br": brotli.compress(TEXT),
}


def read(coding: str, data: bytes, size: int) -> Body:
    reader = BodyReader(coding)
    for at in range(0, len(data), size):
        if reader.full:
            break
        reader.feed(data[at : at + size])
    return reader.finish()


@given(coding=st.sampled_from(sorted(ENCODED)), size=st.integers(1, 2000))
def test_any_pieces_give_the_text(coding: str, size: int) -> None:
    assert read(coding, ENCODED[coding], size) == Body(TEXT, truncated=False, broken=False)


@given(coding=st.sampled_from(["gzip", "deflate", "br"]), data=st.data())
def test_a_stream_that_is_not_whole_is_broken(coding: str, data: st.DataObject) -> None:
    whole = ENCODED[coding]
    cut = whole[: data.draw(st.integers(4, len(whole) - 1))]
    assert read(coding, cut, 64) == Body(b"", truncated=False, broken=True)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_plain_text_under_a_wrong_name_is_taken_and_other_bytes_are_broken(coding: str) -> None:
    assert read(coding, TEXT, 7) == Body(TEXT, truncated=False, broken=False)
    assert read(coding, b"\xff\xfe" * 9, 7) == Body(b"", truncated=False, broken=True)
    assert read(coding, b"", 7) == Body(b"", truncated=False, broken=False)


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br"])
@pytest.mark.parametrize("over", [0, 1, 1 << 20])
def test_the_limit_is_of_decoded_bytes(coding: str, over: int) -> None:
    text = b"x" * (LIMIT_BYTES + over)
    coded = {
        "": text,
        "gzip": gzip.compress(text, mtime=0),
        "deflate": zlib.compress(text),
        "br": brotli.compress(text),
    }
    body = read(coding, coded[coding], 1 << 14)
    assert body == Body(b"x" * LIMIT_BYTES, truncated=over > 0, broken=False)


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_bomb_is_left_after_its_first_bytes(coding: str) -> None:
    zeros = b"\0" * (64 << 20)
    bomb = gzip.compress(zeros, 9) if coding == "gzip" else brotli.compress(zeros, quality=5)
    reader = BodyReader(coding)
    fed = 0
    while not reader.full:
        reader.feed(bomb[fed : fed + 256])
        fed += 256
    assert fed <= 2048
    assert len(reader._data) < 2 * LIMIT_BYTES
    assert reader.finish().truncated


def test_a_stream_that_says_nothing_for_ever_is_left() -> None:
    reader = BodyReader("gzip")
    empty = gzip.compress(b"", mtime=0) * 700
    fed = 0
    while not reader.full:
        reader.feed(empty)
        fed += len(empty)
    assert fed < 2 * LIMIT_BYTES
    assert reader.finish() == Body(b"", truncated=False, broken=True)


@given(st.binary(max_size=300), st.sampled_from(["", "gzip", "deflate", "br", "zstd"]), st.integers(1, 50))
def test_no_bytes_raise(data: bytes, coding: str, size: int) -> None:
    assert len(read(coding, data, size).data) <= LIMIT_BYTES
