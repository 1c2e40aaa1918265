"""The root of a corpus proves it, and those before it are chained."""

from __future__ import annotations

import json
from pathlib import Path

from lauter.pipeline.audit.roots import OUTSIDE
from lauter.pipeline.storage import Storage
from tests.pipeline.audit.forging import (
    LEDGER_B,
    LINES,
    audited,
    forge,
    index_of,
    record,
    root_of,
    save,
    setting,
    violations,
)
from tests.pipeline.small_run import build, write_manifest


def test_the_root_proves_the_corpus(built: Path) -> None:
    root = root_of(built / "out")
    assert audited(built / "out", f" {root.upper()}\n").violations == []
    found = audited(built / "out", "00" * 32)
    assert found.violations == [f"corpus.json: the root is {root}, not the root {'00' * 32}; {OUTSIDE}"]
    assert found.counts["records_in"] == 48


def test_the_root_is_computed_from_the_ledger_not_copied(corpus: Path) -> None:
    root = root_of(corpus)
    true = index_of(corpus)
    forge(corpus, LEDGER_B, setting("url", 0, "https://other.example/"))
    forged = index_of(corpus)
    assert forged["ledger_root"] != true["ledger_root"]
    # All of it agrees with itself now; only who has the root from elsewhere can tell.
    assert [item for item in violations(corpus) if "summary" not in item] == []
    other = root_of(corpus)
    assert other != root
    assert f"corpus.json: the root is {other}, not the root {root}; {OUTSIDE}" in audited(corpus, root).violations
    save(corpus, {**forged, "ledger_root": true["ledger_root"], "ledger_tree": true["ledger_tree"]})
    found = audited(corpus, root)
    said = f"it says {true['ledger_root']}"
    assert f"corpus.json: the ledger's Merkle root is {forged['ledger_root']}, {said}" in found.violations
    assert found.root not in (root, other)


def test_a_root_or_a_shape_that_is_not_the_ledgers_is_found(corpus: Path) -> None:
    index = index_of(corpus)
    root = index["root"]
    (corpus / "corpus.json").write_text(json.dumps({**index, "root": "ab" * 32}))
    assert violations(corpus) == [f"corpus.json: its root is {root}, it says {'ab' * 32}"]
    for name, value in (("leaves", 1), ("ranges", 512), ("path", "proof/other.json")):
        save(corpus, {**index, "ledger_tree": {**index["ledger_tree"], name: value}})
        assert [item for item in violations(corpus) if "48 leaves in 256 ranges" in item], name
    (corpus / "corpus.json").write_text(json.dumps(index))
    listed = json.loads((corpus / "proof/ranges.json").read_text())
    listed[0], listed[1] = listed[1], listed[0]
    record(corpus, Storage(str(corpus)).write_json("proof/ranges.json", listed))
    assert violations(corpus) == ["proof/ranges.json: does not list the roots that the ledger's ranges have"]
    index = index_of(corpus)
    index["files"]["other"] = [item for item in index["files"]["other"] if item["path"] != "proof/ranges.json"]
    save(corpus, index)
    assert "corpus.json: proof/ranges.json is not in the list of other files" in violations(corpus)


def test_a_name_that_stands_twice_is_found(corpus: Path) -> None:
    text = (corpus / "corpus.json").read_text()
    (corpus / "corpus.json").write_text('{"name": "for another reader",' + text.lstrip()[1:])
    report = audited(corpus, "00" * 32)
    assert "corpus.json: `name` stands twice in one object" in report.violations and report.root is None


def test_earlier_roots_are_chained_and_known(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = write_manifest(tmp_path, {"a.txt": LINES})
    build(manifest, out)
    first = root_of(out)
    build(write_manifest(tmp_path, {"a.txt": LINES + "\nmore\tmuch more text"}), out)
    build(write_manifest(tmp_path, {"a.txt": LINES + "\nmore\tmuch more of it"}), out)
    index = index_of(out)
    assert index["roots"][0]["root"] == first and len(index["roots"]) == 2
    (found,) = audited(out, first).violations
    assert f"not the root {first}, which this corpus had before: since then came build, build" in found
    for changed in (index["roots"][1:], index["roots"][::-1], [{**index["roots"][0], "rows": 1}, index["roots"][1]]):
        save(out, {**index, "roots": changed})
        assert [item for item in violations(out) if "does not follow from the root before it" in item], changed
    save(out, {**index, "roots": [{**entry, "note": "more"} for entry in index["roots"]]})
    assert all(item.startswith("corpus.json: `roots.") for item in violations(out))
