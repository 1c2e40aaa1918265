"""The files that describe a corpus: whole, of one root, and naming files of their own folder only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lauter.pipeline.storage import Storage
from lauter.trainer.config.sections import CorpusSection, DataSection
from lauter.trainer.data.corpus import DataError, open_corpora
from tests.trainer.data.corpora import (
    publish,
    section,
    shards,
    write_corpus,
)
from tests.trainer.data.opening import problems, relist, told

TOKENIZER = ("sidecar.json", "tokenizer.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "demo", {"main": shards(1), "web": shards(2)})


def test_an_unfinished_build(folder: Path, tmp_path: Path) -> None:
    (folder / "tokens/index.json").unlink()
    told(problems(folder), str(folder), "no tokens/index.json", "run the build to its end")
    told(problems(tmp_path / "nowhere"), "nowhere", "no tokens/index.json")


def test_a_takedown_that_was_cut_off(folder: Path) -> None:
    (folder / "corpus.json").unlink()
    told(problems(folder), "no corpus.json", "`lauter takedown` again")


def test_a_tokenizer_that_was_changed(folder: Path) -> None:
    path = folder / "tokens/tokenizer/sidecar.json"
    path.write_text(path.read_text().replace('"id": 2', '"id": 5'))
    told(problems(folder), "tokens/tokenizer/", "its digest is", "rebuild with `lauter build`")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.json",
        "tokens/tokenizer/../../../secret.json",
        "tokens/tokenizer/deep/secret.json",
        "tokens/main/secret.json",
        "/etc/secret.json",
        "tokens/tokenizer/C:secret.json",
        "tokens/tokenizer/..\\secret.json",
        "tokens/tokenizer/",
        7,
    ],
)
def test_a_tokenizer_that_lies_elsewhere_is_not_read(folder: Path, path: str | int) -> None:
    """The index of a stranger, whose digests all fit."""
    (folder.parent / "secret.json").write_text("{}")
    storage = Storage(str(folder))
    index, corpus = storage.read_json("tokens/index.json"), storage.read_json("corpus.json")
    names = {"secret.json": b"{}", **{name: (folder / "tokens/tokenizer" / name).read_bytes() for name in TOKENIZER}}
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode() + b"\0" + hashlib.sha256(names[name]).digest())
    index["tokenizer"] = {"sha256": digest.hexdigest(), "files": [*index["tokenizer"]["files"], {"path": path}]}
    publish(storage, index, corpus["files"]["other"], {"name": corpus["name"]})
    told(problems(folder), str(folder), f"lists {path!r}, which")


@pytest.mark.parametrize("path", ["../other/a.parquet", "tokens/../../a.parquet", "/a.parquet", "C:/a.parquet"])
def test_a_shard_that_lies_elsewhere_is_not_read(folder: Path, path: str) -> None:
    relist(folder, {"path": path})
    told(problems(folder), str(folder), f"lists {path!r}, which is no file under tokens/")


def test_a_wrong_root(folder: Path) -> None:
    root = json.loads((folder / "corpus.json").read_text())["root"]
    data = section(folder)
    pinned = data.model_copy(update={"corpora": (CorpusSection(path=str(folder), root=root),)})
    assert open_corpora(pinned).provenance[0]["root"] == root
    wrong = data.model_copy(update={"corpora": (CorpusSection(path=str(folder), root="0" * 64),)})
    with pytest.raises(DataError) as caught:
        open_corpora(wrong)
    told(caught.value.problems, root, "0" * 64, "another corpus")


def test_a_root_from_before_a_takedown(folder: Path) -> None:
    storage = Storage(str(folder))
    old = storage.read_json("corpus.json")
    storage.delete("corpus.json")
    publish(
        storage,
        storage.read_json("tokens/index.json"),
        old["files"]["other"],
        {"name": old["name"], "roots": [{"root": old["root"]}]},
    )
    data = DataSection(corpora=(CorpusSection(path=str(folder), root=old["root"]),))
    with pytest.raises(DataError) as caught:
        open_corpora(data)
    told(caught.value.problems, "an earlier state of this corpus", old["root"])


def test_a_corpus_json_that_was_changed(folder: Path) -> None:
    path = folder / "corpus.json"
    path.write_text(path.read_text().replace('"demo"', '"omed"'))
    told(problems(folder), "corpus.json was changed", "lauter audit")


@pytest.mark.parametrize("name", ["tokens/index.json", "manifest.lock.yaml"])
def test_a_file_that_corpus_json_does_not_list(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    told(problems(folder), name, "is not the file that corpus.json lists", "lauter audit")


@pytest.mark.parametrize("name", ["tokens/index.json", "corpus.json"])
def test_a_file_that_is_no_json(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    told(problems(folder), "can't be read", "lauter audit")
