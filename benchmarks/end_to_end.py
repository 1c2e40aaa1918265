"""Pages to token shards, per core: a whole Lauter build beside FineWeb's pipeline in datatrove, on the same files.

The input are real pages of the public test data: every n-th record of each WARC file, copied byte by byte. Each case
runs in a process of its own and is charged the CPU seconds of that process and of all its descendants, so that
waiting for a core costs nothing. It first builds a few pages into another folder: kernels are compiled, models and
word lists loaded, and neither is charged. The cases take turns, and the cheapest round of each counts. Tokenizer
(tekken), language model (lid.176.ftz) and version of trafilatura are the same; libraries' own threads are off.

Lauter is `pipeline.run.build` with the executor `inline` and the stages of `all_pages.yaml`, with each of the backends
cascade, trafilatura and resiliparse. datatrove (`peers/fineweb.py`) runs as it is, where spaCy cuts words; with a plain
word splitter in spaCy's place; and with trafilatura's `fast=True` besides, which is how Lauter first tries a page. The
last is the most that it gives without a change to its code.

It is not the same work, and no factor puts that right:

* Only Lauter has robots.txt opt-outs (the snapshot is compiled in the measured time), limits on pages, a second count
  of every file, normalisation, exact duplicates, identifiers with checksums (IBAN, cards, national numbers) and phone
  numbers, toxicity, one shuffle over all files, digests of every text and file, tasks that can be resumed, a ledger
  and a report. Every score is computed for every page that has text, and MinHash sees all of them, so that a
  threshold can be changed without reading the crawl again.
* Only datatrove has the C4 rules and a JSONL copy of the text. A page ends at the first filter that drops it: the rest
  of the work is saved. Its word rules are those for English, one language a run, so it keeps fewer pages, hardly any
  that are not English, and tokenises fewer.

Rates are therefore of pages *in*; documents and tokens out stand beside them, and the tables by step say how many
documents each step saw.

    python benchmarks/end_to_end.py [--pages N] [--rounds N] [--case CASE...]

Needs the extras `dev` and `bench`, and the system's libmagic. LAUTER_TEST_DATA names the folder of the test data.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import psutil
import pyarrow.parquet as pq
import yaml
from fastwarc.warc import ArchiveIterator, WarcRecordType
from peers import fineweb  # type: ignore[import-not-found]

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or HERE.parents[1] / "shared" / "data").resolve()
TOKENIZER = HERE.parent / "stages" / "tokens" / "tekken" / "tokenizer.json"
LANGUAGE_MODEL = HERE.parent / "stages" / "language" / "models" / "lid.176.ftz"
WARM_UP_PAGES = 40


class Step(NamedTuple):
    """A part of a case: wall seconds, and how many documents it saw, None where that has no meaning."""

    seconds: float
    seen: int | None


class Built(NamedTuple):
    """What a case made."""

    documents: int
    tokens: int
    steps: dict[str, Step]


class Round(NamedTuple):
    """A case, once."""

    built: Built
    cpu_s: float
    wall_s: float


def cut_sample(files: Sequence[Path], wanted: int, out: Path) -> tuple[int, int]:
    """Copy about `wanted` response records, spread evenly over all, to files of the same names: (pages, HTML bytes)."""
    members: dict[Path, list[tuple[int, int]]] = {}
    for path in files:
        with path.open("rb") as stream:
            found = [(record.stream_pos, record.record_type) for record in ArchiveIterator(stream, parse_http=False)]
        # Every record is a gzip member of its own: it ends where the next begins.
        ends = [position for position, _ in found[1:]] + [path.stat().st_size]
        members[path] = [
            (start, end) for (start, kind), end in zip(found, ends, strict=True) if kind == WarcRecordType.response
        ]
    total = sum(map(len, members.values()))
    wanted = min(wanted, total)
    seen = pages = size = 0
    out.mkdir()
    for path, spans in members.items():
        data, chosen = path.read_bytes(), b""
        for start, end in spans:
            if seen * wanted // total != (seen + 1) * wanted // total:
                chosen += data[start:end]
                pages += 1
            seen += 1
        (out / path.name).write_bytes(chosen)
        with (out / path.name).open("rb") as stream:
            size += sum(len(record.reader.read()) for record in ArchiveIterator(stream))
    return pages, size


def cpu_seconds() -> float:
    """CPU seconds of this process, of its living descendants, and of those that have ended."""
    seconds = 0.0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


class Clock:
    """Hears of tasks as a progress display does, and adds up their wall seconds by step."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._started = 0.0

    def planned(self, nodes: Sequence[object]) -> None:
        """Nothing is shown."""

    def started(self, task: object) -> None:
        """The executor `inline` runs one task at a time."""
        self._started = time.perf_counter()

    def ended(self, name: str, result: object, *, cached: bool) -> None:
        """Charge the step that the task belongs to."""
        self.seconds[name.split("/", 1)[0]] += time.perf_counter() - self._started


