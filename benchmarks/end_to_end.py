"""Pages to token shards, per core: a whole Lauter build beside the same pipeline made of datatrove's parts.

Both get the same WARC files: real pages of the public test data, every n-th of each file, copied record by record.
Every case runs alone, in a process of its own, and is charged the CPU seconds of that process and of all its
descendants, so that waiting for a shared core costs nothing. Each first builds a few pages into another folder:
kernels are compiled, models and word lists are loaded, and neither is charged. Inputs, tokenizer (tekken, 131,072
entries) and language model (lid.176.ftz) are the same; libraries' own threads are off.

Lauter is `pipeline.run.build` with the executor `inline` on the stages of `all_pages.yaml`. datatrove is the published
FineWeb script's order of steps: WarcReader, Trafilatura, LanguageFilter, GopherRepetition, GopherQuality, C4Quality
(without its rule of terminal punctuation, as FineWeb has it), FineWebQuality, JSONL; MinHash 1 to 4 (14 x 8, its
default); PIIFormatter; DocumentTokenizer. One task, LocalPipelineExecutor with one worker, every parameter at its
default but these: `deduplicate=False`, since the default makes a page's text depend on those before it; a timeout of
30 s instead of 1 s, so that a busy machine costs it no pages; `lid.176.ftz` in place of its larger sister.

Not the same work:

* Only Lauter has robots.txt opt-outs (the snapshot is compiled in the measured time), limits and a second count of
  every file, exact duplicates, normalisation, placeholders with checksums for IBAN, card, phone and national numbers,
  toxicity, a global shuffle, SHA-256 of every text and every file, resumable tasks, a ledger and a report. All soft
  scores are computed for every extracted document, and its MinHash sees all of them.
* Only datatrove has the C4 rules. A page ends at the first filter that drops it, so the later ones see fewer; its
  word rules are those for English whatever the language, so few other pages get through (`language="..."` is per run).
* Lauter runs trafilatura with `fast=True`, datatrove's step without; the last datatrove case passes it `fast=True`.
  Thresholds differ, so documents and tokens out differ: they are printed, and the rates are of pages *in*.

The datatrove cases: as it is (spaCy cuts words); with a word splitter of one regular expression, handed in where it
takes a language; the same with `fast=True`. That last one is the best we could get from it without changing its code.

    python benchmarks/end_to_end.py [--pages N] [--case CASE...]     needs the extras `dev` and `bench`, and libmagic
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import yaml
from fastwarc.warc import ArchiveIterator, WarcRecordType

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or HERE.parents[1] / "shared" / "data").resolve()
TOKENIZER = HERE.parent / "stages" / "tokens" / "tekken" / "tokenizer.json"
LANGUAGE_MODEL = HERE.parent / "stages" / "language" / "models" / "lid.176.ftz"
WARM_UP_PAGES = 40
ONE_THREAD = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass
class Built:
    """What a case made, and where its time went (wall seconds by step)."""

    documents: int
    tokens: int
    steps: dict[str, float]


@dataclass
class Measured:
    """One case, measured."""

    built: Built
    cpu_s: float
    wall_s: float


def cut_sample(files: Sequence[Path], wanted: int, out: Path) -> tuple[int, int]:
    """Copy about `wanted` response records, every n-th of all, into files of the same names: (pages, HTML bytes)."""
    members: dict[Path, list[tuple[int, int]]] = {}
    for path in files:
        with path.open("rb") as stream:
            # No parsing: only where each record's gzip member begins, and what it is.
            records = [(r.stream_pos, r.record_type) for r in ArchiveIterator(stream, parse_http=False)]
        ends = [position for position, _ in records[1:]] + [path.stat().st_size]
        members[path] = [
            (start, end) for (start, kind), end in zip(records, ends, strict=True) if kind == WarcRecordType.response
        ]
    total = sum(map(len, members.values()))
    wanted = min(wanted, total)
    seen = pages = size = 0
    out.mkdir(parents=True)
    for path, spans in members.items():
        data = path.read_bytes()
        chosen = b""
        for start, end in spans:
            if seen * wanted // total != (seen + 1) * wanted // total:
                chosen += data[start:end]
                pages += 1
            seen += 1
        if chosen:
            (out / path.name).write_bytes(chosen)
            with (out / path.name).open("rb") as stream:
                size += sum(len(record.reader.read()) for record in ArchiveIterator(stream, parse_http=True))
    return pages, size


def cpu_seconds() -> float:
    """CPU seconds of this process, of its descendants, and of those that have ended."""
    seconds = 0.0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def lauter(backend: str) -> Callable[[Path, Path], Built]:
    """A build of the stages of `all_pages.yaml` with an extraction backend."""

    def run(warc: Path, out: Path) -> Built:
        from lauter.pipeline.plan import Plan
        from lauter.pipeline.resolve import load
        from lauter.pipeline.run import LazyExecutor, build
        from lauter.pipeline.executors.inline import InlineExecutor
        from lauter.pipeline.storage import Storage
        from lauter.stages.catalogue import CATALOGUE

        manifest = yaml.safe_load((HERE / "all_pages.yaml").read_text())
        manifest["sources"] = [{"name": "pages", "kind": "warc", "paths": [f"{warc}/*.warc.gz"]}]
        manifest["stages"] = [{"extract": {"backend": backend}} if s == "extract" else s for s in manifest["stages"]]
        path = out.with_suffix(".yaml")
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
        storage = Storage(str(out))
        clock = Clock()
        report = build(Plan(load(str(path), CATALOGUE), storage), LazyExecutor(InlineExecutor), clock)
        if report.failures:
            raise RuntimeError(report.failures[0].error)
        for record in (out / "state" / "documents").rglob("*.json"):
            for stage, counts in json.loads(record.read_text())["info"]["stages"].items():
                clock.seconds[stage] += counts["seconds"]
                clock.seconds["documents"] -= counts["seconds"]
        clock.seconds["read, count, write"] = clock.seconds.pop("documents")
        shards = [pq.ParquetFile(path).metadata for path in (out / "tokens").rglob("*.parquet")]
        tokens = sum(sum(pq.read_table(p, columns=["length"])["length"].to_pylist()) for p in (out / "tokens").rglob("*.parquet"))
        return Built(sum(shard.num_rows for shard in shards), tokens, dict(clock.seconds))

    return run


class Clock:
    """Hears of tasks as a progress display does, and adds up their wall seconds by step."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._started = 0.0

    def planned(self, nodes: Sequence[object]) -> None:
        """Nothing is shown."""

    def started(self, task: object) -> None:
        """One task at a time: the executor is `inline`."""
        self._started = time.perf_counter()

    def ended(self, name: str, result: object, *, cached: bool) -> None:
        """Charge the step."""
        self.seconds[name.split("/", 1)[0]] += time.perf_counter() - self._started


