"""Every real robots.txt, 50 URLs of each, all agents: beside Google's parser and Protego."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from lauter.stages.optout.agents import load_preset
from lauter.stages.optout.robots.rules import parse
from lauter.stages.optout.robots.standard import StandardReader, decide_all
from tests.stages.optout.robots.peers import Peers, bodies, corpora, urls_of
from tests.stages.optout.robots.reference import code_of

AGENTS = load_preset("ai-training-2026-11").names
# One file in so many is asked in the usual suite.
SAMPLE = 150
CORPORA = (
    "firewall-2025-01.jsonl.gz",
    "firewall-2026-01.jsonl.gz",
    "publishers-2023-2025.jsonl.gz",
    "robots-for-html-hosts.warc.gz",
    "top1k-2023-07-30.jsonl.gz",
    "top1k-2024-07-14.jsonl.gz",
)


def differences(files: Iterable[tuple[int, bytes]]) -> Counter[str]:
    """Counts of questions, and of differences by peer and code; fails at one without a code, or that both deny."""
    counts: Counter[str] = Counter()
    for number, body in files:
        reader = StandardReader(parse(body).groups)
        peers = Peers(body)
        targets = urls_of(peers.text, number)
        ours = iter(decide_all([(reader.obeyed([agent]), target) for agent in AGENTS for target in targets]))
        for agent in AGENTS:
            for target, (google, protego) in zip(targets, peers.answers(agent, targets), strict=True):
                counts["asked"] += 1
                decision = next(ours)
                assert google or protego or not decision.allowed, (number, agent, target)
                for peer, answer in (("google", google), ("protego", protego)):
                    if answer != decision.allowed:
                        code = code_of(body, [agent], "https://a.example" + target, allowed=answer)
                        assert code is not None, (number, agent, target, peer, decision)
                        counts[f"{peer} {code}"] += 1
    return counts


@pytest.mark.slow
def test_a_sample_of_the_files(data: Path) -> None:
    assert tuple(sorted(path.name for path in corpora(data))) == CORPORA
    files = [(i, body) for path in corpora(data) for i, body in enumerate(bodies(path)) if i % SAMPLE == 0]
    counts = differences(files)
    assert counts["asked"] == len(files) * 50 * len(AGENTS)
    # Seldom: the readers agree on 99 % of the questions.
    assert sum(counts.values()) - counts["asked"] < counts["asked"] // 50


@pytest.mark.soak
@pytest.mark.parametrize("name", CORPORA)
def test_every_file(data: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(path for path in corpora(data) if path.name == name)
    counts = differences(enumerate(bodies(path)))
    with capsys.disabled():
        print(f"\n{name}: {dict(sorted(counts.items()))}")
    assert counts["asked"] > 100_000
