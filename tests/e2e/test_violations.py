"""Planted violations: a real corpus forged in every way that an owner of its folder has, and the audit that finds it.

Each forgery is audited with the root from before, as an auditor would who has it from elsewhere. Most forgers make the
folder agree with itself again (`Forger.reseal`): every digest, count and root inside is then right.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from lauter.pipeline.audit import audit
from lauter.pipeline.build import BuildOptions, build_corpus
from lauter.pipeline.proof.chain import CORPUS
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.stages.catalogue import CATALOGUE
from quickstart.build_web import build as build_web
from tests.e2e.forger import Forger

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
KEPT_URL = "https://amtsblatt-seetal.example/ausgabe/38"


def build(manifest: Path, out: Path) -> None:
    outcome = build_corpus(
        load(str(manifest), CATALOGUE), BuildOptions(str(out), "inline", 1, None), Console(file=io.StringIO())
    )
    assert outcome.report.failures == []


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the quickstart's web, its manifest, and the corpus in `out`."""
    root = tmp_path_factory.mktemp("violations")
    build_web(root / ".cache" / "quickstart")
    (root / "manifests").mkdir()
    shutil.copy(REPOSITORY / "manifests" / "quickstart.yaml", root / "manifests")
    build(root / "manifests/quickstart.yaml", root / "out")
    return root


@pytest.fixture(scope="module")
def root(home: Path) -> str:
    """The root that the auditor wrote down; the honest corpus holds under it."""
    report = audit(Storage(str(home / "out")), CATALOGUE)
    assert report.violations == []
    assert report.root is not None
    assert audit(Storage(str(home / "out")), CATALOGUE, report.root).violations == []
    return report.root


@pytest.fixture
def forger(home: Path, tmp_path: Path) -> Forger:
    shutil.copytree(home / "out", tmp_path / "out")
    return Forger(tmp_path / "out")


def tokens_edited(forger: Forger) -> None:
    forger.edit(
        forger.files("tokens/main/*.parquet")[0], lambda rows: [{**rows[0], "tokens": rows[1]["tokens"]}, *rows[1:]]
    )


