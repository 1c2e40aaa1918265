"""The audit's short readings of the other signals: what one denies, the stage's own reading denies too."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline import schema
from lauter.stages.optout.agents import load_preset
from lauter.stages.optout.policy import SIGNALS, load_policy
from lauter.stages.optout.signals.content_signal import signal_says
from lauter.stages.optout.signals.files import file_statements
from lauter.stages.optout.signals.page_statements import page_statements
from lauter.stages.optout.signals.usage import usage_says
from lauter.stages.optout.snapshot.read import read_snapshot
from lauter.stages.optout.verify.reservations import (
    Said,
    first,
    of_ai_txt,
    of_comments,
    of_page,
    of_robots,
    of_rsl,
    of_tdmrep,
    usage,
)
from lauter.stages.optout.verify.robots import RobotsFile
from lauter.stages.read.warc import WarcConfig, WarcReader
from tests.stages.optout.signals.test_other_files import HOSTILE
from tests.stages.optout.signals.test_words import RESERVED, UNRESERVED
from tests.stages.optout.verify.test_verifier import RSL, TDM, Case, batch_of, page

AGENTS = load_preset("ai-training-2026-11").names
STRICT = load_policy("strict")
EVERYTHING = STRICT.model_copy(update={"signals": dict.fromkeys(SIGNALS, "drop")})

WORDS = "train-ai ai genai =n =y = , ; x 1 a= ( ) ?1 ai-train =no =yes : no yes N * - search=y noai noindex none gptbot"
PIECES = st.lists(st.sampled_from([*WORDS.split(), "otherbot", " ", "\t", '"']), max_size=8).map("".join)


@given(PIECES)
def test_usage(value: str) -> None:
    says = usage_says(value)
    denied = {"train-ai": says.get("content-usage"), "ai": says.get("content-usage-draft")}
    denied["genai"] = denied["ai"]
    assert all(denied[key] == "deny" for key, denies in usage(value).items() if denies)


@given(PIECES)
def test_content_signal(value: str) -> None:
    file = RobotsFile(f"User-agent: *\nContent-Signal: {value}\n".encode(), AGENTS, "agent")
    if any(item.denies for item in of_robots(file, EVERYTHING)):
        assert signal_says(value.removeprefix("/").strip()) == "deny" or value.startswith("/")


@given(st.sampled_from(["header", "meta", "link"]), PIECES, PIECES)
def test_pages(place: str, name: str, value: str) -> None:
    tokens = {agent.lower() for agent in AGENTS} - {"*"}
    for written in (name, "x-robots-tag", "robots", "content-usage", "tdm-reservation", "gptbot"):
        if place == "header" and written in ("robots", "gptbot"):
            continue  # No header of these names is a signal.
        found = of_page([Said(place, written, value)], EVERYTHING, tokens)
        if found is not None:
            kinds = {one.signal for one in page_statements(place, written, value, AGENTS) if one.says == "deny"}
            assert found.signal in kinds


@given(TDM | RSL | st.text(max_size=40))
def test_files_of_locations(body: str) -> None:
    for target in ("/", "/x", "/x/y.html", "/x/"):
        for kind, found in (("tdmrep.json", of_tdmrep(body.encode())), ("rsl", of_rsl(body.encode()))):
            if first(found, target.encode()) is not None:
                said = file_statements(kind, body.encode()).statements  # type: ignore[arg-type]
                assert any(one.says == "deny" for one in said)


@pytest.mark.parametrize(("kind", "body"), HOSTILE)
def test_hostile_files_end_the_reading_of_nobody(kind: str, body: bytes) -> None:
    file = RobotsFile(body, AGENTS, "agent")
    assert of_ai_txt(file) is None or kind in ("robots.txt", "ai.txt")
    assert isinstance(of_robots(file, EVERYTHING), list)
    assert isinstance(of_tdmrep(body), list) and isinstance(of_rsl(body), list)


def test_words() -> None:
    def found(words: str) -> bool:
        return of_comments(RobotsFile(f"# {words}\n".encode(), AGENTS, "agent")) is not None

    assert not any(found(words) for words in UNRESERVED)
    assert sum(found(words) for words in RESERVED) >= len(RESERVED) // 4


def test_what_a_location_says() -> None:
    body = json.dumps([{"location": "/free/*", "tdm-reservation": 0}, {"tdm-reservation": 1}]).encode()
    assert first(of_tdmrep(body), b"/free/a") is None
    assert first(of_tdmrep(body), b"/a") is not None


@pytest.mark.parametrize("policy", ["default", "strict"])
@pytest.mark.parametrize("name", ["firewall-2026-01"])
def test_real_files(data: Path, tmp_path: Path, name: str, policy: str) -> None:
    check_real(data, tmp_path, name, policy)


@pytest.mark.soak
@pytest.mark.parametrize("policy", ["default", "strict", "apertus-2025-01"])
@pytest.mark.parametrize("name", ["publishers-2023-2025", "top1k-2024-07-14", "firewall-2025-01", "top1k-2023-07-30"])
def test_all_real_files(data: Path, tmp_path: Path, name: str, policy: str) -> None:
    check_real(data, tmp_path, name, policy)


def check_real(data: Path, folder: Path, name: str, policy: str) -> None:
    """Of real origins no page that the stage keeps is a violation, and most that it drops are denied twice."""
    path = str(data / "robots" / "corpus" / f"{name}.jsonl.gz")
    origins = sorted({answer.origin for answer in read_snapshot(path, Counter())})
    paths = ("/", "/news/2024/05/x.html", "/search?q=a&page=2", "/wp-admin/a.php", "/de/%C3%BC/a*b$")
    pages = [page(origin + target, crawled="2025-01-15") for origin in origins for target in paths]
    one = Case(str(folder), [], {"policy": policy, "snapshot": [path]})
    reasons, found = one.decide(pages)
    one.verifier.close()
    assert not [(pages[row]["url"], said) for row, said in found.items() if not reasons[row]]
    assert len(found) > 0.85 * sum(reason != "" for reason in reasons)


def test_an_empty_batch(tmp_path: Path) -> None:
    one = Case(str(tmp_path), [], {})
    empty = batch_of([])
    assert list(one.verifier.check(Case._ledger(empty), pa.RecordBatch.from_pylist([], schema.SIGNAL))) == []
    one.verifier.close()


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["default", "strict", "apertus-2025-01"])
def test_real_pages(data: Path, tmp_path: Path, policy: str) -> None:
    """Of all real pages, with headers and HTML, none that the stage keeps is a violation; and hosts opted out."""
    snapshot = str(data / "warc" / "robots-for-html-hosts.warc.gz")
    one = Case(str(tmp_path), [], {"policy": policy, "snapshot": [snapshot]})
    reader = WarcReader(WarcConfig(), "pages")
    dropped = denied = 0
    for path in sorted((data / "warc").glob("*.warc.gz")):
        if path.name.startswith("robots-"):
            continue
        with path.open("rb") as stream:
            for batch in reader.read(stream, path.name):
                verdict = one.stage.apply(batch.records)
                found = dict(one.verifier.check(*one.seen(batch.records, verdict)))
                assert not [said for row, said in found.items() if verdict.reason[row] == 0]
                dropped += int((verdict.reason != 0).sum())
                denied += len(found)
    one.verifier.close()
    assert denied > 0.85 * dropped > 0
