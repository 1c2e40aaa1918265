"""From ready signatures to the list of documents to drop: Lauter beside datatrove, on the same documents and one core.

Documents are pieces of real texts, 3 in 10 of them near copies of another (`near_copies.py`). Both tools sign them with
14 keys of 8 hashes over runs of five words, in `FILES` parts, datatrove with a plain word splitter. Measured is what
comes then: the engine's tasks from `meet` to `choose`, in one range; `MinhashDedupBuckets`, a bucket after the other,
and `MinhashDedupCluster`. Each has a process, which imports both and has done the same for a few documents: "before" is
its memory then, "at most" the high-water mark. Seconds are CPU seconds.

It is not the same work. To datatrove a key in common is a copy, and one document of a connected group stays. Lauter
checks every pair, by text where sketches leave it open, and drops a document only for one that stays. So the table
says besides which share of the dropped has a Jaccard similarity below 0.8 and 0.7 with the one that stays, by brute
force, once on Lauter's words and once on datatrove's (other ones where a script has no spaces, and for numbers); and
how many documents stay beside another one of 0.8 of the same planted group.

    python benchmarks/clustering.py [--documents N]      needs the extra `bench`; LAUTER_TEST_DATA names the test data
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pickle
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import yaml
from loguru import logger
from near_copies import pairs_of, planted, shingles  # type: ignore[import-not-found]
from peers import buckets  # type: ignore[import-not-found]

from lauter.pipeline import exchange
from lauter.pipeline.cost.meter import forget_peak, peak_bytes
from lauter.pipeline.graph.joining import LIMITS
from lauter.pipeline.graph.links import Links
from lauter.pipeline.graph.plan import Plan
from lauter.pipeline.identity import native_id
from lauter.pipeline.resolve import load
from lauter.pipeline.steps.layouts import LOSERS
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result
from lauter.pipeline.worker import execute
from lauter.stages.catalogue import CATALOGUE

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")
PAGES = DATA / "ground_truth.jsonl.gz"
FILES, WARM_UP = 4, 400
SIGNING = ("documents", "same", "sign")
TEXTS = ("evidence", "compare", "again-evidence", "again-compare")
ROWS = ["CPU seconds", "of these texts", "documents/s", "MB before", "MB at most", "signature bytes"]
KINDS = ((0.8, 0), (0.8, 1), (0.7, 0), (0.7, 1))
ROWS += [
    "dropped",
    *(f"  below {limit} by {('our', 'their')[kind]} words, %" for limit, kind in KINDS),
    "copies that stay",
]


@dataclass
class Measured:
    """What a tool did: CPU seconds by step, memory before and at most, signatures, what it drops for which."""

    seconds: dict[str, float]
    memory: tuple[int, int]
    signatures: int
    dropped: dict[int, int] = field(default_factory=dict)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def plan_of(folder: Path) -> Plan:
    return Plan(load(str(folder / "manifest.yaml"), CATALOGUE), Storage(str(folder / "out")))


def sign(folder: Path, texts: list[str]) -> None:
    """Leave the signatures of both tools in a folder; document d is row d // `FILES` of part d % `FILES`."""
    (folder / "in").mkdir(parents=True)
    for part in range(FILES):
        own = list(enumerate(texts))[part::FILES]
        lines = [json.dumps({"id": str(number), "text": text}) + "\n" for number, text in own]
        (folder / "in" / f"{part}.jsonl").write_text("".join(lines))
        buckets.sign(folder, part, texts[part::FILES])
    manifest = {"name": "clustering", "seed": 0, "stages": ["dedup"], "tokenizer": {"tokenizer": "tekken"}}
    # A range of a large build has a million documents. In 16 ranges these would be 326 tasks, of some 8 ms each.
    more = {"sharding": {"ranges": 1}, "sources": [{"name": "texts", "kind": "jsonl", "paths": ["in/*.jsonl"]}]}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest | more))
    results: dict[str, Result] = {}
    run_tasks(plan_of(folder), results, SIGNING)
    (folder / "results").write_bytes(pickle.dumps(results))