def lauter(warc: Path, out: Path, *, backend: str) -> Built:
    """A build with the stages of `all_pages.yaml`, an extraction backend, and the language model that datatrove has."""
    from lauter.pipeline.executors.inline import InlineExecutor
    from lauter.pipeline.graph.plan import Plan
    from lauter.pipeline.resolve import load
    from lauter.pipeline.run import LazyExecutor, build
    from lauter.pipeline.storage import Storage
    from lauter.stages.catalogue import CATALOGUE

    manifest = yaml.safe_load((HERE / "all_pages.yaml").read_text())
    manifest["sources"] = [{"name": "pages", "kind": "warc", "paths": [f"{warc}/*.warc.gz"]}]
    given = {"extract": {"backend": backend}, "language": {"model": "lid.176"}}
    manifest["stages"] = [{s: given[s]} if isinstance(s, str) and s in given else s for s in manifest["stages"]]
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    clock = Clock()
    report = build(Plan(load(str(path), CATALOGUE), Storage(str(out))), LazyExecutor(InlineExecutor), clock)  # type: ignore[arg-type]
    if report.failures:
        raise RuntimeError(report.failures[0].error)
    stages: dict[str, Step] = {}
    for record in (out / "state" / "documents").rglob("*.json"):
        for name, counts in json.loads(record.read_text())["info"]["stages"].items():
            before = stages.get(name, Step(0.0, 0))
            stages[name] = Step(before.seconds + counts["seconds"], (before.seen or 0) + counts["rows"])
    # What is left of the step `documents` is the reader, the second count, digests and writing.
    rest = clock.seconds.pop("documents") - sum(stage.seconds for stage in stages.values())
    stages["read"] = Step(rest, stages["read"].seen)
    lengths = [pq.read_table(shard, columns=["length"])["length"] for shard in (out / "tokens").rglob("*.parquet")]
    return Built(
        sum(map(len, lengths)),
        sum(sum(column.to_pylist()) for column in lengths),
        stages | {name: Step(seconds, None) for name, seconds in clock.seconds.items()},
    )