def tokens_edited_and_resealed(forger: Forger) -> None:
    def change(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        tokens = rows[0]["tokens"]
        assert isinstance(tokens, list)
        return [{**rows[0], "tokens": [*tokens[:-2], tokens[-3], tokens[-1]]}, *rows[1:]]

    forger.edit(forger.files("tokens/main/*.parquet")[0], change)
    forger.reseal()


def shard_row_removed(forger: Forger) -> None:
    forger.edit(forger.files("tokens/main/*.parquet")[0], lambda rows: rows[1:])
    forger.reseal()


def shard_row_added(forger: Forger) -> None:
    forger.edit(forger.files("tokens/main/*.parquet")[0], lambda rows: [*rows, rows[0]])
    forger.reseal()


def shard_rows_swapped(forger: Forger) -> None:
    forger.edit(forger.files("tokens/main/*.parquet")[0], lambda rows: [rows[1], rows[0], *rows[2:]])
    forger.reseal()


def shard_added(forger: Forger) -> None:
    shutil.copy(forger.files("tokens/main/*.parquet")[0], forger.folder / "tokens/main/99999.parquet")


def drop_made_a_keep(forger: Forger) -> None:
    forger.edit_first(
        "ledger/**/*.parquet",
        lambda row: row["reason"] == "robots-disallow",
        verdict="kept",
        stage=None,
        reason=None,
        rule=None,
    )
    forger.reseal()


def keep_made_a_drop(forger: Forger) -> None:
    forger.edit_first(
        "ledger/**/*.parquet",
        lambda row: row["verdict"] == "kept",
        verdict="dropped",
        stage="quality",
        reason="few-words",
        tokens=None,
        stream=None,
        shard=None,
        row=None,
    )
    forger.reseal()


def rule_forged(forger: Forger) -> None:
    forger.edit_first(
        "ledger/**/*.parquet",
        lambda row: row["reason"] == "robots-disallow",
        rule={"agent": "GPTBot", "signal": "robots.txt", "line": 1, "text": "Disallow: /elsewhere"},
    )
    forger.reseal()


def basis_forged(forger: Forger) -> None:
    forger.edit_first(
        "ledger/**/*.parquet",
        lambda row: row["verdict"] == "kept" and row["basis"] is not None,
        basis={"outcome": "host-list", "origin_id": None, "via": "a licence", "sha256": None, "fetched_at": None},
    )
    forger.reseal()


def ledger_row_removed(forger: Forger) -> None:
    forger.edit(
        forger.files("ledger/web/*.parquet")[0], lambda rows: [r for r in rows if r["reason"] != "robots-disallow"]
    )
    forger.reseal()


def ledger_row_invented(forger: Forger) -> None:
    forger.edit(forger.files("ledger/web/*.parquet")[0], lambda rows: [*rows, {**rows[0], "doc_id": bytes(16)}])
    forger.reseal()


def url_forged(forger: Forger) -> None:
    forger.edit_first(
        "ledger/**/*.parquet", lambda row: row["verdict"] == "kept", url="https://northfield-library.example/other"
    )
    forger.reseal()


def text_forged(forger: Forger) -> None:
    forger.edit_first("documents/**/*.parquet", lambda row: True, text="Another text than the one that was crawled.")
    forger.reseal()


def text_and_digests_forged(forger: Forger) -> None:
    text = "Another text than the one that was crawled."
    digest = hashlib.sha256(text.encode()).digest()
    path = forger.files("documents/**/*.parquet")[0]
    row = _rows(path)[0]
    forger.edit_first(
        "documents/**/*.parquet", lambda one: one["doc_id"] == row["doc_id"], text=text, text_sha256=digest
    )
    forger.edit_first("ledger/**/*.parquet", lambda one: one["doc_id"] == row["doc_id"], text_sha256=digest)
    forger.reseal()


def decision_forged(forger: Forger) -> None:
    forger.edit_first("decisions/**/*.parquet", lambda row: row["reason"] is None, stage="quality", reason="few-words")
    forger.reseal()


def score_forged(forger: Forger) -> None:
    forger.edit_first("scores/**/*.parquet", lambda row: True, toxicity=1)
    forger.reseal()


def page_signals_removed(forger: Forger) -> None:
    for path in forger.files("signals/**/*.parquet"):
        if any(row["value"] == "index, noai, noimageai" for row in _rows(path)):
            forger.edit(path, lambda rows: [row for row in rows if "noai" not in row["value"]])
    forger.reseal()


def snapshot_forged(forger: Forger) -> None:
    path = forger.folder / "optout/origins.parquet"
    forger.edit(path, lambda rows: [{**row, "outcome": "allow"} for row in rows])
    forger.reseal()


def index_forged(forger: Forger) -> None:
    path = forger.folder / "optout/robots.arrow"
    data = path.read_bytes()
    assert data.count(b"Disallow: /") > 1
    path.write_bytes(data.replace(b"Disallow: /", b"Disallow: #", 1))
    forger.reseal()


def policy_forged(forger: Forger) -> None:
    path = forger.folder / "manifest.lock.yaml"
    lock = yaml.safe_load(path.read_text())
    (stage,) = (entry["optout"] for entry in lock["stages"] if "optout" in entry)
    stage["config"]["policy"] = "apertus-2025-01"
    path.write_text(yaml.safe_dump(lock, sort_keys=False))
    forger.reseal()


def another_corpus(forger: Forger) -> None:
    """Built without any look at opt-outs, honestly in itself, and put in the place of the audited one."""
    home = forger.folder.parent
    build_web(home / ".cache" / "quickstart")
    (home / "manifests").mkdir()
    manifest = yaml.safe_load((REPOSITORY / "manifests/quickstart.yaml").read_text())
    manifest["stages"] = [stage for stage in manifest["stages"] if "optout" not in stage]
    (home / "manifests/other.yaml").write_text(yaml.safe_dump(manifest))
    shutil.rmtree(forger.folder)
    build(home / "manifests/other.yaml", forger.folder)
    assert audit(Storage(str(forger.folder)), CATALOGUE).violations == []


def past_forged(forger: Forger) -> None:
    corpus = forger.corpus()
    corpus["roots"] = [
        {
            "root": "0" * 64,
            "ledger_root": "0" * 64,
            "rows": 1,
            "lauter": corpus["lauter"],
            "cause": "build",
            "previous": "0" * 64,
        }
    ]
    forger.write_corpus(corpus)


def report_forged(forger: Forger) -> None:
    path = forger.folder / "report/eu-summary.json"
    path.write_text(path.read_text().replace("robots.txt", "nothing"))
    forger.reseal()


FORGERIES: list[Callable[[Forger], None]] = [
    tokens_edited,
    tokens_edited_and_resealed,
    shard_row_removed,
    shard_row_added,
    shard_rows_swapped,
    shard_added,
    drop_made_a_keep,
    keep_made_a_drop,
    rule_forged,
    basis_forged,
    ledger_row_removed,
    ledger_row_invented,
    url_forged,
    text_forged,
    text_and_digests_forged,
    decision_forged,
    score_forged,
    page_signals_removed,
    snapshot_forged,
    index_forged,
    policy_forged,
    another_corpus,
    past_forged,
    report_forged,
]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_is_found_with_the_root_from_outside(
    forge: Callable[[Forger], None], forger: Forger, root: str
) -> None:
    forge(forger)
    assert audit(Storage(str(forger.folder)), CATALOGUE, root).violations


@pytest.mark.parametrize(
    "forge",
    [
        tokens_edited,
        shard_row_removed,
        shard_row_added,
        shard_rows_swapped,
        shard_added,
        drop_made_a_keep,
        keep_made_a_drop,
        ledger_row_removed,
        ledger_row_invented,
        text_forged,
        decision_forged,
    ],
    ids=lambda forge: forge.__name__,
)
def test_these_are_found_without_a_root_too(forge: Callable[[Forger], None], forger: Forger, root: str) -> None:
    forge(forger)
    violations = audit(Storage(str(forger.folder)), CATALOGUE).violations
    assert violations


def test_an_old_snapshot_is_found_with_a_newer_one(home: Path, root: str, tmp_path: Path) -> None:
    newer = tmp_path / "robots-2026.jsonl"
    row = {
        "robots_url": "https://amtsblatt-seetal.example/robots.txt",
        "status": 200,
        "fetched_at": "2026-01-01",
        "body": "User-agent: GPTBot\nDisallow: /ausgabe/\n",
    }
    newer.write_text(json.dumps(row) + "\n")
    report = audit(Storage(str(home / "out")), CATALOGUE, root, {"snapshot": [str(newer)]})
    (violation,) = report.violations
    assert KEPT_URL in violation and "line 2 `Disallow: /ausgabe/`" in violation and "GPTBot" in violation


def test_a_stricter_policy_finds_what_the_milder_one_kept(home: Path, root: str) -> None:
    report = audit(Storage(str(home / "out")), CATALOGUE, root, {"policy": "strict"})
    assert [violation for violation in report.violations if KEPT_URL in violation and "44b" in violation]


def test_an_ignored_takedown_is_found(home: Path, root: str, tmp_path: Path) -> None:
    """After a takedown the folder of before is put back, but the list of demands stays."""
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(home / "out", before)
    shutil.copytree(home / "out", after)
    take_down(Storage(str(after)), [demand("url", KEPT_URL)], with_copies=False)
    later = audit(Storage(str(after)), CATALOGUE)
    assert later.violations == []
    assert later.root is not None and later.root != root
    shutil.copytree(after / "takedown", before / "takedown")
    forger = Forger(before)
    corpus = forger.corpus()
    corpus["files"]["other"] = json.loads((after / CORPUS).read_text())["files"]["other"]
    corpus["takedown"] = json.loads((after / CORPUS).read_text())["takedown"]
    forger.write_corpus(corpus)
    forger.reseal()
    assert audit(Storage(str(before)), CATALOGUE, later.root).violations
    assert [one for one in audit(Storage(str(before)), CATALOGUE).violations if "takedown" in one or "removed" in one]


def _rows(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.ParquetFile(path).read().to_pylist()
    return rows