def run_tasks(plan: Plan, results: dict[str, Result], only: Sequence[str] = ()) -> dict[str, float]:
    """Run the tasks of some steps, or all until the copies are known: CPU seconds by step."""
    seconds: defaultdict[str, float] = defaultdict(float)
    links = Links(plan.first_half(), results)
    ready = deque(links.ready)
    while ready and LIMITS not in results:
        node = ready.popleft()
        step = node.name.split("/")[0]
        if step != "tokenizer" and node.name not in results and (not only or step in only):
            start = time.process_time()
            results[node.name] = execute(node.build(results))
            seconds[step] += time.process_time() - start
            ready.extend(links.done(node.name))
    return seconds


def lauter(folder: Path) -> Measured:
    plan, results = plan_of(folder), pickle.loads((folder / "results").read_bytes())
    forget_peak()
    before = peak_bytes()
    found = Measured(run_tasks(plan, results), (before, peak_bytes()), size_of(folder / "out" / "signatures"))
    losers = [results[f"choose/{name}"].output("state/losers").path for name in plan.range_names()]
    records = sum(results[f"documents/{part.name}"].info["records"] for part in plan.parts)
    number = {native_id("texts", str(document)): document for document in range(records)}
    for part in plan.parts:
        for row in exchange.read_parts(plan.storage, losers, part.ordinal, LOSERS)[0].to_pylist():
            found.dropped[row["row"] * FILES + part.ordinal] = number[row["duplicate_of"]]
    return found


def datatrove(folder: Path) -> Measured:
    logger.remove()
    forget_peak()
    before, start = peak_bytes(), time.process_time()
    buckets.cluster(folder, ids=False)
    found = Measured({"all": time.process_time() - start}, (before, peak_bytes()), size_of(folder / "signatures"))
    buckets.cluster(folder, ids=True)
    for (part, row), (of_part, of_row) in buckets.dropped(folder).items():
        found.dropped[row * FILES + part] = of_row * FILES + of_part
    return found


def measured(tool: Callable[[Path], Measured], folder: Path) -> Measured:
    """In a process of its own; the small run loads what is compiled."""
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars
        tool(folder / "small")
        return tool(folder)


def report(found: list[Measured], texts: list[str], groups: list[int]) -> None:
    sets = shingles(texts)

    def below(pairs: Iterable[tuple[int, int]], limit: float, kind: int) -> list[bool]:
        both = ((sets[kind][one], sets[kind][other]) for one, other in pairs)
        return [len(one & other) < limit * max(1, len(one | other)) for one, other in both]

    pairs = pairs_of(groups)
    near = [pair for pair, far in zip(pairs, below(pairs, 0.8, 1), strict=True) if not far]
    rows: list[list[float]] = []
    for one in found:
        seconds, dropped = sum(one.seconds.values()), one.dropped
        stay = {other for document, other in near if not dropped.keys() & {document, other}}
        row = [seconds, sum(one.seconds.get(step, 0) for step in TEXTS), len(texts) / seconds]
        row += [*(size / 1e6 for size in one.memory), one.signatures / len(texts), len(dropped)]
        row += [sum(below(dropped.items(), *kind)) / max(1, len(dropped)) * 100 for kind in KINDS]
        rows.append([*row, len(stay)])
    print(f"{'':<32}{'lauter':>10}{'datatrove':>11}{'ours/theirs':>13}")
    for label, *both in zip(ROWS, *rows, strict=True):
        ours, theirs = (f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in both)
        print(f"{label:<32}{ours:>10}{theirs:>11}" + (f"{both[0] / both[1]:>13.2f}" if both[1] else ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=20_000)
    wanted = parser.parse_args().documents
    if not PAGES.exists():
        print(f"no {PAGES.name} under LAUTER_TEST_DATA: nothing measured")
        return 1
    logger.remove()
    texts, groups = planted(PAGES, wanted)
    copies, size = wanted - len(set(groups)), sum(map(len, texts)) / 1e6
    print(f"{wanted:,} documents, {size:.0f}e6 characters, {copies:,} copies; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: list[Measured] = []
        sign(folder / "small", texts[:WARM_UP])
        sign(folder, texts)
        for tool in (lauter, datatrove):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                found.append(pool.submit(measured, tool, folder).result())
    report(found, texts, groups)
    return 0


if __name__ == "__main__":
    sys.exit(main())
