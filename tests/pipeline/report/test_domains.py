"""The list of domains against a plain sort, however it is cut, and the part of it that the template asks for."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import exchange
from lauter.pipeline.report.domains import CSV, SHOWN, SIZES, SizedDomains, listed, size_order, write_domains
from lauter.pipeline.report.hosts import Domains, each, host
from lauter.pipeline.steps.layouts import DOMAINS
from lauter.pipeline.storage import Storage
from tests.pipeline.report.counting import count
from tests.pipeline.report.hand_made import ROWS, Row, corpus

Rows = list[tuple[int, int, int]]
"""Number of a domain, tokens, characters."""


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://www.example.co.uk/a", "example.co.uk"),
        ("http://Example.CH:8080/", "example.ch"),
        ("https://me@sub.bücher.de/x", "xn--bcher-kva.de"),
        ("https://someone.github.io/", "github.io"),
        ("https://co.uk/", "co.uk"),
        ("http://192.168.1.1:81/a", "192.168.1.1"),
        ("http://[2001:db8::1]:81/a", "[2001:db8::1]"),
        ("https://www.a.example/", "www.a.example"),
        ("ftp://example.org/", None),
        ("https://a\\b.ch/", None),
        ("nonsense", None),
    ],
)
def test_a_url_has_one_registered_domain(url: str, domain: str | None) -> None:
    assert Domains().of_url(url) == domain
    urls = pa.chunked_array([[url, None], [url + "#top"]], pa.string())
    assert each(urls, Domains().of_url).to_pylist() == [domain, None, domain]


@given(
    st.lists(
        st.sampled_from(
            ["http://a.ch/x", " http://a.ch", "http://[x/", "//b.ch/", "", "HTTP://U@C.ch:1/?", "http://a.ch\\b/c"]
        )
    )
)
def test_hosts_of_a_column_are_those_of_its_urls(urls: list[str]) -> None:
    half = len(urls) // 2
    column = pa.chunked_array([urls[:half], urls[half:]], pa.string())
    assert each(column, host).to_pylist() == [host(url) for url in urls]


def test_the_template_asks_for_a_tenth_or_a_twentieth() -> None:
    assert [listed(n, sme=False) for n in (0, 1, 10, 11, 100_000)] == [0, 1, 1, 2, 10_000]
    assert [listed(n, sme=True) for n in (0, 1, 20, 21, 19_999, 20_001, 100_000)] == [0, 1, 1, 2, 1000, 1000, 1000]


def _domains(rows: Rows) -> pa.Table:
    """Each domain once, as a range has them."""
    names = ("records", "tokens", "characters")
    sums: dict[str, list[int]] = {}
    for number, tokens, chars in rows:
        own = sums.setdefault(f"d{number}.ch", [0, 0, 0])
        own[:] = [have + more for have, more in zip(own, (1, tokens, chars), strict=True)]
    return pa.Table.from_pylist(
        [{"domain": name, **dict(zip(names, own, strict=True))} for name, own in sums.items()], DOMAINS
    )


def _sized(storage: Storage, table: pa.Table, ranges: int, by: str) -> SizedDomains:
    """The table in so many files, as the tasks leave it."""
    sizes: Counter[int] = Counter()
    for number in range(ranges):
        some = table.take(pa.array(range(number, table.num_rows, ranges), pa.int64()))
        places = size_order(some.column(by).to_numpy())
        exchange.write(storage, f"{number}.arrow", some, places)
        sizes.update(places.tolist())
    records = sum(table.column("records").to_pylist())
    return SizedDomains([f"{number}.arrow" for number in range(ranges)], sizes, records, by)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3), st.integers(0, 40)), max_size=200),
    ranges=st.integers(1, 5),
    at_once=st.sampled_from([1, 7, 1000]),
    sme=st.booleans(),
    by=st.sampled_from(["characters", "tokens"]),
)
def test_the_largest_are_listed_in_order_however_few_at_once(
    rows: Rows, ranges: int, at_once: int, by: str, *, sme: bool
) -> None:
    table = _domains(rows)
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        output, info = write_domains(storage, _sized(storage, table, ranges, by), sme=sme, at_once=at_once)
        with (Path(folder) / CSV).open(newline="") as file:
            found = list(csv.DictReader(file))
    wanted = listed(table.num_rows, sme=sme)
    plain = sorted(table.to_pylist(), key=lambda row: (-row[by], row["domain"]))[:wanted]
    assert found == [{name: str(value) for name, value in row.items()} for row in plain]
    assert info == {
        "domains": table.num_rows,
        "records": len(rows),
        "listed": wanted,
        "size": by,
        "first": plain[:SHOWN],
    }
    assert output.path == CSV and output.rows == wanted


@given(st.lists(st.integers(0, 2**63 - 1), min_size=2))
def test_larger_sizes_come_first(sizes: list[int]) -> None:
    places = size_order(np.array(sorted(sizes, reverse=True), np.int64)).tolist()
    assert places == sorted(places) and places[0] >= 0 and places[-1] < SIZES


def test_only_kept_records_of_crawled_sources_count(tmp_path: Path) -> None:
    rows = [*ROWS, Row("other", "z.example", "kept", None, None, "deu_Latn", 9, 9)]
    made = corpus(tmp_path, rows, about={"other": {"category": "licensed"}, "web": {"category": "crawled"}})
    found = count(tmp_path, made).domains
    assert (sum(found.sizes.values()), found.records, found.by) == (2, 3, "characters")
    write_domains(Storage(str(tmp_path)), found, sme=False)
    with (tmp_path / CSV).open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["domain", "records", "tokens", "characters"],
            ["a.example", "2", "1234", "7000"],
        ]


def test_where_nobody_counts_characters_tokens_are_the_size(tmp_path: Path) -> None:
    rows = [Row("web", "a.example", "kept", tokens=3), Row("books", "b.example", "kept", chars=7, tokens=1)]
    assert count(tmp_path / "no", corpus(tmp_path / "no", rows, about={"books": {"category": "other"}})).domains.by == (
        "tokens"
    )
    assert count(tmp_path / "yes", corpus(tmp_path / "yes", rows)).domains.by == "characters"


def test_a_corpus_without_domains_has_an_empty_list(tmp_path: Path) -> None:
    _, info = write_domains(Storage(str(tmp_path)), SizedDomains([], {}, 0, "tokens"), sme=False)
    assert info == {"domains": 0, "records": 0, "listed": 0, "size": "tokens", "first": []}
    assert (tmp_path / CSV).read_text() == '"domain","records","tokens","characters"\n'
