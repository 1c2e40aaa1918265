"""Copies of records that a stage dropped: found through the keys of all, dropped or only named."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import parquet
from lauter.pipeline.audit import audit
from lauter.pipeline.identity import native_id
from lauter.pipeline.storage import Storage
from tests.pipeline.counting_stage import SEEN
from tests.pipeline.mirror_stage import CATALOGUE
from tests.pipeline.small_run import build, digests, ledger, write_manifest

FILES = {
    # `n1`, `n2` and `n9` may not be used. `n4` and `n6` are copies of `n1`, `n5` of `n9`, and too short anyhow.
    "a.txt": "n1\tthe same text\nn2\tNobody has this one\nn3\tquite another text\nn4\tThe same text copy",
    "b.txt": "n5\tshort\nn6\tthe same text copy again\nn7\tmore of it\nn8\tmore of it\nn9\tshort\nn4\tx y",
}
BLOCKED = ("n1", "n2", "n9")


def _stages(policy: str | None, name: str = "reserved") -> list[object]:
    first: object = {"origins": {"blocked": "blocked.list"}}
    if policy is not None:
        first = {name: {"blocked": "blocked.list", "mirrors": policy}}
    return [first, "counted", {"length": {"min_words": 2}}, "same-text"]


def _manifest(folder: Path, policy: str | None, blocked: tuple[str, ...] = BLOCKED) -> Path:
    (folder / "blocked.list").write_text("\n".join(f"https://{name}.example/" for name in blocked))
    return write_manifest(folder, FILES, _stages(policy))


def _by_name(out: Path) -> dict[str, dict[str, Any]]:
    """Ledger rows by name; of a name that stands twice the first."""
    found: dict[str, dict[str, Any]] = {}
    for row in ledger(out):
        found.setdefault(str(row["url"]).removeprefix("https://").removesuffix(".example/"), row)
    return found


def _mirror_of(out: Path) -> list[bytes | None]:
    found: list[bytes | None] = []
    for path in sorted((out / "decisions").rglob("*.parquet")):
        found += pq.read_table(path).column("mirror_of").to_pylist()
    return found


def _clean(out: Path) -> bool:
    return audit(Storage(str(out)), CATALOGUE).violations == []


def test_copies_are_dropped_and_say_of_what(tmp_path: Path) -> None:
    outcome = build(_manifest(tmp_path, "drop"), tmp_path / "out", catalogue=CATALOGUE)
    rows = _by_name(tmp_path / "out")
    ends = {name: (row["verdict"], row["stage"], row["reason"]) for name, row in rows.items()}
    copied = ("dropped", "reserved", "mirror-of-opted-out")
    assert ends == {
        "n1": ("dropped", "reserved", "blocked"),
        "n2": ("dropped", "reserved", "blocked"),
        "n3": ("kept", None, None),
        "n4": copied,
        "n5": ("dropped", "length", "too-few-words"),
        "n6": copied,
        "n7": ends["n7"],
        "n8": ends["n8"],
        "n9": ("dropped", "reserved", "blocked"),
    }
    assert {ends["n7"][0], ends["n8"][0]} == {"kept", "duplicate"}
    for name in ("n4", "n6"):
        assert rows[name]["duplicate_of"] == rows["n1"]["doc_id"] == native_id("source-a", "n1")
        assert rows[name]["rule"] == {"agent": None, "signal": "mirror", "line": None, "text": "https://n1.example/"}
    assert outcome.corpus["mirrors"] == {
        "found": 2,
        "dropped": 2,
        "opted_out_signed": 3,
        "sources": {"source-a": 1, "source-b": 1},
    }
    assert outcome.corpus["clusters"]["clusters"] == 2
    assert _clean(tmp_path / "out")


def test_kept_copies_change_nothing_and_are_named(tmp_path: Path) -> None:
    build(_manifest(tmp_path, None), tmp_path / "without", catalogue=CATALOGUE)
    outcome = build(_manifest(tmp_path, "keep"), tmp_path / "out", catalogue=CATALOGUE)
    assert outcome.corpus["mirrors"] | {"sources": None} == {
        "found": 2,
        "dropped": 0,
        "opted_out_signed": 3,
        "sources": None,
    }
    one, other = digests(tmp_path / "without"), digests(tmp_path / "out")
    same = ("documents", "scores", "tokens")
    assert {k: v for k, v in one.items() if k.startswith(same)} == {
        k: v for k, v in other.items() if k.startswith(same)
    }
    names = {"origins": "reserved"}
    told = [{**row, "stage": names.get(str(row["stage"]), row["stage"])} for row in ledger(tmp_path / "without")]
    assert told == ledger(tmp_path / "out")
    first, last = native_id("source-a", "n1"), native_id("source-b", "n9")
    # Of a.txt: n3 and n4; of b.txt: n5 (a copy of n9), n6, n7, n8 and n4 again.
    assert _mirror_of(tmp_path / "out") == [None, first, last, first, None, None, None]
    assert _mirror_of(tmp_path / "without") == [None] * 7
    assert build(_manifest(tmp_path, None), tmp_path / "without", catalogue=CATALOGUE).corpus["mirrors"] is None
    assert _clean(tmp_path / "out")


def test_another_policy_decides_again_and_reads_nothing(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, "keep")
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    state = tmp_path / "out/state"
    done = {path: path.stat().st_mtime_ns for path in state.rglob("*.json")}
    SEEN.clear()
    manifest.write_text(manifest.read_text().replace("mirrors: keep", "mirrors: drop"))
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    assert not SEEN
    changed = [path for path, at in done.items() if path.exists() and path.stat().st_mtime_ns != at]
    again = {path.relative_to(state).parts[0] for path in changed}
    assert "decide" in again
    assert again.isdisjoint({"prepare", "documents", "sign", "meet", "members", "mirrors", "mirror-meet", "mirrored"})
    build(manifest, tmp_path / "fresh", catalogue=CATALOGUE)
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def test_only_what_was_dropped_is_extracted_again(tmp_path: Path) -> None:
    SEEN.clear()
    build(_manifest(tmp_path, "drop"), tmp_path / "out", catalogue=CATALOGUE)
    # 7 documents, and 3 records that are signed.
    assert SEEN["counted"] == 10


@pytest.mark.parametrize(("reader", "read"), [("Ranged", 10 + 3), ("Shared", 10 + 7 + 10)])
def test_records_are_taken_out_of_their_file_where_they_can_be(tmp_path: Path, reader: str, read: int) -> None:
    """Of the ten records three are opted out, in both files; a shared range holds more, so the whole is read."""
    cut = dataclasses.replace(CATALOGUE, readers={"lines": f"tests.pipeline.mirror_stage:{reader}Reader"})
    build(_manifest(tmp_path, "drop"), tmp_path / "whole", catalogue=CATALOGUE)
    SEEN.clear()
    build(_manifest(tmp_path, "drop"), tmp_path / "out", catalogue=cut)
    assert SEEN["read"] == read
    kinds = ("state/mirror-keys", "state/mirror-items", "state/mirrors", "tokens", "decisions")
    one, other = (
        {
            str(path.relative_to(out)): path.read_bytes()
            for kind in kinds
            for path in (out / kind).rglob("*")
            if path.suffix in (".arrow", ".parquet")
        }
        for out in (tmp_path / "whole", tmp_path / "out")
    )
    assert one == other
    assert any(name.startswith("state/mirror-items") for name in one)


def test_what_was_signed_before_is_not_signed_again(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, "drop")
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    (tmp_path / "blocked.list").write_text("\n".join(f"https://{name}.example/" for name in ("n1", "n3", "n9")))
    SEEN.clear()
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    # `n2` becomes a document, `n3` is signed.
    assert SEEN["counted"] == 2
    build(manifest, tmp_path / "fresh", catalogue=CATALOGUE)
    made = [
        {str(path.relative_to(out)): path.read_bytes() for path in sorted((out / "state").rglob("*.arrow"))}
        for out in (tmp_path / "out", tmp_path / "fresh")
    ]
    assert made[0] == made[1]
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def test_text_of_a_signed_record_is_nowhere(tmp_path: Path) -> None:
    build(_manifest(tmp_path, "drop"), tmp_path / "out", catalogue=CATALOGUE)
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix == ".parquet":
            assert "nobody has this one" not in str(pq.read_table(path).to_pylist()).lower(), path
        elif path.is_file():
            assert b"nobody has this one" not in path.read_bytes().lower(), path


def test_nothing_dropped_is_nothing_to_sign(tmp_path: Path) -> None:
    outcome = build(_manifest(tmp_path, "drop", ()), tmp_path / "out", catalogue=CATALOGUE)
    assert outcome.corpus["mirrors"] == {"found": 0, "dropped": 0, "opted_out_signed": 0, "sources": {}}
    assert _clean(tmp_path / "out")


def test_of_two_stages_the_one_that_drops_decides(tmp_path: Path) -> None:
    """`n1` is the first record of its text and only to be named; `n2` has the same text and drops."""
    (tmp_path / "named.list").write_text("https://n1.example/")
    (tmp_path / "dropped.list").write_text("https://n2.example/")
    stages: list[object] = [
        {"reserved": {"blocked": "named.list", "mirrors": "keep"}},
        {"claimed": {"blocked": "dropped.list", "mirrors": "drop"}},
        "counted",
        "same-text",
    ]
    files = {"a.txt": "n1\tone text here\nn2\tone text here\nn3\tone text here\nn4\tanother text"}
    build(write_manifest(tmp_path, files, stages), tmp_path / "out", catalogue=CATALOGUE)
    row = _by_name(tmp_path / "out")["n3"]
    assert (row["stage"], row["reason"]) == ("claimed", "mirror-of-opted-out")
    assert row["duplicate_of"] == native_id("source-a", "n2")
    assert _clean(tmp_path / "out")


TEXTS = [
    "alpha beta",
    "gamma delta",
    "alpha beta copy",
    "beta",
    "forbidden fruit here",
    "eta theta",
    "eta theta copy x",
]
NAMES = [f"n{i}" for i in range(14)]


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    texts=st.lists(st.sampled_from(TEXTS), min_size=14, max_size=14),
    blocked=st.sets(st.sampled_from(NAMES)),
    policy=st.sampled_from(["keep", "drop"]),
)
def test_every_copy_is_found_and_nothing_else(texts: list[str], blocked: set[str], policy: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "blocked.list").write_text("\n".join(f"https://{name}.example/" for name in sorted(blocked)))
        lines = [f"{name}\t{text}" for name, text in zip(NAMES, texts, strict=True)]
        files = {"a.txt": "\n".join(lines[:7]), "b.txt": "\n".join(lines[7:])}
        outcome = build(write_manifest(folder, files, _stages(policy)), folder / "out", catalogue=CATALOGUE)
        rows = _by_name(folder / "out")
        core = {name: text.split(" copy")[0] for name, text in zip(NAMES, texts, strict=True)}
        signed = [name for name in NAMES if name in blocked and "forbidden" not in core[name]]
        first = {core[name]: name for name in reversed(signed)}
        wanted = {
            name: first[core[name]]
            for name in NAMES
            if name not in blocked and core[name] in first and len(core[name].split()) > 1
        }
        found = {name: row for name, row in rows.items() if row["reason"] == "mirror-of-opted-out"}
        assert outcome.corpus["mirrors"]["found"] == len(wanted)
        assert outcome.corpus["mirrors"]["dropped"] == len(found)
        assert outcome.corpus["mirrors"]["opted_out_signed"] == len(signed)
        if policy == "drop":
            assert {name: row["duplicate_of"] for name, row in found.items()} == {
                name: rows[of]["doc_id"] for name, of in wanted.items()
            }
        else:
            assert not found
        kept = Counter(core[name] for name, row in rows.items() if row["verdict"] == "kept")
        assert not kept or max(kept.values()) == 1
        assert _clean(folder / "out")


def _forge(out: Path, path: str, column: str, row: int, value: object) -> list[str]:
    """Change one value and record the file as if it had been built so; what the audit finds."""
    table = pq.read_table(out / path)
    field = table.schema.field(column)
    values = table.column(column).to_pylist()
    values[row] = value
    with parquet.writer(out / path, table.schema) as writer:
        at = table.schema.get_field_index(column)
        writer.write_table(table.set_column(at, field, pa.array(values, field.type)))
    output = parquet.describe(out / path, path).to_json()
    corpus = json.loads((out / "corpus.json").read_text())
    for kind, items in corpus["files"].items():
        corpus["files"][kind] = [output if item["path"] == path else item for item in items]
    (out / "corpus.json").write_text(json.dumps(corpus))
    return audit(Storage(str(out)), CATALOGUE).violations


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forged")
    build(_manifest(folder, "drop"), folder / "out", catalogue=CATALOGUE)
    return folder / "out"


LEDGER, DECISIONS = "ledger/source-a/a.txt.parquet", "decisions/source-a/a.txt.parquet"


@pytest.mark.parametrize(
    ("path", "column", "row", "value", "sentence"),
    [
        (LEDGER, "duplicate_of", 3, None, "which is not what decisions/ says"),
        (LEDGER, "duplicate_of", 3, bytes(16), "which is not what decisions/ says"),
        (LEDGER, "verdict", 3, "kept", "which is not what decisions/ says"),
        (LEDGER, "verdict", 0, "kept", "copies name 1 record which no ledger part has as dropped"),
        (DECISIONS, "mirror_of", 1, bytes(16), "copies name 1 record which no ledger part has as dropped"),
        (DECISIONS, "mirror_of", 1, None, "corpus.json: 2 copies of dropped records were found"),
        (DECISIONS, "reason", 1, None, "corpus.json: 2 copies of dropped records were dropped"),
        (DECISIONS, "mirror_of", 0, native_id("source-a", "n1"), "corpus.json: 2 copies of dropped records were found"),
    ],
    ids=["unnamed", "misnamed", "kept", "record kept", "no record", "unmarked", "undecided", "marked"],
)
def test_a_forged_copy_is_found(
    built: Path, tmp_path: Path, path: str, column: str, row: int, value: object, sentence: str
) -> None:
    shutil.copytree(built, tmp_path / "out")
    found = _forge(tmp_path / "out", path, column, row, value)
    assert any(sentence in violation for violation in found), found


def test_counts_that_the_policy_denies_are_found(tmp_path: Path) -> None:
    build(_manifest(tmp_path, "keep"), tmp_path / "out", catalogue=CATALOGUE)
    lock = tmp_path / "out/manifest.lock.yaml"
    lock.write_text(lock.read_text().replace("mirrors: keep", "mirrors: drop"))
    corpus = json.loads((tmp_path / "out/corpus.json").read_text())
    for item in corpus["files"]["other"]:
        if item["path"] == lock.name:
            item |= {"size": lock.stat().st_size, "sha256": hashlib.sha256(lock.read_bytes()).hexdigest()}
    (tmp_path / "out/corpus.json").write_text(json.dumps(corpus))
    found = audit(Storage(str(tmp_path / "out")), CATALOGUE).violations
    assert any("2 copies were found and 0 dropped" in violation for violation in found), found
