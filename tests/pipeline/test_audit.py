from __future__ import annotations

import hashlib
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lauter.pipeline import parquet
from lauter.pipeline.audit import AuditReport, audit
from lauter.pipeline.audit.roots import OUTSIDE
from lauter.pipeline.cli import app
from lauter.pipeline.corpus import combined_digest
from lauter.pipeline.proof.chain import corpus_digest, corpus_root, tree_fields, write_ranges
from lauter.pipeline.proof.partition import merkle_root
from lauter.pipeline.storage import Output, Storage, StorageError
from lauter.pipeline.tamper import problem_of
from tests.pipeline.small_run import build, write_manifest
from tests.pipeline.small_stages import CATALOGUE

LINES = "\n".join(f"n{i}\tsome text number {i}" for i in range(40))
OTHERS = (
    "x\tone more text\nbroken\nf\tforbidden text here\ns\tshort\nn1\ttwice\nx\tonce more\nd\tone more text\nempty\t"
)
LEDGER_A, LEDGER_B = "ledger/source-a/a.txt.parquet", "ledger/source-b/b.txt.parquet"
DOCUMENTS_A, DOCUMENTS_B = "documents/source-a/a.txt.parquet", "documents/source-b/b.txt.parquet"
VERDICTS = ("kept", "dropped", "duplicate", "error", "removed")

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    build(write_manifest(folder, {"a.txt": LINES, "b.txt": OTHERS}), folder / "out")
    return folder


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built / "out", tmp_path / "out")
    return tmp_path / "out"


def _audit(out: Path, root: str | None = None) -> AuditReport:
    return audit(Storage(str(out)), CATALOGUE, root)


def _violations(out: Path) -> list[str]:
    return _audit(out).violations


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def _index(out: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads((out / "corpus.json").read_text())


def _save(out: Path, index: dict[str, Any]) -> None:
    """Write an index under the root that it then has, as a forger would."""
    try:
        index["root"] = corpus_root(bytes.fromhex(index["ledger_root"]), corpus_digest(index))
    except TypeError:
        index.pop("root", None)
    (out / "corpus.json").write_text(json.dumps(index))


def _record(out: Path, changed: Output) -> None:
    """Put a file's true digests wherever they are recorded: a lie that no digest gives away."""
    index = _index(out)
    for kind, items in index["files"].items():
        index["files"][kind] = [changed.to_json() if item["path"] == changed.path else item for item in items]
    index["ledger_sha256"] = combined_digest([Output.from_json(item) for item in index["files"]["ledger"]])
    _save(out, index)
    if changed.path.startswith("ledger/"):
        try:
            tree = merkle_root(Storage(str(out)), [item["path"] for item in index["files"]["ledger"]])
        except StorageError:  # no tree can be made of a file that is no ledger
            return
        _save(out, {**index, **tree_fields(tree)})
        _record(out, write_ranges(Storage(str(out)), tree))
    if changed.path.startswith("tokens/") and changed.path.endswith(".parquet"):
        listed = json.loads((out / "tokens/index.json").read_text())
        for stream in listed["streams"].values():
            stream["shards"] = [
                {**item, **changed.to_json()} if item["path"] == changed.path else item for item in stream["shards"]
            ]
        _record(out, Storage(str(out)).write_json("tokens/index.json", listed))


def _forge(out: Path, path: str, change: Change) -> None:
    """Rewrite a table, its row groups where they were, and record it as if it had been built so."""
    storage = Storage(str(out))
    file = pq.ParquetFile(out / path)
    groups = [change(file.read_row_group(index)) for index in range(file.num_row_groups)]
    with storage.staging(path) as staged:
        sink = parquet.ParquetSink(staged, groups[0].schema, 1 << 60)
        for table in groups:
            sink.write(table.combine_chunks().to_batches()[0])
            sink.cut()
        sink.close()
        output = parquet.describe(staged, path)
    _record(out, output)


def _contents(out: Path, path: str) -> dict[str, bytes]:
    """A file, and those that say what it is."""
    return {name: (out / name).read_bytes() for name in (path, "corpus.json", "tokens/index.json", "proof/ranges.json")}


def _put_back(out: Path, contents: dict[str, bytes]) -> None:
    for name, data in contents.items():
        (out / name).write_bytes(data)


def _set(name: str, row: int, value: object) -> Change:
    """Change one value of the first row group's column."""
    done: list[bool] = []

    def change(table: pa.Table) -> pa.Table:
        if done:
            return table
        done.append(True)
        field = table.schema.field(name)
        values = table.column(name).to_pylist()
        values[row] = value
        return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))

    return change


