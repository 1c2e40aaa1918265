"""Pages of the committed web are taken down: their words were all over the folder, and then are nowhere."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tokenizers import Tokenizer

from lauter.pipeline.audit import audit
from lauter.pipeline.build import BuildOptions, build_corpus
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.stages.catalogue import CATALOGUE
from quickstart.build_web import build as build_web
from tests.pipeline.small_run import digests
from tests.pipeline.takedown.searching import contents

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
SAID = 40
"""Characters of a page that are looked for."""


def build(root: Path, out: Path) -> str:
    said = io.StringIO()
    manifest = load(str(root / "manifests" / "quickstart.yaml"), CATALOGUE)
    outcome = build_corpus(manifest, BuildOptions(str(out), "inline", 1, None), Console(file=said, width=200))
    assert outcome.report.failures == []
    return said.getvalue()


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]


def everything(out: Path) -> dict[str, str]:
    tokenizer = Tokenizer.from_file(str(out / "tokens/tokenizer/tokenizer.json"))
    found: dict[str, str] = {}
    for name, text in contents(out, lambda ids: tokenizer.decode(ids, skip_special_tokens=False)):
        # The vocabulary is a list of words, not of pages.
        if not name.startswith("tokens/tokenizer/"):
            found[name] = found.get(name, "") + text
    return found


def test_the_words_of_real_pages_are_nowhere(tmp_path: Path) -> None:
    build_web(tmp_path / ".cache" / "quickstart")
    (tmp_path / "manifests").mkdir()
    shutil.copy(REPOSITORY / "manifests" / "quickstart.yaml", tmp_path / "manifests")
    out = tmp_path / "out"
    logs = build(tmp_path, out)
    texts = {row["doc_id"]: row["text"] for row in rows(out / "documents")}
    ledger = [row for row in rows(out / "ledger") if row["doc_id"] in texts and len(texts[row["doc_id"]]) > 3 * SAID]
    chosen = []
    for verdict, stage in (("kept", None), ("duplicate", "dedup"), ("dropped", "quality"), ("dropped", "language")):
        chosen += [row for row in ledger if (row["verdict"], row["stage"]) == (verdict, stage)][:2]
    assert {(row["verdict"], row["stage"]) for row in chosen} >= {("kept", None), ("duplicate", "dedup")}
    assert len(chosen) >= 5
    said = [texts[row["doc_id"]][SAID : 2 * SAID] for row in chosen]
    before = everything(out)
    assert all(any(words in text for text in before.values()) for words in said)
    digest = [row["text_sha256"].hex() for row in chosen]
    assert all(any(item in text for text in before.values()) for item in digest)

    (tmp_path / "ids.txt").write_text("".join(row["doc_id"].hex() + "\n" for row in chosen))
    command = [str(Path(sys.executable).with_name("lauter")), "takedown", str(out), "--doc-ids", "ids.txt"]
    done = subprocess.run(
        [*command, "--with-copies", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    receipt = json.loads(done.stdout)
    assert receipt["records"].keys() == {row["verdict"] for row in chosen}
    after = {**everything(out), "logs": logs + done.stdout + done.stderr}
    for words in (*said, *digest):
        assert [name for name, text in after.items() if words in text] == [], words
    assert audit(Storage(str(out)), CATALOGUE).violations == []
    masked, root = digests(out), receipt["root"]
    gone = [row for row in rows(out / "tokens") if row["removed"]]
    assert gone and all(set(row["tokens"]) == {11} for row in gone), "11 is the padding of the embedded vocabulary"
    build(tmp_path, out)
    assert json.loads((out / "corpus.json").read_text())["root"] == root

    shutil.rmtree(out / "state")
    for folder in ("documents", "tokens"):
        shutil.rmtree(out / folder)
    build(tmp_path, out)
    assert digests(out) == masked
    again = everything(out)
    for words in (*said, *digest):
        assert [name for name, text in again.items() if words in text] == [], words
