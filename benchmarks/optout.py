"""Opt-out decisions a second beside Protego asked agent by agent and beside Apertus's way, on the same files and URLs.

Run: `LAUTER_TEST_DATA=… python benchmarks/optout.py [--seconds 3] [--policy apertus-2025-01]`. Everything on one core,
in process CPU time. A decision is one URL under the whole policy, all agents and signals, on an origin that has rules.
Apertus's way: a dictionary of host -> robots.txt, the raw `netloc` looked up in it, the file parsed once (an
`lru_cache`), and each agent asked until one is refused; any failure is permission.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pyarrow as pa
from protego import Protego

from lauter.pipeline.contract import StageContext
from lauter.stages.optout.agents import load_preset
from lauter.stages.optout.config import OptOutConfig
from lauter.stages.optout.index.compile import INDEX_FILE, ORIGINS_FILE, compile_snapshots
from lauter.stages.optout.index.layout import OUTCOMES
from lauter.stages.optout.index.origins import OriginIndex
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.policy import load_policy, presets
from lauter.stages.optout.robots.rules import parse
from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.stage import OptOut

FILES = ("top1k-2024-07-14.jsonl.gz", "firewall-2026-01.jsonl.gz")
URLS_PER_FILE = 40
CACHED_FILES = 10_000
"""Of Apertus's `lru_cache`: more than there are files here, so that it never parses one twice."""


def load(data: Path) -> tuple[list[Fetched], list[str]]:
    """The newest answer of each origin, and for each some URLs made of the paths its rules name."""
    answers: dict[str, Fetched] = {}
    for name in FILES:
        for answer in read_snapshot(str(data / "robots" / "corpus" / name), Counter()):
            robots = parse(answer.body or b"")
            if robots.parsable:
                answers[answer.origin] = answer
    urls = []
    for origin, answer in answers.items():
        paths = ["/", "/news/2024/05/some-article-about-nothing.html", "/search?q=robots&page=2"]
        paths += [
            line.value.replace("*", "x").rstrip("$") for g in parse(answer.body or b"").groups for line in g.lines
        ]
        paths = [path for path in paths if path.startswith("/")]
        step = max(1, len(paths) // URLS_PER_FILE)
        urls += [origin + path for path in paths[::step][:URLS_PER_FILE]]
    return list(answers.values()), urls


def cpu_seconds(work: Callable[[], object], seconds: float) -> float:
    """The least CPU seconds of a call, repeated for about `seconds`."""
    best = float("inf")
    end = time.monotonic() + seconds
    while best == float("inf") or time.monotonic() < end:
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def apertus(answers: list[Fetched], agents: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a URL is refused, looked up as Apertus does."""
    contents = {a.origin.partition("//")[2]: (a.body or b"").decode("utf-8", "replace") for a in answers}

    @lru_cache(CACHED_FILES)
    def parser(host: str) -> Protego | None:
        content = contents.get(host)
        return Protego.parse(content) if content else None

    def refused(url: str) -> bool:
        try:
            robots = parser(urlparse(url).netloc)
            return robots is not None and not all(robots.can_fetch(url, agent) for agent in agents)
        except Exception:
            return False

    return refused


def measure_compile(paths: list[str], folder: str, terms: Terms, answers: list[Fetched], seconds: float) -> None:
    """Files compiled a second beside reading and parsing alone, and what the index weighs."""
    counts = compile_snapshots(paths, folder, terms)
    ours = cpu_seconds(lambda: compile_snapshots(paths, folder, terms), seconds)
    bodies = [a.body or b"" for a in answers]
    read = cpu_seconds(lambda: [sum(1 for _ in read_snapshot(path, Counter())) for path in paths], seconds)
    parsed = cpu_seconds(lambda: [parse(body) for body in bodies], seconds)
    theirs = cpu_seconds(lambda: [Protego.parse(body.decode("utf-8", "replace")) for body in bodies], seconds)
    records = counts["records"]
    print(
        f"files compiled/s: {records / ours:,.0f} (reading the snapshot alone {records / read:,.0f}); "
        f"parsed only: lauter {len(bodies) / parsed:,.0f}, protego {len(bodies) / theirs:,.0f}"
    )
    sizes = {name: (Path(folder) / name).stat().st_size for name in (INDEX_FILE, ORIGINS_FILE)}
    print(
        f"bytes an origin: {sizes[INDEX_FILE] / counts['origins']:,.0f} in {INDEX_FILE} "
        f"({counts['denying']:,} of {counts['origins']:,} origins deny something), "
        f"{sizes[ORIGINS_FILE] / counts['origins']:,.0f} in {ORIGINS_FILE}"
    )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3.0)
    arguments.add_argument("--policy", choices=presets(), default="apertus-2025-01")
    options = arguments.parse_args()
    seconds, policy = options.seconds, load_policy(options.policy)
    agents = load_preset(policy.agents).names
    data = Path(os.environ.get("LAUTER_TEST_DATA", "../shared/data"))
    answers, urls = load(data)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(data / "robots" / "corpus" / name) for name in FILES]
        measure_compile(paths, folder, Terms.of(policy, agents), answers, seconds)
        index = OriginIndex(str(Path(folder) / INDEX_FILE))
        ruled = index.outcomes(index.decide(pa.array(urls)).row) == OUTCOMES.index("rules")
        urls = [url for url, keep in zip(urls, ruled.tolist(), strict=True) if keep]
        column = pa.array(urls)
        shuffled = column.take(pa.array(np.random.default_rng(0).permutation(len(urls))))
        denied = index.decide(column).rule != -1
        ours = cpu_seconds(lambda: index.decide(column), seconds)
        ours_shuffled = cpu_seconds(lambda: index.decide(shuffled), seconds)
        stage = OptOut(OptOutConfig(policy=policy.name), StageContext(artefacts=folder))
        stage.open()
        batch = pa.record_batch({"url": column})
        stage.apply(batch)
        whole = cpu_seconds(lambda: stage.apply(batch), seconds)

    parsers = {a.origin: Protego.parse((a.body or b"").decode("utf-8", "replace")) for a in answers}
    pairs = [(url, parsers["/".join(url.split("/", 3)[:3])]) for url in urls]
    refused = apertus(answers, agents)

    def until_denied() -> list[bool]:
        return [not all(parser.can_fetch(url, agent) for agent in agents) for url, parser in pairs]

    def every_agent() -> list[list[bool]]:
        return [[parser.can_fetch(url, agent) for agent in agents] for url, parser in pairs]

    differ = sum(a != b for a, b in zip(denied.tolist(), until_denied(), strict=True))
    print(
        f"{policy.name}: {len(answers)} files, {len(urls):,} URLs with rules, {len(agents)} agents; "
        f"denied: {int(denied.sum()):,}; protego differs on {differ}"
    )
    count = len(urls)
    print(
        f"decisions/s: lauter {count / ours:,.0f} (in random order {count / ours_shuffled:,.0f}; "
        f"the whole stage with its columns and evidence {count / whole:,.0f})"
    )
    for what, work in (
        ("protego up to the first denial", until_denied),
        ("protego, every agent", every_agent),
        ("apertus's way", lambda: [refused(url) for url in urls]),
    ):
        work()
        other = cpu_seconds(work, seconds)
        print(f"decisions/s: {what} {count / other:,.0f}, ratio {other / ours:.1f}")


if __name__ == "__main__":
    main()
