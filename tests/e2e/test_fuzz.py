"""Fuzzed input through every stage: nothing crashes, nothing hangs, and every record ends as exactly one row."""

from __future__ import annotations

import faulthandler
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from lauter.pipeline.audit import audit
from lauter.pipeline.manifest import load_target
from lauter.pipeline.storage import Storage
from lauter.pipeline.trying.inputs import Inputs
from lauter.pipeline.trying.specs import given_columns, reads, specs
from lauter.pipeline.trying.trial import Trial
from lauter.stages.catalogue import CATALOGUE
from tests.e2e.fuzzed import giants, pages, texts
from tests.pipeline.small_run import build, ledger
from tests.stages.read.archives import http, members, record
from tests.stages.tokens.byte_tokenizer import write_byte_tokenizer

LONGEST_S = 900
"""Seconds after which a run of 2,000 inputs is taken to hang: it takes ten where nothing else runs."""

ITEM = (
    "A farmer has seventeen sheep and nine goats on a hill, and sells four of the sheep to a neighbour in the valley."
)
DECONTAMINATE = {"benchmarks": {"sheep": "benchmark.jsonl"}, "fields": {"sheep": ["question"]}}
STAGES: list[Any] = [
    {"optout": {"snapshot": ["robots.warc"]}},
    "extract",
    "normalise",
    "language",
    "quality",
    {"decontaminate": DECONTAMINATE},
    "pii",
    "toxicity",
    "dedup",
    "passages",
]
ALONE = ("licence", "repositories", "code")
"""Stages of sources of code, which would drop pages for having no licence; they are tried alone."""
OF_DIALOGUES = ("terms", "turns", "turn-languages", "brands")
"""Stages of dialogues: what they read, only the reader of dialogues writes."""
WITH_MODEL = frozenset({"embedding"})
"""Stages that do nothing without a model of the user's."""


LARGE = 200_000_000
"""Bytes of a limit that no giant reaches."""
GIANTS = 18
"""How many giants there are."""


@contextmanager
def _ends_in(seconds: int) -> Iterator[None]:
    """End the process with a traceback where something hangs: no kernel and no C code can be interrupted otherwise."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _written(folder: Path, seed: int, count: int) -> list[str]:
    """Half pages and half texts; the families in the order of their rows."""
    web, own = pages(seed, count // 2), texts(seed, count - count // 2)
    records = [
        record(http(page), identifier=f"<urn:fuzz:{number}>", url=f"https://host{number % 7}.example/{number}".encode())
        for number, (_, page) in enumerate(web)
    ]
    (folder / "web.warc.gz").write_bytes(members(records, 1))
    rows = ({"text": text, "url": f"https://text.example/{number}"} for number, (_, text) in enumerate(own))
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    _helpers(folder)
    return [family for family, _ in [*web, *own]]


def _helpers(folder: Path) -> None:
    """The files that stages are prepared from."""
    rules = record(
        http(b"User-agent: *\nDisallow: /1", b"Content-Type: text/plain"), url=b"https://host1.example/robots.txt"
    )
    (folder / "robots.warc").write_bytes(rules)
    (folder / "benchmark.jsonl").write_text(json.dumps({"question": ITEM}))


def _rows(
    folder: Path, sources: list[Any], stages: list[Any], *, tokenizer: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The ledger of a build, pages first, in the order of the files."""
    path = folder / "manifest.yaml"
    manifest: dict[str, Any] = {"name": "fuzzed", "sources": sources, "stages": stages}
    manifest |= {"tokenizer": tokenizer} if tokenizer else {}
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    with _ends_in(LONGEST_S):
        outcome = build(path, folder / "out", catalogue=CATALOGUE)
    assert outcome.report.failures == [], outcome.report.failures[0].error
    rows: list[dict[str, Any]] = ledger(folder / "out")
    return sorted(rows, key=lambda row: (row["source"] != "web", row["offset"]))


def _built(folder: Path, seed: int, count: int) -> None:
    families = _written(folder, seed, count)
    sources = [
        {"name": "web", "kind": "warc", "paths": ["web.warc.gz"]},
        {"name": "own", "kind": "jsonl", "paths": ["own.jsonl"]},
    ]
    rows = _rows(folder, sources, STAGES)
    assert len(rows) == count
    failed = [
        (family, row["stage"], row["rule"])
        for family, row in zip(families, rows, strict=True)
        if row["reason"] == "stage-failed"
    ]
    assert failed == []
    guarded = Counter(row["reason"] for row in rows) & Counter({"extract-timeout": count, "extract-crash": count})
    assert guarded.total() <= count // 500, "the limits on nodes, depth and size come before clock and memory"
    found = audit(Storage(str(folder / "out")), CATALOGUE)
    assert found.violations == []
    assert found.counts["records_in"] == count


@pytest.mark.slow
def test_two_thousand_inputs_through_all_stages(tmp_path: Path) -> None:
    _built(tmp_path, 0, 2000)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 101))
def test_two_hundred_thousand_inputs_through_all_stages(tmp_path: Path, seed: int) -> None:
    _built(tmp_path, seed, 2000)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(GIANTS))
