"""Ledger rows that `lauter audit` checks a second, and its second derivation beside Apertus's way to the same answer.

The corpus is real as far as the audit can tell: the engine builds it (`lauter build`) from a Parquet source of one-line
documents, whose URLs lie on origins that are made from the real robots.txt files of the test data under other names,
each with a comment of its own, so that no two files are equal. It is kept under `.cache/audit/` and built once.

Printed are wall seconds, rows a second and the greatest resident memory of the whole audit, CPU seconds of each of its
checks, and the peer: what Apertus does (`robots_filter.py`), written anew here. That is a
dictionary from host as spelled to file, `urlparse().netloc`, Protego asked agent by agent, and an LRU of parsed files;
it asks the same kept URLs of the same files, and every decision that differs is counted by its cause.

Run: `LAUTER_TEST_DATA=… python benchmarks/audit.py [--rows N] [--origins N] [--workers N] [--peer-rows N]`.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from protego import Protego

from lauter.pipeline import schema
from lauter.pipeline.audit.conservation import check_conservation
from lauter.pipeline.audit.decisions import check_decisions, decided_stages
from lauter.pipeline.audit.documents import check_documents
from lauter.pipeline.audit.files import check_files, part_files
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.index import read_index
from lauter.pipeline.audit.roots import check_roots
from lauter.pipeline.audit.shards import check_shards
from lauter.pipeline.audit.takedown import check_takedown
from lauter.pipeline.audit.workers import Workers
from lauter.pipeline.storage import Storage
from lauter.stages.catalogue import CATALOGUE
from lauter.stages.optout.config import OptOutConfig, effective_agents, effective_policy
from lauter.stages.optout.robots.rules import parse
from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.verify.verifier import Verifier

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "audit"
FILES = ("publishers-2023-2025", "top1k-2024-07-14", "firewall-2026-01")
PART_ROWS = 250_000
SEED = 20261125
TEXT = "Page {} says little, and says it once."

MANIFEST = """\
name: audit-benchmark
seed: 1
sources:
  - name: pages
    kind: parquet
    paths: [pages/*.parquet]
stages:
  - optout: {{policy: {policy}, snapshot: [robots.parquet]}}
"""


def answers(data: Path) -> list[Fetched]:
    """The newest answer of each real origin."""
    newest: dict[str, Fetched] = {}
    for name in FILES:
        for answer in read_snapshot(str(data / "robots" / "corpus" / f"{name}.jsonl.gz"), Counter()):
            newest[answer.origin] = answer
    return list(newest.values())


def paths_of(answer: Fetched) -> list[str]:
    """Targets that a crawl may have: of news, of searches, and below the paths that the file names."""
    lines = [line for group in parse(answer.body or b"").groups for line in group.lines]
    named = sorted({line.value.replace("*", "x").rstrip("$") for line in lines if line.value.startswith("/")})
    plain = ["/", "/news/2024/05/{}-some-article-about-nothing.html", "/p/{}", "/search?q=robots&page={}", "/de/{}/"]
    return plain * 4 + [path + "{}" for path in named[:8]]


def make_inputs(data: Path, folder: Path, rows: int, origins: int) -> None:
    """`robots.parquet` and `pages/*.parquet`. Few origins have many pages and many have few, as in any crawl."""
    real = answers(data)
    paths = [[path.encode("utf-8", "replace").decode() for path in paths_of(answer)] for answer in real]
    names = []
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    columns: dict[str, list[object]] = {name: [] for name in ("origin", "status", "fetched_at", "body", "location")}
    for number in range(origins):
        answer = real[number % len(real)]
        scheme, _, host = answer.origin.partition("://")
        names.append(f"{scheme}://n{number}.{host}")
        body = None if answer.body is None else answer.body + f"\n# copy {number}\n".encode()
        values = (names[-1], answer.status, answer.fetched_at, body, answer.location)
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    pq.write_table(pa.table(columns), folder / "robots.parquet", compression="zstd", row_group_size=1000)
    rng = random.Random(SEED)
    for part, first in enumerate(range(0, rows, PART_ROWS)):
        urls = []
        for row in range(first, min(first + PART_ROWS, rows)):
            number = int(origins * rng.random() ** 3)
            urls.append(names[number] + rng.choice(paths[number % len(real)]).replace("{}", str(row)))
        table = pa.table(
            {
                "id": np.arange(first, first + len(urls)),
                "url": urls,
                "text": [TEXT.format(row) for row in range(first, first + len(urls))],
            }
        )
        pq.write_table(table, folder / "pages" / f"{part:04}.parquet", compression="zstd", row_group_size=50_000)


def corpus(data: Path, rows: int, origins: int, policy: str) -> Path:
    """The run folder, built if it is not there yet."""
    folder = CACHE / f"{rows}-{origins}"
    if not (folder / "robots.parquet").exists():
        make_inputs(data, folder, rows, origins)
    manifest = folder / f"{policy}.yaml"
    manifest.write_text(MANIFEST.format(policy=policy))
    out = folder / policy
    if not (out / "corpus.json").exists():
        command = [str(Path(sys.executable).with_name("lauter")), "build", str(manifest), "--out", str(out)]
        subprocess.run(command, check=True)
    return out


def audited(out: Path, workers: int) -> tuple[float, float]:
    """Wall seconds of `lauter audit`, and the greatest resident MB of any of its processes."""
    command = [str(Path(sys.executable).with_name("lauter")), "audit", str(out), "--workers", str(workers), "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"the audit of {out} does not hold (exit {done.returncode}):\n{done.stdout}{done.stderr}")
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def each_check(out: Path) -> dict[str, float]:
    """CPU seconds of each check, one after the other in this process."""
    storage = Storage(str(out))
    data = storage.read("corpus.json")
    index, report = read_index(data), AuditReport()
    seconds: dict[str, float] = {}

    def timed(name: str, check: Callable[[], object]) -> None:
        start = time.process_time()
        check()
        seconds[name] = time.process_time() - start

    intact: set[str] = set()
    timed("digests of all files", lambda: intact.update(check_files(storage, index, report)))
    parts = part_files(index, intact, report)
    timed("Merkle roots", lambda: check_roots(storage, index, data, intact, None, report))
    timed("conservation and summary", lambda: check_conservation(storage, index, parts, report))
    timed("documents", lambda: check_documents(storage, parts, report))
    timed("token shards", lambda: check_shards(storage, index, parts, intact, report))
    timed("takedown", lambda: check_takedown(storage, index, parts, intact, report))
    decided = decided_stages(storage, CATALOGUE, intact, {}, report)
    with Workers(1) as here:
        timed("decisions", lambda: check_decisions(storage, decided, parts, here, report))
    return seconds


class Apertus:
    """Apertus's way: the file of a host as it is spelled, parsed once if it is still held, asked for every agent."""

    def __init__(self, snapshot: Path, agents: tuple[str, ...]) -> None:
        table = pq.read_table(snapshot, columns=["origin", "body"]).to_pydict()
        self._files = {
            urlparse(origin).netloc: (body or b"").decode("utf-8", "replace")
            for origin, body in zip(table["origin"], table["body"], strict=True)
        }
        self._agents = agents
        self._parser = lru_cache(maxsize=100_000)(lambda host: Protego.parse(self._files[host]))

    def allows(self, url: str) -> bool:
        """Whether every agent may fetch a URL; a host that is not there may be fetched."""
        host = urlparse(url).netloc
        if host not in self._files:
            return True
        parser = self._parser(host)
        return all(parser.can_fetch(url, agent) for agent in self._agents)


def compare(folder: Path, out: Path, rows: int) -> None:
    """The kept URLs of the first part, asked of the verifier and of the peer; both read the snapshot before."""
    part = sorted((out / "ledger").rglob("*.parquet"))[0]
    ledger = pq.read_table(part, columns=["doc_id", "url", "fetched_at", "verdict"])
    kept = ledger.filter(pc.equal(ledger.column("verdict").cast(pa.string()), "kept")).slice(0, rows)
    batch = kept.drop_columns(["verdict"]).sort_by("url").combine_chunks().to_batches()[0]
    config = OptOutConfig(snapshot=(str(folder / "robots.parquet"),))
    none = pa.RecordBatch.from_pylist([], schema.SIGNAL)
    agents = effective_agents(config, effective_policy(config)).names
    second, peer = Verifier(config), Apertus(folder / "robots.parquet", agents)
    urls = batch.column("url").to_pylist()
    start = time.process_time()
    denied = dict(second.check(batch, none))
    ours = time.process_time() - start
    start = time.process_time()
    allowed = [peer.allows(url) for url in urls]
    theirs = time.process_time() - start
    second.close()
    print(
        f"{len(urls):,} kept URLs derived again, {len(agents)} agents: lauter {len(urls) / ours:,.0f} rows/s, "
        f"Apertus's way {len(urls) / theirs:,.0f} rows/s, ratio {theirs / ours:.1f} (CPU, one core)"
    )
    differ = [url for url, fine in zip(urls, allowed, strict=True) if not fine]
    print(f"lauter denies {len(denied)} of them; Protego denies {len(differ)}:")
    for reason, count in Counter(shape(url) for url in differ).most_common():
        print(f"  {count} {reason}")


def shape(url: str) -> str:
    """Of what shape a URL is on which the two differ; the causes are not sorted out here."""
    target = url.split("/", 3)[3]
    if "%" in target or not target.isascii():
        return "with escapes"
    return "with a query" if "?" in target else "plain"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--origins", type=int, default=50_000)
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--peer-rows", type=int, default=20_000)
    chosen = arguments.parse_args()
    data = Path(os.environ.get("LAUTER_TEST_DATA", "../shared/data"))
    out = corpus(data, chosen.rows, chosen.origins, "default")
    seconds, megabytes = audited(out, chosen.workers)
    print(
        f"{chosen.rows:,} ledger rows, {chosen.origins:,} origins, {chosen.workers} workers: {seconds:.1f} s, "
        f"{chosen.rows / seconds:,.0f} rows/s, at most {megabytes:,.0f} MB a process"
    )
    times = each_check(out)
    for name, spent in times.items():
        print(f"  {name}: {spent:.2f} CPU s, {chosen.rows / max(spent, 1e-9):,.0f} rows/s")
    whole = sum(times.values())
    print(f"  all: {whole:.1f} CPU s, {chosen.rows / whole:,.0f} rows/s a core")
    compare(out.parent, out, chosen.peer_rows)


if __name__ == "__main__":
    main()
