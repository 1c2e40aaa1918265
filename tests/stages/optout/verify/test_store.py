"""The audit's store beside the compiled index: of any answers, the same one counts, and comes to the same outcome."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.index.compile import INDEX_FILE, ORIGINS_FILE, compile_snapshots
from lauter.stages.optout.index.origins import OUTCOMES, OriginIndex
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.snapshot.answer import parse_time
from lauter.stages.optout.verify.store import AnswerStore
from lauter.stages.optout.verify.verifier import _outcome

HOSTS = ("a", "b", "c")
DAYS = ("2024-01-01", "2024-01-02", "2024-06-01", "2025-01-01")
RULES = "User-agent: *\nDisallow: /\n"
BODIES = (RULES, "User-agent: *\nDisallow: /x\n", "", "<html><body>Access denied</body></html>")


class Record(NamedTuple):
    """A WARC record about one host's robots.txt."""

    host: str
    day: str
    kind: str
    head: str = ""
    """Status line and header fields."""
    body: str = ""
    fields: str = ""

    def block(self, number: int) -> bytes:
        """The record; `number` makes its id."""
        http = f"HTTP/1.1 {self.head}\r\n\r\n{self.body}" if self.head else ""
        return (
            f"WARC/1.1\r\nWARC-Type: {self.kind}\r\nWARC-Target-URI: https://{self.host}.example/robots.txt\r\n"
            f"WARC-Date: {self.day}T00:00:00Z\r\nWARC-Record-ID: <urn:x:{number}>\r\n{self.fields}"
            f"Content-Length: {len(http)}\r\n\r\n{http}\r\n\r\n"
        ).encode()


host, day = st.sampled_from(HOSTS), st.sampled_from(DAYS)
plain = st.builds(
    Record,
    host,
    day,
    st.just("response"),
    st.sampled_from(("200 OK", "404 No", "403 No", "503 No")),
    st.sampled_from(BODIES),
)
moved = st.builds(
    lambda one, when, to, path: Record(one, when, "response", f"301 M\r\nLocation: {to}{path}"),
    host,
    day,
    st.sampled_from([*(f"https://{name}.example" for name in HOSTS), "//a.example", "", "https://elsewhere.example"]),
    st.sampled_from(("/robots.txt", "/robots.txt?x", "/login")),
)
again = st.builds(
    lambda one, when, head, fields: Record(one, when, "revisit", head, "", "".join(fields)),
    host,
    day,
    st.sampled_from(("", "304 Not Modified", "404 No")),
    st.tuples(
        st.one_of(st.just(""), st.integers(0, 8).map(lambda n: f"WARC-Refers-To: <urn:x:{n}>\r\n")),
        st.one_of(
            st.just(""),
            st.builds(
                "WARC-Refers-To-Target-URI: https://{}.example/robots.txt\r\n"
                "WARC-Refers-To-Date: {}T00:00:00Z\r\n".format,
                host,
                day,
            ),
        ),
    ),
)
snapshots = st.lists(st.one_of(plain, plain, moved, again), max_size=8)


def written(folder: str, records: Sequence[Record]) -> list[str]:
    """Two files, since a revisit may refer to another one."""
    paths = [Path(folder) / name for name in ("one.warc", "two.warc")]
    for part, path in enumerate(paths):
        path.write_bytes(b"".join(item.block(n) for n, item in enumerate(records) if n % 2 == part))
    return [str(path) for path in paths]


def said(outcome: str) -> str:
    """The store does not tell a file that says something from one that says nothing."""
    return "rules" if outcome == "allow" else outcome


@given(snapshots, st.sampled_from((None, "2024-01-02", "2024-12-31")))
def test_the_newest_answer_is_that_of_the_index(records: list[Record], as_of: str | None) -> None:
    end = parse_time(as_of, end_of_day=True)
    with tempfile.TemporaryDirectory() as folder:
        paths = written(folder, records)
        compile_snapshots(paths, folder, Terms(("*",), as_of=end))
        rows = {row["origin"]: row for row in pq.read_table(Path(folder) / ORIGINS_FILE).to_pylist()}
        store = AnswerStore(paths, end)
        for name in (f"https://{one}.example" for one in HOSTS):
            answer, row = store.newest("robots.txt", name), rows.get(name)
            assert (answer is None) == (row is None)
            if answer is not None and row is not None:
                assert said(_outcome(answer)) == said(row["outcome"])
                assert answer.fetched_at == int(row["fetched_at"].timestamp())
                if row["outcome"] == "rules":
                    assert answer.sha256 == row["sha256"].hex()
        store.close()


@given(snapshots, st.sampled_from(("2023-12-31", *DAYS, "2024-03-01")))
def test_what_stood_at_a_time_is_that_of_the_index(records: list[Record], then: str) -> None:
    time = parse_time(then)
    assert time is not None
    names = [f"https://{one}.example" for one in HOSTS]
    with tempfile.TemporaryDirectory() as folder:
        paths = written(folder, records)
        compile_snapshots(paths, folder, Terms(("*",), every_version=True))
        index = OriginIndex(str(Path(folder) / INDEX_FILE))
        rows = index.find_at(names, np.full(len(names), time))
        outcomes = index.outcomes(rows)
        store = AnswerStore(paths, None)
        for name, row, code in zip(names, rows.tolist(), outcomes.tolist(), strict=True):
            answer = store.newest("robots.txt", name, before=time)
            if answer is None:
                # Nothing is known, or a redirect led to one of several answers.
                continue
            assert row >= 0
            assert said(_outcome(answer)) == said(OUTCOMES[code])
        store.close()


def test_a_copy_reads_the_same_file(tmp_path: Path) -> None:
    paths = written(str(tmp_path), [Record("a", DAYS[0], "response", "200 OK", RULES)])
    store = AnswerStore(paths, None)
    copy = pickle.loads(pickle.dumps(store))
    assert copy.newest("robots.txt", "https://a.example") == store.newest("robots.txt", "https://a.example")
    assert (copy.kinds, copy.lost) == (frozenset({"robots.txt"}), False)
    store.close()
