"""Opt-out decisions a second beside Protego asked agent by agent, on the same robots.txt files and URLs, one core.

Run: `LAUTER_TEST_DATA=… python benchmarks/optout.py [--seconds 3]`. Prints, for compiling and for deciding, both rates
(process CPU time) and their ratio, and how many decisions differ.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from protego import Protego

from lauter.pipeline.contract import StageContext
from lauter.stages.optout.robots.rules import parse
from lauter.stages.optout.snapshot.answer import Fetched
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.stage import OptOut, OptOutConfig

FILES = ("top1k-2024-07-14.jsonl.gz", "firewall-2026-01.jsonl.gz")
URLS_PER_FILE = 40


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


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3.0)
    seconds = arguments.parse_args().seconds
    data = Path(os.environ.get("LAUTER_TEST_DATA", "../shared/data"))
    answers, urls = load(data)
    with tempfile.TemporaryDirectory() as folder:
        paths = tuple(str(data / "robots" / "corpus" / name) for name in FILES)
        stage = OptOut(OptOutConfig(snapshot=paths), StageContext(artefacts=folder))
        agents = stage.agents.names
        ours_compile = cpu_seconds(lambda: stage.prepare(folder), seconds)
        stage.open()
        batch = pa.record_batch({"url": pa.array(urls)})
        denied = stage.apply(batch).reason != 0
        ours = cpu_seconds(lambda: stage.apply(batch), seconds)

    def parse_all() -> dict[str, Protego]:
        return {a.origin: Protego.parse((a.body or b"").decode("utf-8", "replace")) for a in answers}

    theirs_compile = cpu_seconds(parse_all, seconds)
    parsers = parse_all()
    hosts = [url.split("/", 3)[:3] for url in urls]
    pairs = [(url, parsers["/".join(host)]) for url, host in zip(urls, hosts, strict=True)]

    def until_denied() -> list[bool]:
        return [not all(parser.can_fetch(url, agent) for agent in agents) for url, parser in pairs]

    def every_agent() -> list[list[bool]]:
        return [[parser.can_fetch(url, agent) for agent in agents] for url, parser in pairs]

    peer = until_denied()
    differ = sum(a != b for a, b in zip(denied.tolist(), peer, strict=True))
    print(
        f"{len(answers)} files, {len(urls)} URLs, {len(agents)} agents; denied: {int(denied.sum())}; differ: {differ}"
    )
    for what, count, mine, other in (
        ("files compiled (Protego: parsed only)", len(answers), ours_compile, theirs_compile),
        ("pages decided (Protego: up to the first denial)", len(urls), ours, cpu_seconds(until_denied, seconds)),
        ("pages decided (Protego: every agent, as Apertus)", len(urls), ours, cpu_seconds(every_agent, seconds)),
    ):
        print(f"{what}/s: lauter {count / mine:,.0f}, protego {count / other:,.0f}, ratio {other / mine:.1f}")


if __name__ == "__main__":
    main()