def datatrove(*, plain_words: bool, fast: bool) -> Callable[[Path, Path], Built]:
    """FineWeb's steps in datatrove."""

    def run(warc: Path, out: Path) -> Built:
        from datatrove.executor import LocalPipelineExecutor
        from datatrove.pipeline.dedup import (
            MinhashDedupBuckets,
            MinhashDedupCluster,
            MinhashDedupFilter,
            MinhashDedupSignature,
        )
        from datatrove.pipeline.extractors import Trafilatura
        from datatrove.pipeline.filters import (
            C4QualityFilter,
            FineWebQualityFilter,
            GopherQualityFilter,
            GopherRepetitionFilter,
            LanguageFilter,
        )
        from datatrove.pipeline.formatters import PIIFormatter
        from datatrove.pipeline.readers import JsonlReader, WarcReader
        from datatrove.pipeline.tokens import DocumentTokenizer
        from datatrove.pipeline.writers import JsonlWriter
        from datatrove.utils.lid import FT176LID
        from datatrove.utils.typeshelper import Languages
        from loguru import logger

        logger.remove()
        FT176LID.MODEL_URL = str(LANGUAGE_MODEL)  # It is copied to its cache, as it would be downloaded.
        words = plain_word_splitter() if plain_words else Languages.english
        options = {"fast": True} if fast else {}
        text, signatures, buckets, removed = (str(out / name) for name in ("text", "signatures", "buckets", "removed"))
        stages: list[tuple[int, list[object]]] = [
            (
                1,
                [
                    WarcReader(str(warc), glob_pattern="*.warc.gz"),
                    Trafilatura(deduplicate=False, timeout=30, **options),
                    LanguageFilter(),
                    GopherRepetitionFilter(language=words),
                    GopherQualityFilter(language=words),
                    C4QualityFilter(filter_no_terminal_punct=False, language=words),
                    FineWebQualityFilter(language=words),
                    JsonlWriter(text),
                ],
            ),
            (1, [JsonlReader(text), MinhashDedupSignature(signatures, language=words)]),
            (14, [MinhashDedupBuckets(signatures, buckets)]),
            (1, [MinhashDedupCluster(buckets, removed)]),
            (
                1,
                [
                    JsonlReader(text),
                    MinhashDedupFilter(removed),
                    PIIFormatter(),
                    DocumentTokenizer(str(out / "tokens"), str(TOKENIZER), eos_token="</s>", seed=1),
                ],
            ),
        ]
        steps: defaultdict[str, float] = defaultdict(float)
        for index, (tasks, pipeline) in enumerate(stages):
            logs = str(out / "logs" / str(index))
            done = LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=logs).run()
            for step in done.stats:
                steps[step.name] += step.time_stats.total
        documents = sum(path.stat().st_size // 8 for path in (out / "tokens").glob("*.index"))
        tokens = sum(path.stat().st_size // 4 for path in (out / "tokens").glob("*.ds"))
        return Built(documents, tokens, dict(steps))

    return run


def plain_word_splitter() -> object:
    """Words and single marks by one regular expression, sentences by another: datatrove's place for a tokenizer."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    class PlainWords(WordTokenizer):  # type: ignore[misc]
        word = re.compile(r"\w+|[^\w\s]")
        sentence = re.compile(r"[^.!?]+[.!?]*")

        def __init__(self) -> None:
            pass

        def word_tokenize(self, text: str) -> list[str]:
            return self.word.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [found for part in self.sentence.findall(text) if (found := part.strip())]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [match.span() for match in self.sentence.finditer(text)]

    return PlainWords()


CASES: dict[str, Callable[[Path, Path], Built]] = {
    "lauter-trafilatura": lauter("trafilatura"),
    "lauter-resiliparse": lauter("resiliparse"),
    "datatrove": datatrove(plain_words=False, fast=False),
    "datatrove-plain-words": datatrove(plain_words=True, fast=False),
    "datatrove-plain-words-fast": datatrove(plain_words=True, fast=True),
}


def measure(case: str, folder: str) -> Measured:
    """Warm up, then build the sample; runs in a process of its own."""
    os.environ |= ONE_THREAD | {"LAUTER_TEST_DATA": str(DATA), "HF_HOME": f"{folder}/hugging-face"}
    root, build = Path(folder), CASES[case]
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars
        build(root / "warm-up", root / f"{case}-warm-up")
        gc.collect()
        cpu, wall = cpu_seconds(), time.perf_counter()
        built = build(root / "pages", root / case)
        measured = Measured(built, cpu_seconds() - cpu, time.perf_counter() - wall)
    for name in (case, f"{case}-warm-up"):
        shutil.rmtree(root / name)
    return measured


def show(case: str, pages: int, measured: Measured) -> None:
    built = measured.built
    print(
        f"{case:<28}{pages / measured.cpu_s:>9.1f}{measured.cpu_s:>9.1f}{measured.wall_s:>9.1f}"
        f"{built.documents:>11,}{built.tokens:>13,}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="which to run")
    parser.add_argument("--pages", type=int, default=1000, help="how many pages, spread over all files")
    arguments = parser.parse_args()
    files = sorted(path for path in (DATA / "warc").glob("*.warc.gz") if not path.name.startswith("robots-"))
    if not files:
        print("no warc/*.warc.gz under LAUTER_TEST_DATA: nothing measured")
        return 1
    results: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        cut_sample(files, WARM_UP_PAGES, Path(folder) / "warm-up")
        pages, size = cut_sample(files, arguments.pages, Path(folder) / "pages")
        print(f"{pages:,} pages, {size / 1e6:.1f} MB of HTML, {size / pages / 1e3:.0f} KB each\n")
        print(f"{'':<28}{'pages/':>9}{'CPU':>9}{'wall':>9}{'documents':>11}{'tokens':>13}")
        print(f"{'':<28}{'core-s':>9}{'s':>9}{'s':>9}{'out':>11}{'out':>13}")
        for case in arguments.case:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                results[case] = pool.submit(measure, case, folder).result()
            show(case, pages, results[case])
    ours = {case: found for case, found in results.items() if case.startswith("lauter")}
    print()
    for peer in results.keys() - ours.keys():
        for case, found in ours.items():
            print(f"{case} / {peer}: {results[peer].cpu_s / found.cpu_s:.2f} x")
    for case, found in results.items():
        print(f"\n{case}, wall seconds by step:")
        for step, seconds in sorted(found.built.steps.items(), key=lambda item: -item[1]):
            print(f"  {step:<28}{seconds:>8.2f} s{seconds / pages * 1e3:>8.2f} ms a page")
    return 0


if __name__ == "__main__":
    sys.exit(main())
