"""Probes in a corpus: planted exactly as often as asked for, seen by no stage, compared with nothing, and listed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lauter.pipeline import identity
from lauter.pipeline.audit import audit
from lauter.pipeline.build import describe_plan
from lauter.pipeline.cli import app
from lauter.pipeline.cli.planted import planted_at
from lauter.pipeline.explain import explain
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, ledger, tokens, write_manifest
from tests.pipeline.small_stages import CATALOGUE

PLANTING = replace(CATALOGUE, readers={**CATALOGUE.readers, "probes": "lauter.stages.read.probes.reader:ProbesReader"})
PAGES = "\n".join(f"n{i}\tsome words that stand on page {i}" for i in range(40))
PROBES = """\
probes:
  - {id: same, text: some words that stand on page 7, repetitions: 3, bucket: copies}
  - {id: CASE, text: A Forbidden Word In Capitals, repetitions: 2}
  - {id: short, text: one, repetitions: 1}
  - {id: control, text: never planted anywhere, repetitions: 0, bucket: controls}
canaries:
  - {bucket: rare, count: 3, length: 20, repetitions: 1}
  - {bucket: often, count: 2, length: 20, repetitions: 32}
  - {bucket: unseen, count: 4, length: 20, repetitions: 0}
"""
RECORDS = 3 + 2 + 1 + 3 * 1 + 2 * 32


def planted(folder: Path, probes: str = PROBES) -> Path:
    """A manifest over pages and probes."""
    path = write_manifest(folder, {"a.txt": PAGES}, cells=64)
    (folder / "probes.yaml").write_text(probes)
    manifest = yaml.safe_load(path.read_text())
    manifest["sources"].append({"name": "own-probes", "kind": "probes", "paths": ["probes*.yaml"]})
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    outcome = build(planted(tmp_path), tmp_path / "out", catalogue=PLANTING)
    assert not outcome.report.failures
    return tmp_path / "out"


def texts_of(out: Path) -> list[str]:
    """The text of every token row, in the order of the shards, but for those that were removed."""
    found = []
    for row in tokens(out):
        if row["removed"]:
            continue
        ids = row["tokens"]
        assert isinstance(ids, list)
        found.append(bytes(ids[1:-1]).decode())
    return found


def corpus(out: Path) -> Any:  # noqa: ANN401 - JSON
    return Storage(str(out)).read_json("corpus.json")


def test_every_probe_is_planted_as_often_as_it_says(out: Path) -> None:
    counts = Counter(texts_of(out))
    assert counts["some words that stand on page 7"] == 3 + 1, "the page that says the same is kept beside them"
    assert counts["A Forbidden Word In Capitals"] == 2, "no stage has dropped or changed it"
    assert counts["one"] == 1 and counts["never planted anywhere"] == 0
    canaries = {text: count for text, count in counts.items() if len(text) == 20 and " " not in text}
    assert sorted(canaries.values()) == [1, 1, 1, 32, 32]
    assert counts.total() == RECORDS + 40
    rows = [row for row in ledger(out) if row["source"] == "own-probes"]
    assert {row["verdict"] for row in rows} == {"kept"} and len({row["doc_id"] for row in rows}) == RECORDS
    assert identity.native_id("own-probes", "often:1#32") in {row["doc_id"] for row in rows}
    assert all(row["chars"] and row["url"] is None for row in rows)


def test_repetitions_are_spread_by_the_shuffle(out: Path) -> None:
    order = texts_of(out)
    often = next(text for text, count in Counter(order).items() if count == 32)
    places = [place for place, text in enumerate(order) if text == often]
    assert places[0] < len(order) / 4 and places[-1] > len(order) * 3 / 4
    assert sum(after - before == 1 for before, after in pairwise(places)) < 20


def test_the_corpus_is_otherwise_the_same(tmp_path: Path, out: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    build(write_manifest(without, {"a.txt": PAGES}, cells=64), without / "out")
    kept = [{row["doc_id"] for row in ledger(path) if row["verdict"] == "kept"} for path in (without / "out", out)]
    own = {row["doc_id"] for row in ledger(out) if row["source"] == "own-probes"}
    assert kept[0] == kept[1] - own


def test_the_corpus_lists_them(tmp_path: Path, out: Path) -> None:
    (listed,) = corpus(out)["probes"]
    assert listed["sha256"] == hashlib.sha256(PROBES.encode()).hexdigest()
    assert (listed["source"], listed["file"], listed["kept"]) == ("own-probes", "probes.yaml", RECORDS)
    rows = {
        bucket["name"]: (bucket["probes"], bucket["repetitions"], bucket["records"]) for bucket in listed["buckets"]
    }
    assert rows == {
        "controls": (1, 0, 0),
        "copies": (1, 3, 3),
        "often": (2, 32, 64),
        "passage-1": (1, 1, 1),
        "passage-2": (1, 2, 2),
        "rare": (3, 1, 3),
        "unseen": (4, 0, 0),
    }
    assert f"8 texts were planted in {RECORDS} records, and 5 controls are kept out" in (
        out / "report/index.html"
    ).read_text("utf-8")
    plan = describe_plan(load(str(tmp_path / "manifest.yaml"), PLANTING), None)
    assert [item["buckets"] for item in plan["probes"]] == [listed["buckets"]]
    # And their texts can be asked for, controls too.
    probes, told = planted_at(str(out))
    assert told == {"corpus": corpus(out)["name"], "root": corpus(out)["root"]}
    assert Counter(one.repetitions for one in probes) == {0: 5, 1: 4, 2: 1, 3: 1, 32: 2}
    assert sum(one.repetitions for one in probes) == RECORDS


def test_the_audit_counts_them_and_does_not_take_its_word(out: Path) -> None:
    storage = Storage(str(out))
    report = audit(storage, PLANTING)
    assert report.violations == [] and report.counts["records_in"] == RECORDS + 40
    forged = corpus(out)
    forged["probes"][0]["buckets"][0]["records"] += 1
    storage.write_json("corpus.json", forged)
    assert any(
        f"plants {RECORDS} records, and its probes say {RECORDS + 1}" in item
        for item in audit(storage, PLANTING).violations
    )
    forged["probes"] = []
    storage.write_json("corpus.json", forged)
    assert any("its probes say 0 of a file that is not listed" in item for item in audit(storage, PLANTING).violations)


def test_a_takedown_may_hit_them(tmp_path: Path, out: Path) -> None:
    storage = Storage(str(out))
    gone = identity.native_id("own-probes", "same#2")
    take_down(storage, [demand("doc-id", gone.hex())], with_copies=False)
    verdicts = {row["doc_id"]: row["verdict"] for row in ledger(out)}
    assert verdicts[gone] == "removed" and Counter(verdicts.values()) == {"removed": 1, "kept": RECORDS + 39}
    assert audit(storage, PLANTING).violations == []
    build(tmp_path / "manifest.yaml", out, catalogue=PLANTING)
    assert [file["kept"] for file in corpus(out)["probes"]] == [RECORDS], "what was planted"
    assert texts_of(out).count("some words that stand on page 7") == 3


def test_explain_says_that_no_stage_saw_it(out: Path) -> None:
    (row,) = explain(Storage(str(out)), identity.native_id("own-probes", "short#1").hex(), PLANTING)
    stages, sentences = zip(*row["story"], strict=True)
    assert stages == ("read", "probe", "end") and "no stage saw it" in sentences[1]
    assert sentences[2].startswith("kept: row")


def test_a_wrong_file_is_told_before_any_work(tmp_path: Path) -> None:
    path = planted(tmp_path, "probes:\n  - {id: a, text: x}\n  - {id: a, text: y}\n")
    with pytest.raises(ManifestError, match=r"probes\.yaml: line 3: this id stands in line 2 already"):
        load(str(path), PLANTING)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same source", "another source"])
def test_one_text_in_two_files_is_told_before_any_work(tmp_path: Path, *, elsewhere: bool) -> None:
    path = planted(tmp_path, "probes:\n  - {id: a, text: x, repetitions: 2}\n")
    (tmp_path / "probes-more.yaml").write_text("probes:\n  - {id: c, text: y}\n  - {id: b, text: x, repetitions: 0}\n")
    if elsewhere:
        (tmp_path / "probes-more.yaml").rename(tmp_path / "others.yaml")
        manifest = yaml.safe_load(path.read_text())
        manifest["sources"].append({"name": "others", "kind": "probes", "paths": ["others.yaml"]})
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    with pytest.raises(ManifestError) as caught:
        load(str(path), PLANTING)
    (problem,) = caught.value.problems
    assert "the text of probe 'b' is planted from" in problem or "the text of probe 'a' is planted from" in problem
    assert f"sources.{2 if elsewhere else 1}.paths: " in problem and "keep it in one file" in problem


def test_one_id_in_two_files_is_warned_of(tmp_path: Path) -> None:
    path = planted(tmp_path, "probes:\n  - {id: a, text: x, repetitions: 2}\n")
    (tmp_path / "probes-more.yaml").write_text("probes:\n  - {id: a, text: y, repetitions: 3}\n")
    outcome = build(path, tmp_path / "out", catalogue=PLANTING)
    warnings = [item for section in outcome.corpus["sections"] for item in section["warnings"]]
    assert any("probes.yaml of source own-probes: 0 of 2 planted records are kept" in item for item in warnings)


@pytest.mark.slow
def test_the_verifier_of_opt_outs_does_not_ask_for_their_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = ["The mill turns", "Bread is dear", "A fox ran by", "Nobody came", "It rains again"]
    rows = [{"text": text, "url": f"https://a.example/{number}"} for number, text in enumerate(texts)]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "robots.jsonl").write_text(
        json.dumps({"origin": "https://a.example", "body": "User-agent: CCBot\nDisallow: /3"})
    )
    (tmp_path / "own.jsonl").write_text(json.dumps({"id": "same", "text": texts[3], "repetitions": 4}))
    (tmp_path / "m.yaml").write_text(
        "name: m\n"
        "sources: [{name: pages, kind: jsonl, paths: [pages.jsonl]}, {name: own, kind: probes, paths: [own.jsonl]}]\n"
        "stages: [{optout: {snapshot: [robots.jsonl], mirrors: drop}}, dedup]\n"
    )
    built = CliRunner().invoke(app, ["build", "m.yaml", "--out", "out"])
    assert built.exit_code == 0, built.output
    verdicts = Counter((row["source"], row["verdict"]) for row in ledger(tmp_path / "out"))
    assert verdicts == {("pages", "kept"): 4, ("pages", "dropped"): 1, ("own", "kept"): 4}, "no mirror of page 3 either"
    audited = CliRunner().invoke(app, ["audit", "out"])
    assert audited.exit_code == 0 and "4 kept records derived again (optout)" in audited.output, audited.output
    planned = CliRunner().invoke(app, ["plan", "m.yaml"])
    assert "probes that are planted: source own, own.jsonl" in planned.output