def test_an_untouched_corpus_passes(built: Path) -> None:
    report = _audit(built / "out")
    assert report.violations == [] and report.notes == []
    assert report.to_json()["ok"] and report.hints == [] and report.to_json()["hint"] is None
    assert report.counts == {"records_in": 48, "kept": 41, "dropped": 4, "duplicate": 2, "error": 1, "removed": 0}
    assert report.recounted == 2
    assert report.root == _index(built / "out")["root"]


def _root(out: Path) -> str:
    root = _audit(out).root
    assert root is not None
    return root


def test_the_root_proves_the_corpus(built: Path) -> None:
    root = _root(built / "out")
    assert _audit(built / "out", f" {root.upper()}\n").violations == []
    found = _audit(built / "out", "00" * 32)
    assert found.violations == [f"corpus.json: the root is {root}, not the root {'00' * 32}; {OUTSIDE}"]
    assert found.counts["records_in"] == 48


def test_the_root_is_computed_from_the_ledger_not_copied(corpus: Path) -> None:
    root = _root(corpus)
    true = _index(corpus)
    _forge(corpus, LEDGER_B, _set("url", 0, "https://other.example/"))
    forged = _index(corpus)
    assert forged["ledger_root"] != true["ledger_root"]
    # All of it agrees with itself now; only who has the root from elsewhere can tell.
    assert [item for item in _violations(corpus) if "summary" not in item] == []
    other = _root(corpus)
    assert other != root
    assert f"corpus.json: the root is {other}, not the root {root}; {OUTSIDE}" in _audit(corpus, root).violations
    _save(corpus, {**forged, "ledger_root": true["ledger_root"], "ledger_tree": true["ledger_tree"]})
    found = _audit(corpus, root)
    said = f"it says {true['ledger_root']}"
    assert f"corpus.json: the ledger's Merkle root is {forged['ledger_root']}, {said}" in found.violations
    assert found.root not in (root, other)


def test_a_root_or_a_shape_that_is_not_the_ledgers_is_found(corpus: Path) -> None:
    index = _index(corpus)
    root = index["root"]
    (corpus / "corpus.json").write_text(json.dumps({**index, "root": "ab" * 32}))
    assert _violations(corpus) == [f"corpus.json: its root is {root}, it says {'ab' * 32}"]
    for name, value in (("leaves", 1), ("ranges", 512), ("path", "proof/other.json")):
        _save(corpus, {**index, "ledger_tree": {**index["ledger_tree"], name: value}})
        assert [item for item in _violations(corpus) if "48 leaves in 256 ranges" in item], name
    (corpus / "corpus.json").write_text(json.dumps(index))
    listed = json.loads((corpus / "proof/ranges.json").read_text())
    listed[0], listed[1] = listed[1], listed[0]
    _record(corpus, Storage(str(corpus)).write_json("proof/ranges.json", listed))
    assert _violations(corpus) == ["proof/ranges.json: does not list the roots that the ledger's ranges have"]
    index = _index(corpus)
    index["files"]["other"] = [item for item in index["files"]["other"] if item["path"] != "proof/ranges.json"]
    _save(corpus, index)
    assert "corpus.json: proof/ranges.json is not in the list of other files" in _violations(corpus)


def test_a_name_that_stands_twice_is_found(corpus: Path) -> None:
    text = (corpus / "corpus.json").read_text()
    (corpus / "corpus.json").write_text('{"name": "for another reader",' + text.lstrip()[1:])
    report = _audit(corpus, "00" * 32)
    assert "corpus.json: `name` stands twice in one object" in report.violations and report.root is None


