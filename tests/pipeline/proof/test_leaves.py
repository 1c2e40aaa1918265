from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.pipeline.origin import locate
from lauter.pipeline.proof.leaves import key_of, leaves, locator, row_keys, row_texts
from tests.pipeline.proof.small_ledger import Row, row, table

TEXT = st.text("ab,\\\t\n=\u00fc\U0001f600", max_size=6)
TIME = st.datetimes(datetime.datetime(1969, 1, 1), datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC))


def _value(field: pa.Field) -> st.SearchStrategy[Any]:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    found: st.SearchStrategy[Any]
    if pa.types.is_struct(kind):
        found = st.fixed_dictionaries({member.name: _value(member) for member in kind})
    elif pa.types.is_list(kind):
        found = st.lists(st.one_of(st.none(), TEXT), max_size=3)
    elif pa.types.is_fixed_size_binary(kind):
        found = st.binary(min_size=kind.byte_width, max_size=kind.byte_width)
    elif pa.types.is_timestamp(kind):
        found = TIME.map(lambda time: time.replace(microsecond=0))
    elif pa.types.is_integer(kind):
        bits = kind.bit_width - (0 if kind == pa.uint64() else 1)
        found = st.integers(0 if kind == pa.uint64() else -(1 << bits), (1 << bits) - 1)
    else:
        found = TEXT
    return st.one_of(st.none(), found) if field.nullable else found


LEDGER_ROW = st.fixed_dictionaries({field.name: _value(field) for field in schema.LEDGER})


def _written(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return str((value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1))
    if isinstance(value, list):
        return "".join("\\N," if item is None else _written(item).replace(",", "\\,") + "," for item in value)
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _text(prefix: str, fields: Iterable[pa.Field], values: Row) -> str:
    parts = []
    for field in fields:
        value = values[field.name]
        if isinstance(value, dict):
            parts.append(_text(f"{prefix}{field.name}.", field.type, value))
        elif value is not None:
            parts.append(f"{prefix}{field.name}={_written(value)}")
    return "\t".join(filter(None, parts))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(LEDGER_ROW, min_size=1, max_size=5), start=st.integers(0, 4))
def test_a_row_text_is_what_it_is_said_to_be(rows: list[Row], start: int) -> None:
    (batch,) = table(rows).combine_chunks().to_batches()
    found = [text.as_py().decode() for text in row_texts(batch.slice(start))]
    assert found == [_text("", schema.LEDGER, item) for item in rows][start:]


@settings(max_examples=60, deadline=None)
@given(one=LEDGER_ROW, other=LEDGER_ROW, name=st.sampled_from(schema.LEDGER.names))
def test_different_rows_have_different_texts(one: Row, other: Row, name: str) -> None:
    changed = {**one, name: other[name]}
    (batch,) = table([one, changed]).combine_chunks().to_batches()
    first, second = row_texts(batch).to_pylist()

    def members(values: Row) -> Row:
        # A struct of nulls is like none.
        return {
            key: None if isinstance(value, dict) and not any(item is not None for item in value.values()) else value
            for key, value in values.items()
        }

    assert (first == second) == (members(one) == members(changed))


URLS = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["http://", "https://", "HTTP://", "ftp://", " https://"]),
        st.sampled_from(
            ["a.org", "A.org", "a_b.c-d.org", "a.org:443", "me@a.org", "a.org.", "\u00fc.org", "[::1]", "org"]
        ),
        st.sampled_from(["", "/", "?q", "/a b", "/a#b", "/\u00fc", "/\x01", "#x", "/a\n", "//", "/%zz", "/\x7f"]),
    ),
)


@settings(max_examples=150, deadline=None)
@given(urls=st.lists(URLS, min_size=1, max_size=6))
def test_keys_are_those_of_the_normalised_urls(urls: list[str | None]) -> None:
    (batch,) = table([row(number, url) for number, url in enumerate(urls)]).combine_chunks().to_batches()
    expected = []
    for number, url in enumerate(urls):
        located = locate(url) if url is not None else None
        if url is None:
            text = "doc:" + number.to_bytes(16, "big").hex()
        elif located is None:
            text = "url:" + url
        else:
            text = located.origin + located.target
        assert locator(url, number.to_bytes(16, "big")) == text
        expected.append(hashlib.sha256(text.encode()).digest())
        assert key_of(text) == expected[-1]
    assert [key.tobytes() for key in row_keys(batch)] == expected
    found = leaves(batch)
    for key, leaf, text in zip(found.keys, found.leaves, row_texts(batch).to_pylist(), strict=True):
        assert leaf.tobytes() == hashlib.sha256(b"\0" + key.tobytes() + text).digest()


def test_a_url_that_is_no_utf8_has_a_key_and_a_text() -> None:
    (batch,) = table([row(1, "https://a.org/x"), row(2, "x")]).combine_chunks().to_batches()
    place = batch.schema.get_field_index("url")
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 15, 16], np.int32)), pa.py_buffer(b"https://a.org/\xff\xfe")]
    )
    batch = batch.set_column(place, "url", broken)
    keys = row_keys(batch)
    assert keys[0].tobytes() == hashlib.sha256(b"https://a.org/\xff").digest()
    assert keys[1].tobytes() == hashlib.sha256(b"url:\xfe").digest()
    assert b"url=https://a.org/\xff" in row_texts(batch)[0].as_py()