def test_giants(tmp_path: Path, number: int) -> None:
    """Each past the limits of reader and extractor, which are raised here, so that every stage sees all of it."""
    name, content = next(islice(giants(), number, None))
    if isinstance(content, bytes):
        body = record(http(content), url=b"https://giant.example/")
        (tmp_path / "web.warc").write_bytes(body)
        source = {"name": "web", "kind": "warc", "paths": ["web.warc"], "options": {"max_payload_bytes": LARGE}}
    else:
        row = {"text": content, "url": "https://giant.example/"}
        (tmp_path / "own.jsonl").write_text(json.dumps(row, ensure_ascii=False), "utf-8")
        options = {"max_record_bytes": LARGE, "max_text_bytes": LARGE}
        source = {"name": "own", "kind": "jsonl", "paths": ["own.jsonl"], "options": options}
    _helpers(tmp_path)
    limits = {"max_html_bytes": LARGE, "max_text_bytes": LARGE}
    stages = [{"extract": limits} if entry == "extract" else entry for entry in STAGES]
    rows = _rows(tmp_path, [source], stages)
    assert [row["url"] for row in rows] == ["https://giant.example/"], name
    assert rows[0]["reason"] != "stage-failed", rows[0]["rule"]


def test_every_stage_of_the_catalogue_is_fuzzed() -> None:
    built = {name for entry in STAGES for name in ([entry] if isinstance(entry, str) else entry)}
    known = {*CATALOGUE.stages, *CATALOGUE.barriers, *CATALOGUE.cutters}
    assert known - built - {*ALONE, *OF_DIALOGUES} == WITH_MODEL


def _tried(folder: Path, name: str, seed: int, count: int) -> None:
    given = texts(seed, count)
    rows = (
        {"text": text, "licences": [text[:30]], "path": f"src/{number}.{text[:5]}", "repository": text[:20]}
        for number, (_, text) in enumerate(given)
    )
    (folder / "code.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    columns = {"columns": {"licences": "licences", "path": "path", "repository": "repository"}}
    (folder / "optout.txt").write_text("ada\n")
    parameters = {"optout": str(folder / "optout.txt")} if name == "repositories" else {}
    asked = specs(name, parameters, (), CATALOGUE)
    inputs = Inputs([str(folder / "code.jsonl")], CATALOGUE, columns, as_pages="payload" in reads(asked[0]), limit=None)
    with Trial(asked, given_columns(asked, CATALOGUE, ()), None) as trial, _ends_in(LONGEST_S):
        found = list(trial.run(inputs))
    assert len(found) == count
    assert [
        (family, row.rule) for (family, _), row in zip(given, found, strict=True) if row.reason == "stage-failed"
    ] == []
    reasons = {reason.name for reason in load_target(CATALOGUE.stages[name], "").reasons}
    assert {row.reason for row in found if row.stage == name} <= reasons


@pytest.mark.parametrize("name", ALONE)
def test_stages_of_code(tmp_path: Path, name: str) -> None:
    _tried(tmp_path, name, 0, 200)


def _talked(folder: Path, seed: int, count: int) -> None:
    """A build of dialogues whose every text is hostile: each row ends once, and the audit holds."""
    given = [text for _, text in texts(seed, count)]
    rows = (
        {
            "messages": [
                {"role": "system", "content": text[:50]},
                {"role": "user", "content": text},
                {"role": "assistant", "content": given[number - 1], "reasoning_content": text[:90]},
            ],
            "model": ["human", "gpt-4", text[:20]][number % 3],
        }
        for number, text in enumerate(given)
    )
    (folder / "talk.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    options = {"columns": {"generator": "model"}}
    source = {"name": "talk", "kind": "dialogues", "paths": ["talk.jsonl"], "options": options}
    terms = {"terms": {"unknown": "keep", "undeclared": "keep"}}
    _helpers(folder)
    stages = [terms, "normalise", "language", "turns", "turn-languages", "brands", "pii", "toxicity", "dedup"]
    found = _rows(folder, [source], stages, tokenizer=write_byte_tokenizer(folder))
    assert len(found) == count
    assert [row["rule"] for row in found if row["reason"] == "stage-failed"] == []
    assert any(row["reason"] == "generator-terms" for row in found)
    assert any(row["verdict"] == "kept" for row in found)
    assert audit(Storage(str(folder / "out")), CATALOGUE).violations == []


@pytest.mark.slow
def test_stages_of_dialogues(tmp_path: Path) -> None:
    _talked(tmp_path, 0, 300)


@pytest.mark.soak
def test_stages_of_dialogues_at_length(tmp_path: Path) -> None:
    _talked(tmp_path, 1, 20_000)


@pytest.mark.soak
@pytest.mark.parametrize("name", ALONE)
def test_stages_of_code_at_length(tmp_path: Path, name: str) -> None:
    _tried(tmp_path, name, 1, 20_000)


def test_the_same_seed_gives_the_same_input() -> None:
    assert texts(3, 60) == texts(3, 60) and pages(3, 60) == pages(3, 60)
    assert texts(3, 60) != texts(4, 60) and pages(3, 60) != pages(4, 60)
