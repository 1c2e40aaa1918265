"""Extraction: our stage beside bare calls of the same libraries, on the same real pages in one run.

Ours does all that a run needs (encoding, limits, a child process that may die); the bare call does nothing but extract
from a string that is decoded already: resiliparse beside resiliparse, trafilatura beside the others. Times are CPU
seconds, parent and child together.

    python benchmarks/extract.py [WARC...] [--rounds N] [--pages N]

With `--truth` it asks instead how good the text is: word F1 by set on the pages whose text is known, CPU time, and the
share of pages that keep less than half of the visible text, for trafilatura's own rules, ours, its rivals always, and
resiliparse. `cascade` learned from four fifths of these pages: the gate `extraction` judges it, on the others.

    python benchmarks/extract.py --truth GROUND_TRUTH.jsonl.gz WARC...
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import time
from collections import Counter
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


def bare_call(backend: Backend) -> Callable[[str], str]:
    """The library that a backend rests on, called as it is; trafilatura for `cascade`, whose rival it is."""
    from resiliparse.extract.html2text import extract_plain_text
    from trafilatura import extract

    if backend == "resiliparse":
        return lambda html: extract_plain_text(html, main_content=True)
    return lambda html: extract(html, include_comments=False) or ""


def compare(backend: Backend, pages: Sequence[bytes], rounds: int) -> None:
    extract = bare_call(backend)
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
    for label, best in ((f"lauter {backend}", best_ours), ("the library, bare", best_bare)):
        print(f"{label:<22}{len(pages) / best:>9.1f} docs/s{megabytes / best:>9.2f} MB/s")
    overhead = (best_ours - best_bare) / len(pages) * 1e6
    print(f"{'ratio':<22}{best_bare / best_ours:>9.3f}   overhead {overhead:.0f} us a page\n")


def judge(paths: Sequence[Path], truth: Path) -> None:
    from resiliparse.extract.html2text import extract_plain_text
    from trafilatura import extract

    with gzip.open(truth, "rt", encoding="utf-8") as lines:
        known = {row["record_id"]: row["gt"].get("text") for row in map(json.loads, lines)}
    ours = load_trafilatura()
    subjects: dict[str, Callable[[str], str]] = {
        "own rules": lambda page: extract(page, fast=True, include_comments=False) or "",
        "lauter": ours,
        "rivals always": lambda page: extract(page, fast=False, include_comments=False) or "",
        "resiliparse": load_resiliparse(),
    }
    for path in paths:
        scores: dict[str, list[float]] = {name: [] for name in subjects}
        seconds, lost, pages = dict.fromkeys(subjects, 0.0), Counter[str](), 0
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                if "html" not in (record.http_headers.get("Content-Type") or ""):
                    continue
                decoded = decode(record.reader.read(), charset=None, markup=True)
                if decoded is None:
                    continue
                page, text = decoded.utf8.decode(), known.get(record.record_id or "")
                visible, pages = len(extract_plain_text(page, main_content=False)), pages + 1
                for name, subject in subjects.items():
                    before = time.process_time()
                    found = subject(page)
                    seconds[name] += time.process_time() - before
                    lost[name] += 2 * len(found) < visible
                    if text:
                        scores[name].append(word_f1(found, text))
        print(f"{path.name}: {pages} pages")
        for name, each in scores.items():
            f1 = f"{sum(each) / len(each):.4f} on {len(each)}" if each else "no truth"
            print(
                f"  {name:<14} F1 {f1:<16}{seconds[name] / pages * 1e3:>7.1f} ms  under a half {lost[name] / pages:.1%}"
            )


def word_f1(found: str, truth: str) -> float:
    """Harmonic mean of precision and recall over the bags of words of two texts."""
    ours, theirs = (Counter(re.findall(r"\w+", text.lower())) for text in (found, truth))
    return 2 * sum((ours & theirs).values()) / max(1, sum(ours.values()) + sum(theirs.values()))


def main() -> None:
    root = Path(os.environ.get("LAUTER_TEST_DATA", Path(__file__).resolve().parents[1] / "../shared/data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("warc", nargs="*", type=Path, default=[root / "mini.warc.gz", root / "warc/aeb.warc.gz"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--truth", type=Path)
    arguments = parser.parse_args()
    if arguments.truth:
        judge(arguments.warc, arguments.truth)
        return
    pages = read_pages(arguments.warc, arguments.pages)
    print(f"{len(pages)} pages, {sum(map(len, pages)) / len(pages) / 1e3:.0f} KB of HTML each")
    for backend in ("cascade", "trafilatura", "resiliparse"):
        compare(backend, pages, arguments.rounds)


if __name__ == "__main__":
    main()
