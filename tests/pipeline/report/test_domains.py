"""Domain sums against a plain count, whatever is spilled, and the part of the list that the template asks for."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.report.domains import (
    CSV,
    DomainSums,
    Largest,
    largest,
    listed,
    sum_domains,
    write_domains,
)
from lauter.pipeline.report.hosts import Domains, each, host
from lauter.pipeline.storage import Storage
from tests.pipeline.report.hand_made import ROWS, Row, write_ledger


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


def _largest(rows: list[tuple[int, int, int]], held: int, batch: int, *, sme: bool) -> Largest:
    with DomainSums(held) as sums:
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            sums.add(
                pa.array([f"d{number}.ch" for number, _, _ in some], pa.string()),
                {
                    "tokens": pa.array([tokens for _, tokens, _ in some], pa.int64()),
                    "characters": pa.array([chars for _, _, chars in some], pa.int64()),
                },
            )
        return largest(sums, sme=sme)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3), st.integers(0, 4)), max_size=200),
    held=st.sampled_from([2, 17, 10_000]),
    batch=st.integers(1, 50),
    sme=st.booleans(),
    counted=st.booleans(),
)
def test_the_largest_are_those_of_a_plain_count(
    rows: list[tuple[int, int, int]], held: int, batch: int, *, sme: bool, counted: bool
) -> None:
    if not counted:
        rows = [(number, tokens, 0) for number, tokens, _ in rows]
    found = _largest(rows, held, batch, sme=sme)
    records, tokens, chars = Counter[str](), Counter[str](), Counter[str]()
    for number, some_tokens, some_chars in rows:
        records[f"d{number}.ch"] += 1
        tokens[f"d{number}.ch"] += some_tokens
        chars[f"d{number}.ch"] += some_chars
    size = chars if any(chars.values()) else tokens
    order = sorted(records, key=lambda name: (-size[name], name))
    assert found.size == ("characters" if size is chars else "tokens")
    assert (found.domains, found.records) == (len(records), len(rows))
    assert found.table.to_pylist() == [
        {"domain": name, "records": records[name], "tokens": tokens[name], "characters": chars[name]}
        for name in order[: listed(len(order), sme=sme)]
    ]


def test_only_kept_records_of_the_named_sources_count(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    rows = [*ROWS, Row("other", "z.example", "kept", None, None, "deu_Latn", 9, 9)]
    write_ledger(storage, "ledger/a.parquet", rows[:7], 1)
    write_ledger(storage, "ledger/b.parquet", rows[7:])
    with DomainSums() as sums:
        sum_domains(storage, ["ledger/a.parquet", "ledger/b.parquet"], ["web", "books"], sums)
        found = largest(sums, sme=False)
    assert (found.domains, found.records) == (2, 3)
    output = write_domains(storage, found)
    assert output.path == CSV and output.rows == 1
    with (tmp_path / CSV).open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["domain", "records", "tokens", "characters"],
            ["a.example", "2", "1234", "7000"],
        ]


def test_a_corpus_without_domains_has_an_empty_list(tmp_path: Path) -> None:
    with DomainSums() as sums:
        found = largest(sums, sme=False)
    assert found.info() == {"domains": 0, "records": 0, "listed": 0, "size": "tokens", "first": []}
    write_domains(Storage(str(tmp_path)), found)
    assert (tmp_path / CSV).read_text() == '"domain","records","tokens","characters"\n'
