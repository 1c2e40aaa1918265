"""croissant.json is valid to the reference library, which reads the tables of a small corpus through it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.small_run import build, ledger, tokens, write_manifest

mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is in the extra `dev`")

# The library and what it stands on use calls that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore::Warning:rdflib.*", "ignore::Warning:mlcroissant.*")

PROVIDER = (
    "provider: {name: Somebody, licence: CC0-1.0, url: 'https://example.org/', citation: By hand, "
    "summary: {updated: 2026-01-01}}\n"
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    lines = "".join(f"id-{n}\tsome words {n} here\n" for n in range(30))
    path = write_manifest(folder, {"a.txt": lines, "b.txt": "x\tmore words\nbroken\nsame\tmore words\n"})
    path.write_text(path.read_text() + PROVIDER)
    build(path, folder / "out")
    return folder / "out"


def test_the_description_is_valid_and_names_every_file(out: Path) -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)
    dataset = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert not dataset.metadata.issues.warnings
    data = json.loads((out / "croissant.json").read_text())
    listed = {item["@id"]: item["sha256"] for item in data["distribution"] if item["@type"] == "cr:FileObject"}
    corpus = json.loads((out / "corpus.json").read_text())
    assert listed == {
        output["path"]: output["sha256"]
        for kind in ("tokens", "documents", "ledger")
        for output in corpus["files"][kind]
    }
    assert any(output["path"] == "croissant.json" for output in corpus["files"]["report"]), "the audit digests it too"


def _rows(out: Path, name: str) -> list[dict[str, Any]]:
    records = mlcroissant.Dataset(jsonld=str(out / "croissant.json")).records(name)
    return [{key.removeprefix(f"{name}/"): value for key, value in row.items()} for row in records]


def test_its_record_sets_read_what_is_in_the_files(out: Path) -> None:
    found, wanted = _rows(out, "tokens"), tokens(out)
    assert [row["doc_id"] for row in found] == [row["doc_id"] for row in wanted]
    assert [[int(token) for token in row["tokens"]] for row in found] == [row["tokens"] for row in wanted]
    assert set(found[0]) == set(wanted[0])
    rows, whole = _rows(out, "ledger"), ledger(out)
    assert [(row["doc_id"], row["verdict"].decode()) for row in rows] == [(r["doc_id"], r["verdict"]) for r in whole]
    assert set(rows[0]) == set(whole[0])
    texts = {row["text"].decode() for row in _rows(out, "documents")}
    assert "some words 7 here" in texts and "more words" in texts
