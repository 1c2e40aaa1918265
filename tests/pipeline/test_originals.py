from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.explain import explain, lines
from lauter.pipeline.identity import native_id
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from tests.pipeline import small_run
from tests.pipeline.similar_stage import CATALOGUE
from tests.pipeline.small_run import write_manifest

OLD = "n1\tone two three four\nn2\tquite another text here\nn3\tforbidden words"
NEW = "n1\tone two three four\nm1\tone two three four five\nm2\tquite another text here\nm3\ta pair\nm4\ta pair"
"""Reads `n1` once more: both it and `m1` are copies of the older corpus's `n1`."""


def _build(folder: Path, text: str, **config: object) -> Path:
    folder.mkdir()
    manifest = write_manifest(folder, {"a.txt": text}, ["words", {"similar": config}])
    small_run.build(manifest, folder / "out", catalogue=CATALOGUE)
    return folder / "out"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    _build(folder / "none", "k1\tsomething else altogether")
    _build(folder / "old", OLD)
    _build(folder / "new", NEW, against=["../none/out", "../old/out"])
    return folder


def _row(out: Path, name: str) -> dict[str, Any]:
    (row,) = explain(Storage(str(out)), f"https://{name}.example/", CATALOGUE)
    return row


@pytest.mark.parametrize(("copy", "of"), [("n1", "n1"), ("m1", "n1"), ("m2", "n2")])
def test_a_copy_of_an_older_corpuss_document_names_that_corpus(corpora: Path, copy: str, of: str) -> None:
    row = _row(corpora / "new/out", copy)
    assert row["duplicate_of"] == native_id("source-a", of).hex()
    assert (row["original"]["corpus"], row["original"]["verdict"]) == (str(corpora / "old/out"), "kept")
    told = dict(row["story"])
    where = f"https://{of}.example/ of source source-a, which stands in the older corpus {corpora / 'old/out'}, "
    assert where in told["similar"]
    assert told["end"] == f"left out as a copy of https://{of}.example/ of an older corpus"
    assert f"corpus {corpora / 'old/out'}" in dict(lines(row))["original"]


def test_a_copy_of_an_own_document_names_no_older_corpus(corpora: Path) -> None:
    (copy,) = [row for row in (_row(corpora / "new/out", name) for name in ("m3", "m4")) if row["duplicate_of"]]
    assert copy["original"]["verdict"] == "kept" and "corpus" not in copy["original"]
    assert "older" not in str(copy["story"])


def test_an_older_corpus_that_is_gone_is_said_so(tmp_path: Path) -> None:
    _build(tmp_path / "old", OLD)
    out = _build(tmp_path / "new", NEW, against=["../old/out"])
    gone = tmp_path / "old/out"
    take_down(Storage(str(gone)), [demand("url", "https://n1.example/")], with_copies=False)
    assert _row(out, "m1")["original"]["verdict"] == "removed"
    shutil.rmtree(gone)
    for name in ("n1", "m1"):
        row = _row(out, name)
        assert "original" not in row and row["unread"] == [str(gone)]
        told = dict(row["story"])
        assert f"of record {row['duplicate_of']} of an older corpus ({gone} cannot be read), " in told["similar"]
        assert told["end"] == f"left out as a copy of {row['duplicate_of']} of an older corpus"


def test_an_own_document_that_was_taken_down_is_still_the_original(tmp_path: Path) -> None:
    out = _build(tmp_path / "new", NEW)
    names = [name for name in ("m3", "m4") if _row(out, name)["verdict"] == "kept"]
    take_down(Storage(str(out)), [demand("url", f"https://{names[0]}.example/")], with_copies=False)
    row = _row(out, "m4" if names == ["m3"] else "m3")
    assert (row["original"]["url"], row["original"]["verdict"]) == (f"https://{names[0]}.example/", "removed")
    assert "older" not in str(row["story"])