def datatrove(warc: Path, out: Path, *, plain_words: bool, fast: bool) -> Built:
    """FineWeb's steps."""
    steps: dict[str, Step] = {}
    for done in fineweb.run(warc, out, TOKENIZER, LANGUAGE_MODEL, plain_words=plain_words, fast=fast):
        # Names are "type: pictogram name"; the same reader is used twice.
        name = done.name.rpartition(": ")[2].partition(" ")[2]
        before = steps.get(name, Step(0.0, None))
        seen = int(done.stats["total"].total) if "total" in done.stats else before.seen
        steps[name] = Step(before.seconds + done.time_stats.total, seen)
    documents = sum(index.stat().st_size // 8 for index in (out / "tokens").glob("*.index"))
    return Built(documents, sum(ids.stat().st_size // 4 for ids in (out / "tokens").glob("*.ds")), steps)


CASES: dict[str, Callable[[Path, Path], Built]] = {
    "lauter-trafilatura": partial(lauter, backend="trafilatura"),
    "lauter-cascade": partial(lauter, backend="cascade"),
    "lauter-resiliparse": partial(lauter, backend="resiliparse"),
    "datatrove": partial(datatrove, plain_words=False, fast=False),
    "datatrove-plain-words": partial(datatrove, plain_words=True, fast=False),
    "datatrove-plain-words-fast": partial(datatrove, plain_words=True, fast=True),
}


def measure(case: str, folder: str) -> Round:
    """Warm up, then build the sample; for a process of its own."""
    os.environ |= {"LAUTER_TEST_DATA": str(DATA), "HF_HOME": f"{folder}/hugging-face"}
    os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    root, build = Path(folder), CASES[case]
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars
        build(root / "warm-up", root / "warmed")
        gc.collect()
        cpu, wall = cpu_seconds(), time.perf_counter()
        built = build(root / "pages", root / case)
        found = Round(built, cpu_seconds() - cpu, time.perf_counter() - wall)
    for name in ("warmed", case):
        shutil.rmtree(root / name)
    return found


def better(one: Round, other: Round) -> Round:
    """The cheaper of two rounds of a case, with the least time that each step took in either."""
    cheaper = min(one, other, key=lambda found: found.cpu_s)
    steps = {name: min(step, other.built.steps.get(name, step)) for name, step in one.built.steps.items()}
    return cheaper._replace(built=cheaper.built._replace(steps=steps))


def report(best: dict[str, Round], pages: int) -> None:
    """The table of cases, ratios, and a table of steps for each case."""
    print(f"\n{'':<27}{'pages/':>8}{'CPU':>8}{'wall':>8}{'documents':>11}{'tokens':>12}{'tokens/':>10}")
    print(f"{'':<27}{'core-s':>8}{'s':>8}{'s':>8}{'out':>11}{'out':>12}{'core-s':>10}")
    for case, (built, cpu_s, wall_s) in best.items():
        print(
            f"{case:<27}{pages / cpu_s:>8.1f}{cpu_s:>8.1f}{wall_s:>8.1f}{built.documents:>11,}{built.tokens:>12,}"
            f"{built.tokens / cpu_s:>10,.0f}"
        )
    print()
    for case in (case for case in best if case.startswith("lauter")):
        for peer in (peer for peer in best if peer.startswith("datatrove")):
            print(f"{case} is {best[peer].cpu_s / best[case].cpu_s:.2f} x {peer} in pages a core-second")
    for case, found in best.items():
        print(f"\n{case + ', by step':<40}{'documents':>10}{'s (wall)':>10}{'ms a page':>11}")
        for name, (seconds, seen) in sorted(found.built.steps.items(), key=lambda item: -item[1].seconds):
            print(f"  {name:<38}{'' if seen is None else seen:>10}{seconds:>10.2f}{seconds / pages * 1e3:>11.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=1000, help="pages of the sample; there are 4,143")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    files = sorted(path for path in (DATA / "warc").glob("*.warc.gz") if not path.name.startswith("robots-"))
    if not files:
        print("no warc/*.warc.gz under LAUTER_TEST_DATA: nothing measured")
        return 1
    best: dict[str, Round] = {}
    with tempfile.TemporaryDirectory() as folder:
        cut_sample(files, WARM_UP_PAGES, Path(folder) / "warm-up")
        pages, size = cut_sample(files, arguments.pages, Path(folder) / "pages")
        print(f"{pages:,} pages of {len(files)} files, {size / pages / 1e3:.0f} KB of HTML each", flush=True)
        for number in range(arguments.rounds):
            for case in arguments.case:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    found = pool.submit(measure, case, folder).result()
                print(f"round {number + 1}: {case:<27}{found.cpu_s:>8.1f} CPU s", flush=True)
                best[case] = better(found, best.get(case, found))
    report(best, pages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
