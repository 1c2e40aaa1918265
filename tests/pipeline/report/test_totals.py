"""What ranges leave of tallies: the report's numbers, as one loop over the whole ledger has them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.report import totals
from lauter.pipeline.report.evidence import TOP
from lauter.pipeline.report.totals import RULES, counts_of, domains_of, range_total, summarise
from lauter.pipeline.steps.layouts import DOMAINS, TALLIES
from lauter.pipeline.storage import Storage
from tests.pipeline.report.hand_made import Row, write_ledger
from tests.pipeline.report.whole_ledger import plain_summary, rows_of

TEXTS = st.sampled_from(["one", "two", None])
LEDGER_ROW = st.builds(
    Row,
    source=st.sampled_from(["web", "books"]),
    host=st.sampled_from([*(f"h{number}.example" for number in range(TOP + 9)), "[broken", None]),
    verdict=st.sampled_from(["kept", "dropped", "duplicate", "error", "removed"]),
    stage=TEXTS,
    reason=TEXTS,
    language=st.sampled_from(["deu_Latn", "roh_Latn", None]),
    chars=st.sampled_from([None, 0, 7, 2**31 - 1]),
    tokens=st.sampled_from([None, 5, 2**31 - 1]),
    agent=st.sampled_from(["GPTBot", "*", None]),
    signal=st.sampled_from(["tdmrep", None]),
    fetched_at=st.sampled_from(["2024-02-01T10:00:00Z", "2023-02-01T10:00:59Z", None]),
    outcome=st.sampled_from(["rules", "allow", None]),
    via=st.sampled_from(["www", None]),
    shard=st.sampled_from([0, None]),
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(LEDGER_ROW, max_size=120), ranges=st.sampled_from([1, 5]))
def test_the_summary_is_that_of_one_loop_over_the_ledger(rows: list[Row], ranges: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(totals, "ranges_for", lambda _: ranges)
        storage = Storage(folder)
        for place, some in enumerate((rows[::2], rows[1::2])):
            write_ledger(storage, f"ledger/{place}.parquet", some)
        paths = ["ledger/0.parquet", "ledger/1.parquet"]
        assert summarise(storage, paths) == plain_summary(rows_of(Path(folder), paths))


def _table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(
        [{**dict.fromkeys(TALLIES.names), "records": 1, "tokens": 0, "chars": 0, **row} for row in rows], TALLIES
    )


def test_domains_of_several_crawled_sources_are_one() -> None:
    first = _table(
        {"of": "domain", "source": "web", "name": "a.example", "tokens": 3, "chars": 9},
        {"of": "domain", "source": "books", "name": "a.example", "tokens": 100},
    )
    second = _table(
        {"of": "domain", "source": "crawl", "name": "a.example", "records": 2, "tokens": 4, "chars": 1},
        {"of": "host", "name": "a.example"},
    )
    total = range_total([first, second], ["crawl", "web"])
    assert domains_of(total).cast(DOMAINS).to_pylist() == [
        {"domain": "a.example", "records": 3, "tokens": 7, "characters": 10}
    ]
    assert counts_of(total).column("of").to_pylist() == ["host"]


def test_hosts_are_cut_to_those_that_a_report_shows() -> None:
    names = [f"h{number:03}.example" for number in range(TOP + 20)]
    hosts: list[dict[str, object]] = [
        {"of": "host", "verdict": "kept", "name": name, "records": number // 2} for number, name in enumerate(names)
    ]
    others: list[dict[str, object]] = [
        {"of": "ruled-host", "stage": stage, "name": name} for stage in ("one", "two") for name in names[::-1]
    ]
    found = counts_of(_table(*hosts, *others, {"of": "pii", "source": "web"})).to_pylist()
    kept = [row["name"] for row in found if row["verdict"] == "kept"]
    wanted = sorted(hosts, key=lambda row: (-int(str(row["records"])), str(row["name"])))
    assert sorted(kept) == sorted(str(row["name"]) for row in wanted[:TOP])
    for stage in ("one", "two"):
        assert sorted(row["name"] for row in found if row["stage"] == stage) == names[:TOP]
    assert [row["source"] for row in found if row["of"] == "pii"] == ["web"]


def test_rules_past_the_bound_are_the_rarest() -> None:
    rules = [
        {"of": "rule", "stage": "own", "name": f"{number:06}", "records": 1 + number} for number in range(RULES + 5)
    ]
    found = counts_of(_table(*rules)).column("name").to_pylist()
    assert found == [f"{number:06}" for number in reversed(range(5, RULES + 5))]
