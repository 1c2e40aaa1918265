from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.proof.chain import (
    FIRST,
    broken_link,
    corpus_digest,
    corpus_root,
    entry_of,
    link,
    publish,
    remember,
)
from lauter.pipeline.storage import Storage, StorageError
from tests.pipeline.small_run import build, write_manifest

CORPUS = {"lauter": "1", "ledger_root": "ab" * 32, "ledger_tree": {"leaves": 3}}


def _corpus(out: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((out / "corpus.json").read_text())


def _chain(out: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((out / "state/roots.json").read_text())


def test_the_root_binds_ledger_corpus_and_chain(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    first = publish(storage, {**CORPUS, "name": "one"}, "build")
    second = publish(storage, {**CORPUS, "name": "two"}, "takedown")
    assert first["roots"] == [] and second["roots"] == [entry_of(first)]
    assert second["root"] == corpus_root(bytes.fromhex("ab" * 32), corpus_digest(second))
    assert corpus_digest(second) == corpus_digest({**second, "root": "another"})
    changes: list[dict[str, Any]] = [{"name": "x"}, {"roots": []}, {"cause": "build"}, {"ledger_root": "ac" * 32}]
    for changed in changes:
        other = {**second, **changed}
        assert corpus_root(bytes.fromhex(other["ledger_root"]), corpus_digest(other)) != second["root"]
    third = publish(storage, {**CORPUS, "name": "one"}, "build")
    entries = [*third["roots"], entry_of(third)]
    assert entries == _chain(tmp_path) and broken_link(entries) is None
    assert [entry["cause"] for entry in entries] == ["build", "takedown", "build"]
    assert entries[0]["previous"] == FIRST and entries[1]["previous"] == link(entries[0])
    assert broken_link(entries[1:]) == 0 and broken_link([entries[0], entries[2]]) == 1


def test_the_same_state_adds_nothing_whatever_the_cause(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    publish(storage, {**CORPUS, "name": "one"}, "build")
    publish(storage, {**CORPUS, "name": "two"}, "takedown")
    before = (tmp_path / "corpus.json").read_bytes(), (tmp_path / "state/roots.json").read_bytes()
    for lost in ((), ("corpus.json",), ("state/roots.json",)):
        for name in lost:
            (tmp_path / name).unlink()
        publish(storage, {**CORPUS, "name": "two"}, "build")
        assert ((tmp_path / "corpus.json").read_bytes(), (tmp_path / "state/roots.json").read_bytes()) == before


def test_a_kill_between_chain_and_corpus_adds_nothing(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    publish(storage, {**CORPUS, "name": "one"}, "build")
    old = (tmp_path / "corpus.json").read_bytes()
    publish(storage, {**CORPUS, "name": "two"}, "build")
    after = (tmp_path / "corpus.json").read_bytes(), (tmp_path / "state/roots.json").read_bytes()
    for left in (None, old):
        (tmp_path / "corpus.json").unlink()
        if left is not None:
            (tmp_path / "corpus.json").write_bytes(left)
        remember(storage)
        publish(storage, {**CORPUS, "name": "two"}, "build")
        assert ((tmp_path / "corpus.json").read_bytes(), (tmp_path / "state/roots.json").read_bytes()) == after


def test_a_broken_chain_is_said_so_and_one_without_roots_is_none(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    for old in (
        "{",
        "[]",
        '{"name": "older than roots"}',
        json.dumps({**CORPUS, "root": "", "cause": "", "roots": [{}]}),
    ):
        (tmp_path / "corpus.json").write_text(old)
        remember(storage)
        assert not (tmp_path / "state/roots.json").exists()
    whole = publish(storage, CORPUS, "build")
    assert whole["roots"] == []
    changed: list[object] = [[{**entry_of(whole), "previous": "00"}], [{**entry_of(whole), "more": 1}]]
    for broken in [[{}], {}, [1], *changed]:
        storage.write_json("state/roots.json", broken)
        with pytest.raises(StorageError, match="no chain of roots"):
            publish(storage, CORPUS, "build")


def test_builds_in_one_folder_are_chained(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = write_manifest(tmp_path, {"a.txt": "x\tsome text here"})
    build(manifest, out)
    first = (out / "corpus.json").read_bytes()
    assert _corpus(out)["roots"] == [] and _corpus(out)["cause"] == "build"
    build(manifest, out)
    (out / "corpus.json").unlink()
    build(manifest, out)
    assert (out / "corpus.json").read_bytes() == first
    shutil.rmtree(out / "state")
    build(manifest, out)
    assert (out / "corpus.json").read_bytes() == first
    (tmp_path / "a.txt").write_text("x\tsome text here\ny\tmore text here")
    # The chain is saved from corpus.json before the build deletes it.
    shutil.rmtree(out / "state")
    build(manifest, out)
    changed = _corpus(out)
    assert changed["roots"] == [entry_of(json.loads(first))] and changed["ledger_tree"]["leaves"] == 2
    assert _chain(out) == [*changed["roots"], entry_of(changed)]
    build(manifest, tmp_path / "fresh")
    fresh = _corpus(tmp_path / "fresh")
    assert fresh["roots"] == [] and fresh["root"] != changed["root"] and fresh["ledger_root"] == changed["ledger_root"]
