"""A corpus.json that is broken, or that lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lauter.pipeline.storage import Storage
from tests.pipeline.audit.forging import LEDGER_A, LEDGER_B, audited, index_of, record, save, violations


def test_a_lying_index_is_found(corpus: Path) -> None:
    index = index_of(corpus)
    index["inputs"][0]["counted"]["records"] += 1
    save(corpus, index)
    found = violations(corpus)
    assert f"{LEDGER_A}: 40 ledger rows for 41 records counted in a.txt" in found
    assert "49 records went in, 48 ledger rows came out" in found
    assert any("counted again" in item for item in found)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"\xff"', b"[" * 100_000, b"{}"])
def test_a_broken_index_is_a_violation(corpus: Path, data: bytes) -> None:
    (corpus / "corpus.json").write_bytes(data)
    report = audited(corpus)
    assert report.violations and all(item.startswith("corpus.json: ") for item in report.violations)


def test_every_cut_of_the_index_is_a_violation(corpus: Path) -> None:
    data = (corpus / "corpus.json").read_bytes()
    for end in range(0, len(data) - 2, len(data) // 40):
        (corpus / "corpus.json").write_bytes(data[:end])
        assert "corpus.json: is cut or changed" in violations(corpus)[0]


def test_every_key_of_the_index_may_be_lost_or_of_another_type_without_a_crash(corpus: Path) -> None:
    needed = {"lineage", "layout_id", "summary", "inputs", "sources", "files", "ledger_sha256", "ledger_root"}
    needed |= {"ledger_tree", "roots", "cause", "root"}
    for name in needed:
        index = index_of(corpus)
        kept = index.pop(name)
        text = json.dumps(index)
        (corpus / "corpus.json").write_text(text)
        assert violations(corpus) == [f"corpus.json: `{name}` is missing"]
        for other in (None, 7, "text", [], {}, [1], {"a": 1}):
            if type(other) is not type(kept):
                (corpus / "corpus.json").write_text(json.dumps({**index, name: other}))
                assert violations(corpus), (name, other)
        save(corpus, {**index, name: kept})
    for path in ("../corpus.json", "/etc/hostname", ""):
        index = index_of(corpus)
        true, index["files"]["other"][0]["path"] = index["files"]["other"][0]["path"], path
        save(corpus, index)
        assert violations(corpus) == ["corpus.json: `files.other.0.path` is no path inside the run folder"]
        index["files"]["other"][0]["path"] = true
        save(corpus, index)


@pytest.mark.parametrize("kind", ["documents", "scores", "decisions", "ledger"])
def test_every_input_has_exactly_one_file_of_each_kind(corpus: Path, kind: str) -> None:
    index = index_of(corpus)
    lost = index["files"][kind].pop(0)
    save(corpus, index)
    found = violations(corpus)
    assert f"corpus.json: input source-a/a.txt has no file in the list of {kind}" in found
    assert f"{lost['path']}: stands in the run folder but in no list of corpus.json" in found
    index["files"][kind] += [lost, lost]
    save(corpus, index)
    assert f"{lost['path']}: stands 2 times in the lists of corpus.json" in violations(corpus)
    index["files"][kind].pop()
    del index["inputs"][0]
    save(corpus, index)
    assert f"corpus.json: {lost['path']} is in the list of {kind}, but no input has this name" in violations(corpus)


def test_two_inputs_of_one_name_and_an_unknown_source_are_found(corpus: Path) -> None:
    index = index_of(corpus)
    index["inputs"].append(index["inputs"][0])
    index["inputs"][1]["source"] = "nobody"
    save(corpus, index)
    found = violations(corpus)
    assert "corpus.json: 2 inputs are named source-a/a.txt" in found
    assert "corpus.json: input source-b/b.txt is of source nobody, which it lacks" in found
    assert f"{LEDGER_B}: row group 0 has rows of another source than nobody" in found


def test_layouts_lineages_and_lists_agree(corpus: Path) -> None:
    index = index_of(corpus)
    save(corpus, {**index, "layout_id": "another"})
    found = violations(corpus)
    assert "tokens/index.json: has another layout_id than corpus.json" in found
    assert any("was packed for another layout_id" in item for item in found)
    save(corpus, index)
    listed = json.loads((corpus / "tokens/index.json").read_text())
    for changed, sentence in (
        ({**listed, "lineage": "another"}, "has another lineage than corpus.json"),
        ({**listed, "streams": {}}, "does not list the shards that corpus.json lists"),
        ([], "has not the form of an index"),
    ):
        record(corpus, Storage(str(corpus)).write_json("tokens/index.json", changed))
        assert any(item.startswith("tokens/index.json") and sentence in item for item in violations(corpus)), sentence
