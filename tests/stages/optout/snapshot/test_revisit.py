"""Revisit records get the answer that they repeat, or none at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lauter.stages.optout.index.compile import ORIGINS_FILE, compile_snapshots
from lauter.stages.optout.index.terms import Terms

DENY = "HTTP/1.1 200 OK\r\n\r\nUser-agent: *\nDisallow: /\n"


def record(kind: str, host: str, date: str, block: str, extra: str = "") -> bytes:
    return (
        f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: https://{host}.example/robots.txt\r\n"
        f"WARC-Date: {date}T00:00:00Z\r\nWARC-Record-ID: <urn:x:{kind}-{host}-{date}>\r\n{extra}"
        f"Content-Length: {len(block)}\r\n\r\n{block}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("extra", "block", "outcome"),
    [
        ("WARC-Refers-To: <urn:x:response-b-2023-01-01>\r\n", "", "rules"),
        ("WARC-Refers-To: <urn:x:response-b-2023-01-01>\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n", "rules"),
        ("WARC-Refers-To: <urn:x:response-b-2023-01-01>\r\n", "HTTP/1.1 404 Not Found\r\n\r\n", "unparsable"),
        (
            "WARC-Refers-To-Target-URI: https://b.example/robots.txt\r\nWARC-Refers-To-Date: 2023-01-01T00:00:00Z\r\n",
            "",
            "rules",
        ),
        ("WARC-Refers-To-Date: 2022-01-01T00:00:00Z\r\n", "", "allow"),
        ("WARC-Refers-To: <urn:x:revisit-a-2024-01-01>\r\n", "", "unparsable"),
        ("WARC-Refers-To: <urn:x:elsewhere>\r\n", "", "unparsable"),
        ("", "", "unparsable"),
    ],
)
def test_revisit(tmp_path: Path, extra: str, block: str, outcome: str) -> None:
    # Older and newer crawls are two files: a revisit may refer to another one.
    (tmp_path / "new.warc").write_bytes(record("revisit", "a", "2024-01-01", block, extra))
    (tmp_path / "old.warc").write_bytes(
        record("response", "b", "2023-01-01", DENY)
        + record("response", "a", "2022-01-01", "HTTP/1.1 404 Not Found\r\n\r\n")
    )
    counts = compile_snapshots([str(tmp_path / "new.warc"), str(tmp_path / "old.warc")], str(tmp_path), Terms(("*",)))
    rows = {row["origin"]: row for row in pq.read_table(tmp_path / ORIGINS_FILE).to_pylist()}
    assert rows["https://a.example"]["outcome"] == outcome
    assert counts["revisits"] == 1
    assert counts["unresolved"] == (outcome == "unparsable")