def test_earlier_roots_are_chained_and_known(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = write_manifest(tmp_path, {"a.txt": LINES})
    build(manifest, out)
    first = _root(out)
    build(write_manifest(tmp_path, {"a.txt": LINES + "\nmore\tmuch more text"}), out)
    build(write_manifest(tmp_path, {"a.txt": LINES + "\nmore\tmuch more of it"}), out)
    index = _index(out)
    assert index["roots"][0]["root"] == first and len(index["roots"]) == 2
    (found,) = _audit(out, first).violations
    assert f"not the root {first}, which this corpus had before: since then came build, build" in found
    for changed in (index["roots"][1:], index["roots"][::-1], [{**index["roots"][0], "rows": 1}, index["roots"][1]]):
        _save(out, {**index, "roots": changed})
        assert [item for item in _violations(out) if "does not follow from the root before it" in item], changed
    _save(out, {**index, "roots": [{**entry, "note": "more"} for entry in index["roots"]]})
    assert all(item.startswith("corpus.json: `roots.") for item in _violations(out))


@pytest.mark.parametrize("folder", ["tokens", "ledger", "documents", "scores", "decisions"])
def test_every_changed_byte_is_found_and_its_row_group_named(corpus: Path, folder: str) -> None:
    path = sorted((corpus / folder).rglob("*.parquet"))[0]
    name = str(path.relative_to(corpus))
    size = path.stat().st_size
    for place in [*range(0, size, max(1, size // 8)), 0, size - 1]:
        _flip(path, place)
        found = _violations(corpus)
        _flip(path, place)
        assert len(found) == 1, (place, found)
        assert found[0].startswith(f"{name}: "), found
        assert "row group" in found[0] or "footer" in found[0]
    _flip(path, 4)
    assert _violations(corpus) == [f"{name}: row group 0 was changed"]


def test_the_right_row_group_is_named(corpus: Path) -> None:
    path = max((corpus / "tokens").rglob("*.parquet"), key=lambda item: pq.ParquetFile(item).num_row_groups)
    name = str(path.relative_to(corpus))
    recorded = next(item for item in _index(corpus)["files"]["tokens"] if item["path"] == name)
    ranges = parquet.row_group_ranges(pq.read_metadata(path))
    assert len(ranges) > 1
    for index, (start, end) in enumerate(ranges):
        for place in (start, (start + end) // 2, end - 1):
            _flip(path, place)
            problem = problem_of(Storage(str(corpus)), Output.from_json(recorded))
            assert problem == f"{name}: row group {index} was changed"
            _flip(path, place)


def test_a_file_is_digested_without_holding_it(tmp_path: Path) -> None:
    size = 96 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    problem = problem_of(Storage(str(tmp_path)), Output("large", size, "0" * 64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem == "large: was changed"
    assert peak < 24 << 20


def test_a_cut_a_missing_and_an_added_file_are_found(corpus: Path) -> None:
    path = corpus / LEDGER_A
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    assert _violations(corpus) == [f"{LEDGER_A}: has {len(data) - 7} bytes, recorded are {len(data)}"]
    path.write_bytes(b"")
    assert _violations(corpus) == [f"{LEDGER_A}: has 0 bytes, recorded are {len(data)}"]
    path.unlink()
    assert _violations(corpus) == [f"{LEDGER_A}: is missing"]
    path.write_bytes(data)
    for name in ("tokens/main/00999.parquet", "notes.txt", "more/deep/file", "report/extra.html"):
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_bytes(data)
        assert _violations(corpus) == [f"{name}: stands in the run folder but in no list of corpus.json"]
        (corpus / name).unlink()
    (corpus / "state/anything").write_text("what a build remembers is its own")
    assert _violations(corpus) == []


@pytest.mark.parametrize(
    ("path", "counted"), [(LEDGER_A, 8), (LEDGER_B, 40), (DOCUMENTS_A, 48), ("tokens/main/00000.parquet", 48)]
)
def test_what_is_intact_is_still_counted(corpus: Path, path: str, counted: int) -> None:
    _flip(corpus / path, 4)
    report = _audit(corpus)
    assert report.violations == [f"{path}: row group 0 was changed"]
    assert report.counts["records_in"] == counted == sum(report.counts[name] for name in VERDICTS)
    assert len(report.hints) == 1 and "lauter build" in report.hints[0]
    assert any("1 of 2 inputs" in note for note in report.notes) == path.startswith("ledger")


def test_after_the_hint_the_corpus_is_whole_again(built: Path, tmp_path: Path) -> None:
    before = (built / "out/corpus.json").read_bytes()
    path = built / "out" / LEDGER_A
    _flip(path, 4)
    build(built / "manifest.yaml", built / "out")
    assert _violations(built / "out") != [], "a build compares sizes only"
    path.unlink()
    (built / "out/corpus.json").unlink()
    build(built / "manifest.yaml", built / "out")
    assert _violations(built / "out") == []
    assert (built / "out/corpus.json").read_bytes() == before


def test_a_lying_index_is_found(corpus: Path) -> None:
    index = _index(corpus)
    index["inputs"][0]["counted"]["records"] += 1
    _save(corpus, index)
    found = _violations(corpus)
    assert f"{LEDGER_A}: 40 ledger rows for 41 records counted in a.txt" in found
    assert "49 records went in, 48 ledger rows came out" in found
    assert any("counted again" in item for item in found)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"\xff"', b"[" * 100_000, b"{}"])
def test_a_broken_index_is_a_violation(corpus: Path, data: bytes) -> None:
    (corpus / "corpus.json").write_bytes(data)
    report = _audit(corpus)
    assert report.violations and all(item.startswith("corpus.json: ") for item in report.violations)


def test_every_cut_of_the_index_is_a_violation(corpus: Path) -> None:
    data = (corpus / "corpus.json").read_bytes()
    for end in range(0, len(data) - 2, len(data) // 40):
        (corpus / "corpus.json").write_bytes(data[:end])
        assert "corpus.json: is cut or changed" in _violations(corpus)[0]


def test_every_key_of_the_index_may_be_lost_or_of_another_type_without_a_crash(corpus: Path) -> None:
    needed = {"lineage", "layout_id", "summary", "inputs", "sources", "files", "ledger_sha256", "ledger_root"}
    needed |= {"ledger_tree", "roots", "cause", "root"}
    for name in needed:
        index = _index(corpus)
        kept = index.pop(name)
        text = json.dumps(index)
        (corpus / "corpus.json").write_text(text)
        assert _violations(corpus) == [f"corpus.json: `{name}` is missing"]
        for other in (None, 7, "text", [], {}, [1], {"a": 1}):
            if type(other) is not type(kept):
                (corpus / "corpus.json").write_text(json.dumps({**index, name: other}))
                assert _violations(corpus), (name, other)
        _save(corpus, {**index, name: kept})
    for path in ("../corpus.json", "/etc/hostname", ""):
        index = _index(corpus)
        true, index["files"]["other"][0]["path"] = index["files"]["other"][0]["path"], path
        _save(corpus, index)
        assert _violations(corpus) == ["corpus.json: `files.other.0.path` is no path inside the run folder"]
        index["files"]["other"][0]["path"] = true
        _save(corpus, index)


@pytest.mark.parametrize("kind", ["documents", "scores", "decisions", "ledger"])
def test_every_input_has_exactly_one_file_of_each_kind(corpus: Path, kind: str) -> None:
    index = _index(corpus)
    lost = index["files"][kind].pop(0)
    _save(corpus, index)
    found = _violations(corpus)
    assert f"corpus.json: input source-a/a.txt has no file in the list of {kind}" in found
    assert f"{lost['path']}: stands in the run folder but in no list of corpus.json" in found
    index["files"][kind] += [lost, lost]
    _save(corpus, index)
    assert f"{lost['path']}: stands 2 times in the lists of corpus.json" in _violations(corpus)
    index["files"][kind].pop()
    del index["inputs"][0]
    _save(corpus, index)
    assert f"corpus.json: {lost['path']} is in the list of {kind}, but no input has this name" in _violations(corpus)


def test_two_inputs_of_one_name_and_an_unknown_source_are_found(corpus: Path) -> None:
    index = _index(corpus)
    index["inputs"].append(index["inputs"][0])
    index["inputs"][1]["source"] = "nobody"
    _save(corpus, index)
    found = _violations(corpus)
    assert "corpus.json: 2 inputs are named source-a/a.txt" in found
    assert "corpus.json: input source-b/b.txt is of source nobody, which it lacks" in found
    assert f"{LEDGER_B}: row group 0 has rows of another source than nobody" in found


def test_a_changed_text_is_found_under_a_true_file_digest(corpus: Path) -> None:
    _forge(corpus, DOCUMENTS_A, _set("text", 3, "another text"))
    assert _violations(corpus) == [
        f"{DOCUMENTS_A}: row group 0 has texts of another SHA-256 than its column text_sha256 says"
    ]
    digest = hashlib.sha256(b"another text").digest()
    _forge(corpus, DOCUMENTS_A, _set("text_sha256", 3, digest))
    assert _violations(corpus) == [
        f"{DOCUMENTS_A}: row group 0: another text_sha256 than row 3 of {LEDGER_A}; 1 such rows"
    ]


def test_documents_and_ledger_have_the_same_records(corpus: Path) -> None:
    for path in (DOCUMENTS_A, "scores/source-a/a.txt.parquet", "decisions/source-a/a.txt.parquet"):
        _forge(corpus, path, lambda table: table.filter(pa.array(np.arange(table.num_rows) != 5)))
    assert _violations(corpus) == [f"{DOCUMENTS_A}: lacks the document of row 5 of {LEDGER_A}; 1 such rows"]
    for path in (DOCUMENTS_A, "scores/source-a/a.txt.parquet", "decisions/source-a/a.txt.parquet"):
        _forge(corpus, path, lambda table: table.slice(0, 20))
    assert _violations(corpus) == [
        f"{DOCUMENTS_A}: lacks the document of row 5 of {LEDGER_A}; 1 such rows",
        f"{DOCUMENTS_A}: lacks the document of row 21 of {LEDGER_A}; 19 such rows",
    ]


def test_another_doc_id_another_order_and_other_scores_are_found(corpus: Path) -> None:
    _forge(corpus, DOCUMENTS_A, _set("doc_id", 2, bytes(16)))
    found = _violations(corpus)
    assert f"{DOCUMENTS_A}: row group 0: another doc_id than row 2 of {LEDGER_A}; 1 such rows" in found
    assert f"scores/source-a/a.txt.parquet: is not about the documents of row group 0 of {DOCUMENTS_A}" in found
    assert f"decisions/source-a/a.txt.parquet: is not about the documents of row group 0 of {DOCUMENTS_A}" in found
    _forge(corpus, DOCUMENTS_A, _set("row", 39, 99))
    assert any("has documents of records that" in item for item in _violations(corpus))
    _forge(corpus, DOCUMENTS_A, _set("row", 2, 1))
    assert f"{DOCUMENTS_A}: row group 0 is not in the order of the records" in _violations(corpus)
    _forge(corpus, "scores/source-a/a.txt.parquet", lambda table: table.slice(1))
    assert f"scores/source-a/a.txt.parquet: has 39 rows, {DOCUMENTS_A} has 40" in _violations(corpus)


def test_a_soft_decision_that_the_ledger_hides_or_changes_is_found(corpus: Path) -> None:
    row = pq.read_table(corpus / LEDGER_B).column("reason").to_pylist().index("too-few-words")
    for name, value in (("reason", "dull"), ("stage", "read"), ("verdict", "error")):
        before = _contents(corpus, LEDGER_B)
        _forge(corpus, LEDGER_B, _set(name, row, value))
        assert any("which is not what decisions/ says; 1 such rows" in item for item in _violations(corpus)), name
        _put_back(corpus, before)
    decisions = "decisions/source-b/b.txt.parquet"
    kept = pq.read_table(corpus / decisions).column("reason").to_pylist().index(None)
    _forge(corpus, decisions, _set("reason", kept, "too-few-words"))
    found = _violations(corpus)
    assert len(found) == 1 and "says kept (None: None), which is not what decisions/ says" in found[0]


def test_a_hard_drop_has_no_document(corpus: Path) -> None:
    row = pq.read_table(corpus / LEDGER_B).column("reason").to_pylist().index("forbidden")
    _forge(corpus, LEDGER_B, _set("text_sha256", row, bytes(32)))
    assert _violations(corpus) == [f"{DOCUMENTS_B}: lacks the document of row {row} of {LEDGER_B}; 1 such rows"]


def test_other_places_lengths_and_ids_are_found(corpus: Path) -> None:
    table = pq.read_table(corpus / LEDGER_A)
    shard = f"tokens/main/{table.column('shard')[0].as_py():05d}.parquet"
    saved = _contents(corpus, LEDGER_A)
    for name, value in (("tokens", 1), ("row", 1 << 20), ("shard", 999), ("row", None), ("stream", None)):
        _forge(corpus, LEDGER_A, _set(name, 0, value))
        found = [item for item in _violations(corpus) if "summary" not in item]
        assert found, (name, value)
        if name == "tokens":
            assert any(item.startswith(f"{shard}: row group") and "not what the ledger says" in item for item in found)
        if value == 1 << 20:
            assert f"{shard}: the ledger places 1 row behind its end" in found
        if value == 999:
            assert "the ledger places 1 row in shard 999 of main, which is not there" in found
        if value is None:
            assert f"{LEDGER_A}: row group 0: not exactly the kept rows have a {name}" in found
        _put_back(corpus, saved)
    first = pq.ParquetFile(corpus / shard).read_row_group(0)
    for change in (
        _set("doc_id", 0, bytes(16)),
        _set("length", 0, 7),
        lambda table: table.take(pa.array(np.arange(table.num_rows)[::-1])),
    ):
        before = _contents(corpus, shard)
        _forge(corpus, shard, change)
        assert any(item.startswith(f"{shard}: row group 0 ") for item in _violations(corpus))
        _put_back(corpus, before)
    assert first.num_rows > 1
    _forge(corpus, shard, lambda table: table.slice(1))
    assert any("the ledger places" in item for item in _violations(corpus))


def test_layouts_lineages_and_lists_agree(corpus: Path) -> None:
    index = _index(corpus)
    _save(corpus, {**index, "layout_id": "another"})
    found = _violations(corpus)
    assert "tokens/index.json: has another layout_id than corpus.json" in found
    assert any("was packed for another layout_id" in item for item in found)
    _save(corpus, index)
    listed = json.loads((corpus / "tokens/index.json").read_text())
    for changed, sentence in (
        ({**listed, "lineage": "another"}, "has another lineage than corpus.json"),
        ({**listed, "streams": {}}, "does not list the shards that corpus.json lists"),
        ([], "has not the form of an index"),
    ):
        _record(corpus, Storage(str(corpus)).write_json("tokens/index.json", changed))
        assert any(item.startswith("tokens/index.json") and sentence in item for item in _violations(corpus)), sentence


def test_a_table_of_other_columns_is_found(corpus: Path) -> None:
    _forge(corpus, LEDGER_A, lambda table: table.drop_columns(["verdict"]))
    assert _violations(corpus)[0].startswith(f"{LEDGER_A}: has no column `verdict`")
    _forge(corpus, DOCUMENTS_A, lambda table: table.set_column(1, "row", pc.cast(table.column("row"), pa.int64())))
    assert any(item.startswith(f"{DOCUMENTS_A}: has no column `row`") for item in _violations(corpus))


def test_an_input_that_is_gone_or_changed_is_a_note(tmp_path: Path) -> None:
    build(write_manifest(tmp_path, {"a.txt": "x\tone text", "b.txt": "y\tanother text"}), tmp_path / "out")
    (tmp_path / "a.txt").unlink()
    with (tmp_path / "b.txt").open("a") as file:
        file.write("\nmore\ttext")
    report = _audit(tmp_path / "out")
    assert report.violations == []
    assert len(report.notes) == 2


def test_no_corpus_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished corpus"):
        _audit(tmp_path)


def test_the_command_shows_root_and_hint(corpus: Path) -> None:
    root = _root(corpus)
    good = CliRunner().invoke(app, ["audit", str(corpus), "--root", root])
    assert good.exit_code == 0 and f"root {root}" in good.output and "hint" not in good.output
    for wrong in ("00", "0" * 63 + "g", ""):
        answer = CliRunner().invoke(app, ["audit", str(corpus), "--root", wrong])
        assert answer.exit_code == 2 and "--root takes 64 hex digits" in answer.output
    bad = CliRunner().invoke(app, ["audit", str(corpus), "--root", "0" * 64, "--json"])
    data = json.loads(bad.stdout)
    assert bad.exit_code == 3 and not data["ok"] and data["root"] == root
    assert data["hint"].startswith("ask for the present root") and "delete" not in data["hint"]
    both = CliRunner().invoke(app, ["audit", str(corpus), "--root", f" {root.upper()} "])
    assert both.exit_code == 0
    (corpus / DOCUMENTS_A).write_bytes(b"x")
    both = CliRunner().invoke(app, ["audit", str(corpus), "--root", "0" * 64])
    assert both.exit_code == 3 and both.output.count("hint: ") == 2 and "delete" in both.output
    (corpus / "corpus.json").write_bytes(b"{")
    cut = CliRunner().invoke(app, ["audit", str(corpus)])
    assert cut.exit_code == 3 and cut.output.count("hint: ") == 1
    (corpus / "corpus.json").unlink()
    assert CliRunner().invoke(app, ["audit", str(corpus)]).exit_code == 2
