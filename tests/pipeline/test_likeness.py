"""`explain` says how alike a near copy is, as far as published sketches tell; on the real `dedup`."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lauter.pipeline.build import BuildOptions, build_corpus
from lauter.pipeline.explain import explain, lines
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.stages.catalogue import CATALOGUE

WORDS = [f"{first}{second}" for first in "abcdefghijklmnop" for second in "qrstuvwxyz"]
"""160 words, 156 runs of five."""
LONG = " ".join(WORDS)
CUT = " ".join(WORDS[:150])
"""146 of these runs and no other: similarity 0.936."""
OTHER = " ".join(reversed(WORDS))


def build(folder: Path, texts: dict[str, str], **config: object) -> Path:
    folder.mkdir()
    rows = [{"id": name, "url": f"https://{name}.example/", "text": text} for name, text in texts.items()]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "m.yaml").write_text(
        "name: alike\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}]\n"
        f"stages: [{{dedup: {json.dumps(config)}}}]\n"
    )
    manifest = load(str(folder / "m.yaml"), CATALOGUE)
    build_corpus(manifest, BuildOptions(str(folder / "out"), "inline", 1, None), Console(file=io.StringIO()))
    return folder / "out"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alike")
    build(folder / "old", {"first": LONG})
    texts = {"near": CUT, "mirrored": OTHER, "again": OTHER, "changed": f"{OTHER} and more"}
    build(folder / "new", texts, against=["../old/out"])
    return folder


def row_of(out: Path, name: str) -> dict[str, Any]:
    (row,) = explain(Storage(str(out)), f"https://{name}.example/", CATALOGUE)
    return row


def test_a_near_copy_of_an_own_and_of_an_older_document(corpora: Path) -> None:
    near = row_of(corpora / "new/out", "near")
    assert near["reason"] == "near-duplicate" and near["original"]["corpus"] == str(corpora / "old/out")
    own = [row_of(corpora / "new/out", name) for name in ("mirrored", "again", "changed")]
    (changed,) = [row for row in own if row["reason"] == "near-duplicate"]
    for row, truth in ((near, 146 / 156), (changed, 156 / 158)):
        said = row["similarity"]
        assert abs(said["estimate"] - truth) <= 3 * max(said["error"], 0.02)
        told = f"(similarity {said['estimate']:.2f}, give or take {said['error']:.2f}, by their sketches)"
        assert f"texts that are alike {told}" in dict(row["story"])["dedup"]
        assert dict(lines(row))["similarity"] == f"estimate {said['estimate']}, error {said['error']}"


def test_an_exact_copy_and_what_is_kept_have_none(corpora: Path) -> None:
    rows = [row_of(corpora / "new/out", name) for name in ("mirrored", "again")]
    assert {row["reason"] for row in rows} >= {"exact-duplicate"}
    assert all("similarity" not in row for row in rows if row["reason"] != "near-duplicate")


def test_a_sketch_that_is_gone_tells_nothing(corpora: Path, tmp_path: Path) -> None:
    shutil.copytree(corpora / "new", tmp_path / "new")
    out = tmp_path / "new/out"
    take_down(Storage(str(out)), [demand("url", "https://near.example/")], with_copies=False)
    assert "similarity" not in row_of(out, "near")
    (keys,) = (corpora / "old/out/signatures/items").rglob("*.arrow")
    shutil.copytree(corpora / "old/out", tmp_path / "older")
    keys.unlink()
    try:
        row = row_of(corpora / "new/out", "near")
        assert row["original"]["corpus"] and "similarity" not in row
        assert "texts that are alike; one of" in dict(row["story"])["dedup"]
    finally:
        shutil.copyfile(tmp_path / "older" / keys.relative_to(corpora / "old/out"), keys)
