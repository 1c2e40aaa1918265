"""Opt-out signals of headers and pages, MB of HTML a second, beside a DOM that is asked for the same elements.

Run: `LAUTER_TEST_DATA=… python benchmarks/page_signals.py [--seconds 3]`. The peer is resiliparse's lexbor tree, the
fastest DOM of the known packages (BeautifulSoup and lxml are slower): parse, then ask for meta, link and licence links.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from fastwarc import ArchiveIterator, WarcRecordType
from resiliparse.parse.html import HTMLTree

from lauter.stages.optout.signals.page import page_signals

SELECTOR = "meta[name], link[rel~=license], a[rel~=license], script[type='application/ld+json']"


def load(data: Path) -> pa.RecordBatch:
    """Every HTML page of the public set, as a reader would give it."""
    pages: list[bytes] = []
    for path in sorted((data / "warc").glob("*.warc.gz")):
        if path.name.startswith("robots"):
            continue
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
                pages.append(record.reader.read())
    count = len(pages)
    return pa.RecordBatch.from_pydict(
        {
            "http_headers": pa.array([b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"] * count, pa.binary()),
            "payload": pa.array(pages, pa.large_binary()),
            "media_type": pa.array(["text/html"] * count),
        }
    )


def cpu_seconds(work: Callable[[], object], seconds: float) -> float:
    """The least CPU seconds of a call, repeated for about `seconds`."""
    best = float("inf")
    end = time.monotonic() + seconds
    while best == float("inf") or time.monotonic() < end:
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3.0)
    seconds = arguments.parse_args().seconds
    batch = load(Path(os.environ.get("LAUTER_TEST_DATA", "../shared/data")))
    pages = batch.column("payload")
    megabytes = pages.nbytes / 1e6
    found = page_signals(batch)
    ours = cpu_seconds(lambda: page_signals(batch), seconds)

    def by_dom() -> int:
        trees = (HTMLTree.parse_from_bytes(page.as_py(), "utf-8").document for page in pages)
        return sum(len(tree.query_selector_all(SELECTOR)) for tree in trees if tree is not None)

    elements = by_dom()
    theirs = cpu_seconds(by_dom, 0)
    print(f"{batch.num_rows} pages, {megabytes:.0f} MB; {found.num_rows} statements of use (peer: {elements} elements)")
    print(f"MB/s: lauter {megabytes / ours:,.0f}, lexbor DOM {megabytes / theirs:,.0f}, ratio {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
