"""The audit assigns every row to its stream again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lauter.pipeline.audit import audit
from lauter.pipeline.audit.findings import AuditReport
from lauter.pipeline.audit.index import read_index
from lauter.pipeline.audit.shards import check_token_index
from lauter.pipeline.audit.streams import check_streams
from lauter.pipeline.storage import Storage
from tests.pipeline.small_run import build
from tests.pipeline.stream_run import LABELLED, stream_manifest

STREAMS = {
    "sources": {"web": ["source-a"]},
    "languages": {"german": ["deu_Latn", "gsw_Latn"], "each": ["*_Latn"]},
    "lengths": [20, 40],
    "copies": [2, 3, 5],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    build(stream_manifest(folder, STREAMS), folder / "out", catalogue=LABELLED)
    return folder / "out"


def found(corpus: Path, lock: str, *, intact: bool = True) -> AuditReport:
    """What the check says where the lock file says something else."""
    path = corpus / "manifest.lock.yaml"
    before = path.read_text()
    index, report = read_index((corpus / "corpus.json").read_bytes()), AuditReport()
    paths = {output.path for kind in ("tokens", "other") for output in index.outputs(kind)}
    path.write_text(lock)
    try:
        check_streams(Storage(str(corpus)), index, paths if intact else set(), report)
    finally:
        path.write_text(before)
    return report


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - deu_Latn\n", "    - swa_Latn\n", "tokens/web.german.0-19.x2/00000.parquet: has 1 row that belong"),
        (
            "- source-a\n  languages",
            "- source-b\n  languages",
            "tokens/source-b.rest.0-19.x1/00000.parquet: has 4 rows",
        ),
        ("  - 40\n", "  - 39\n", "tokens/web.fra_Latn.20-39.x1/00000.parquet: has "),
        ("  - 5\n", "  - 4\n", "tokens/web.german.0-19.x3-4/00000.parquet: has "),
    ],
)
def test_a_row_that_belongs_elsewhere_is_found(corpus: Path, old: str, new: str, said: str) -> None:
    lock = (corpus / "manifest.lock.yaml").read_text()
    assert lock.count(old) == 1
    violations = found(corpus, lock.replace(old, new)).violations
    assert any(item.startswith(said) for item in violations), violations


def test_a_whole_corpus_has_none(corpus: Path) -> None:
    lock = (corpus / "manifest.lock.yaml").read_text()
    assert found(corpus, lock).violations == []
    assert found(corpus, lock, intact=False).notes == [
        "the streams of the token shards are not checked: manifest.lock.yaml is not intact"
    ]
    (broken,) = found(corpus, "sharding: {}").violations
    assert "does not say what the streams are parted by" in broken


def test_the_index_says_what_corpus_json_says(corpus: Path) -> None:
    path = corpus / "tokens/index.json"
    before = path.read_text()
    index = json.loads(before)
    index["streams"]["web.german.0-19.x5-up"]["of"]["copies"] = [1000, None]
    path.write_text(json.dumps(index))
    corpus_index, report = read_index((corpus / "corpus.json").read_bytes()), AuditReport()
    intact = {output.path for kind in ("tokens", "other") for output in corpus_index.outputs(kind)}
    check_token_index(Storage(str(corpus)), corpus_index, intact, report)
    path.write_text(before)
    assert report.violations == ["tokens/index.json: says something else of the streams than corpus.json"]
    assert audit(Storage(str(corpus)), LABELLED).violations == []
