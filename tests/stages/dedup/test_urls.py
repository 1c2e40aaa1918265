"""URLs that name the same page."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.dedup.urls import same_page, url_hashes

PAGE = "https://example.org/a?b=1"


@pytest.mark.parametrize(
    "url",
    [
        PAGE,
        "http://example.org/a?b=1",
        "HTTPS://EXAMPLE.org/a?b=1",
        "https://example.org:443/a?b=1",
        "http://example.org:80/a?b=1",
        "https://example.org:/a?b=1",
        "https://example.org/a?b=1#top",
        "https://me:secret@example.org/a?b=1",
        "https://example.org./a?b=1",
        " https://example.org/a?b=1\n",
    ],
)
def test_spellings_of_one_page(url: str) -> None:
    assert same_page(url) == same_page(PAGE)


def test_names_of_one_host_and_an_empty_path_are_one_page() -> None:
    names = ("http://BÜCHER.example", "https://xn--bcher-kva.example./", "https://b%C3%BCcher.example#top")
    assert {same_page(url) for url in names} == {"xn--bcher-kva.example/"}


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/A?b=1",
        "https://example.org/a/?b=1",
        "https://example.org/a?b=1&utm_source=x",
        "https://example.org/a?b=%31",
        "https://example.org:8080/a?b=1",
        "https://www.example.org/a?b=1",
        "ftp://example.org/a?b=1",
    ],
)
def test_other_pages(url: str) -> None:
    assert same_page(url) != same_page(PAGE)


def test_an_empty_path_is_a_slash_and_a_host_is_a_label() -> None:
    assert same_page("https://Bücher.example") == same_page("http://xn--bcher-kva.example/") == "xn--bcher-kva.example/"


def test_what_is_no_web_address_stays_as_it_is() -> None:
    assert same_page("urn:isbn:0451450523#x") == "urn:isbn:0451450523"
    assert same_page("not a url") == "not a url"


def test_nothing_has_no_hash() -> None:
    hashes = url_hashes(pa.array([None, "", PAGE, PAGE.upper().replace("A?B", "a?b")], pa.string()))
    assert hashes.dtype == np.uint64
    assert hashes.tolist()[:2] == [0, 0]
    assert hashes[2] == hashes[3] != 0


@given(st.lists(st.one_of(st.none(), st.binary(max_size=30), st.just(b"http://\xff\xfe/")), max_size=5))
def test_any_bytes_are_taken(raw: list[bytes | None]) -> None:
    hashes = url_hashes(pa.array(raw, pa.binary()))
    assert [int(value) == 0 for value in hashes] == [not one for one in raw]
    assert url_hashes(pa.array(raw[::-1], pa.binary())).tolist() == hashes.tolist()[::-1]
