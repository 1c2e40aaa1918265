"""Extraction: our stage beside bare calls of the same libraries, on the same real pages in one run.

Ours does all that a run needs (encoding, limits, a child process that may die); the bare call does nothing but extract
from a string that is decoded already. Times are CPU seconds, parent and child together.

    python benchmarks/extract.py [WARC...] [--rounds N] [--pages N]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType

from lauter.pipeline.contract import StageContext
from lauter.stages.extract.backends import Backend, load_resiliparse, load_trafilatura
from lauter.stages.extract.encoding import decode
from lauter.stages.extract.stage import Extract, ExtractConfig

_BATCH_BYTES = 16 << 20


def read_pages(paths: Sequence[Path], limit: int) -> list[bytes]:
    pages: list[bytes] = []
    for path in paths:
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                if "html" in (record.http_headers.get("Content-Type") or ""):
                    pages.append(record.reader.read())
    return pages[:: max(1, len(pages) // limit)][:limit]


def batches(pages: Sequence[bytes]) -> list[pa.RecordBatch]:
    cut: list[list[bytes]] = [[]]
    for page in pages:
        if sum(map(len, cut[-1])) + len(page) > _BATCH_BYTES and cut[-1]:
            cut.append([])
        cut[-1].append(page)
    return [
        pa.RecordBatch.from_pydict(
            {
                "doc_id": pa.array([bytes(16)] * len(part), pa.binary(16)),
                "media_type": pa.array(["text/html"] * len(part), pa.string()),
                "charset": pa.nulls(len(part), pa.string()),
                "payload": pa.array(part, pa.large_binary()),
                "text": pa.nulls(len(part), pa.large_string()),
            }
        )
        for part in cut
    ]


def cpu_seconds(run: Callable[[], None], child: int | None = None) -> float:
    """Time on a core, of this process and of the child: on a shared machine the clock on the wall says little."""
    before = time.process_time() + child_seconds(child)
    run()
    return time.process_time() + child_seconds(child) - before


def child_seconds(pid: int | None) -> float:
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(backend: Backend, pages: Sequence[bytes], rounds: int) -> None:
    extract = (load_trafilatura if backend == "trafilatura" else load_resiliparse)()
    stage = Extract(ExtractConfig(backend=backend), StageContext())
    stage.open()
    whole = batches(pages)
    decoded = [page.utf8.decode() for payload in pages if (page := decode(payload, charset=None, markup=True))]

    def ours() -> None:
        for batch in whole:
            stage.apply(batch)

    def bare() -> None:
        for html in decoded:
            extract(html)

    # The two take turns, and the best round of each counts, so that other work on the machine hits both alike.
    ours()
    times = [(cpu_seconds(ours, stage.child_pid), cpu_seconds(bare)) for _ in range(rounds)]
    stage.close()
    megabytes = sum(map(len, pages)) / 1e6
    best_ours, best_bare = (min(column) for column in zip(*times, strict=True))
    for label, best in ((f"lauter {backend}", best_ours), (f"bare {backend}", best_bare)):
        print(f"{label:<22}{len(pages) / best:>9.1f} docs/s{megabytes / best:>9.2f} MB/s")
    overhead = (best_ours - best_bare) / len(pages) * 1e6
    print(f"{'ratio':<22}{best_bare / best_ours:>9.3f}   overhead {overhead:.0f} us a page\n")


def main() -> None:
    root = Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).resolve().parents[1] / "../shared/data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("warc", nargs="*", type=Path, default=[root / "mini.warc.gz", root / "warc/aeb.warc.gz"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=300)
    arguments = parser.parse_args()
    pages = read_pages(arguments.warc, arguments.pages)
    print(f"{len(pages)} pages, {sum(map(len, pages)) / len(pages) / 1e3:.0f} KB of HTML each")
    for backend in ("trafilatura", "resiliparse"):
        compare(backend, pages, arguments.rounds)


if __name__ == "__main__":
    main()
