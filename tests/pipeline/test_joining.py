"""Copies from signatures to the ledger, beside a plain reading of the rule."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline import exchange
from lauter.pipeline.audit import audit
from lauter.pipeline.build import BuildOutcome
from lauter.pipeline.identity import native_id
from lauter.pipeline.resolve import load
from lauter.pipeline.steps.joining.giants import documents_of_components
from lauter.pipeline.steps.layouts import ITEMS, KEPT, KEYS
from lauter.pipeline.storage import Storage
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline import small_run
from tests.pipeline.similar_stage import CATALOGUE, number, similar, words_of
from tests.pipeline.small_run import digests, ledger, write_manifest

Names = dict[tuple[str, str], str]
"""(source, name) -> text."""


def _build(folder: Path, files: dict[str, str], ranges: int = 1, **config: object) -> BuildOutcome:
    folder.mkdir(exist_ok=True)
    stages: list[object] = ["words", {"similar": config}]
    manifest = write_manifest(folder, files, stages, ranges=ranges)
    return small_run.build(manifest, folder / "out", catalogue=CATALOGUE)


def _ends(out: Path) -> dict[tuple[str, str], tuple[str, str | None, bytes | None]]:
    """(source, name) -> verdict, reason, doc_id of what it is a copy of."""
    return {
        (str(row["source"]), str(row["url"]).removeprefix("https://").removesuffix(".example/")): (
            str(row["verdict"]),
            row["reason"] and str(row["reason"]),
            row["duplicate_of"],  # type: ignore[misc]
        )
        for row in ledger(out)
    }


def _plainly(texts: Names, *, graph: bool = True) -> dict[tuple[str, str], tuple[str, str | None, bytes | None]]:
    """The rule, read aloud: in order of preference a document is kept unless it is a copy of one that is.

    Without a graph: unless it is a copy of any that came before it.
    """
    order = sorted(texts, key=lambda name: (name[0], native_id(*name)))
    ends: dict[tuple[str, str], tuple[str, str | None, bytes | None]] = {}
    kept: list[tuple[str, str]] = []
    for name in order:
        words = set(words_of(texts[name]))
        met = [] if "alone" in words else [other for other in kept if "alone" not in words_of(texts[other])]
        same = [other for other in met if set(words_of(texts[other])) == words]
        url = [other for other in met if other[1] == name[1]]
        numbers = {number(word) for word in words}
        near = [
            other
            for other in met
            if numbers & (theirs := {number(word) for word in words_of(texts[other])}) and similar(numbers, theirs)
        ]
        for found, reason in ((same, "near-duplicate"), (url, "same-url"), (near, "near-duplicate")):
            if found:
                exact = texts[found[0]] == texts[name]
                ends[name] = ("duplicate", "exact-duplicate" if exact else reason, native_id(*found[0]))
                if not graph:
                    kept.append(name)
                break
        else:
            kept.append(name)
            ends[name] = ("kept", None, None)
    return ends


def _texts(seed: int, documents: int) -> Names:
    drawn = random.Random(seed)
    vocabulary = [f"w{letter}" for letter in "abcdefgh"]
    return {
        (f"source-{drawn.choice('ab')}", f"n{drawn.randrange(documents)}"): " ".join(
            drawn.sample(vocabulary, drawn.randint(1, 6)) + (["alone"] if drawn.random() < 0.1 else [])
        )
        for _ in range(documents)
    }


def _files(texts: Names, cuts: int, seed: int) -> dict[str, str]:
    """The documents of each source in any order, in some files."""
    drawn = random.Random(seed)
    names = sorted(texts)
    drawn.shuffle(names)
    files: dict[str, list[str]] = {}
    for source, name in names:
        file = f"{source[-1]}{drawn.randrange(cuts)}.txt"
        files.setdefault(file, []).append(f"{name}\t{texts[source, name]}")
    return {file: "\n".join(lines) for file, lines in files.items()}


def test_without_a_graph_a_copy_that_comes_before_is_enough(tmp_path: Path) -> None:
    texts = _texts(5, 40)
    wanted = _plainly(texts, graph=False)
    assert wanted != _plainly(texts)
    for run, (cuts, ranges) in enumerate(((1, 1), (2, 3))):
        folder = tmp_path / f"{run}"
        outcome = _build(folder, _files(texts, cuts, run), ranges, method="smaller-neighbour")
        assert outcome.report.failures == []
        found = _ends(folder / "out")
        assert {name: end[:2] for name, end in found.items()} == {name: end[:2] for name, end in wanted.items()}
        assert not (folder / "out/state/unite").exists()
        assert audit(Storage(str(folder / "out")), CATALOGUE).violations == []
        assert outcome.corpus["clusters"]["removed"] == sum(end[0] == "duplicate" for end in wanted.values())


@pytest.mark.parametrize("seed", range(2))
def test_the_kept_are_those_of_the_rule_in_any_order_and_split(tmp_path: Path, seed: int) -> None:
    texts = _texts(seed, 40)
    wanted = _plainly(texts)
    assert len({reason for _, reason, _ in wanted.values()}) > 2
    for run, (cuts, ranges) in enumerate(((1, 1), (3, 3))):
        folder = tmp_path / f"{run}"
        outcome = _build(folder, _files(texts, cuts, seed + run), ranges)
        assert outcome.report.failures == []
        found = _ends(folder / "out")
        # Of several documents that are kept and as good a reason, which one is named may differ; whether, may not.
        assert {name: end[:1] for name, end in found.items()} == {name: end[:1] for name, end in wanted.items()}
        assert {name: end[1] for name, end in found.items()} == {name: end[1] for name, end in wanted.items()}
        kept = {native_id(*name) for name, end in found.items() if end[0] == "kept"}
        assert all(of in kept for _, _, of in found.values() if of is not None)
        assert audit(Storage(str(folder / "out")), CATALOGUE).violations == []
        _check_counts(folder / "out", outcome, found)


def _check_counts(out: Path, outcome: BuildOutcome, found: dict[Any, Any]) -> None:
    copies: Counter[bytes] = Counter(of for _, _, of in found.values() if of is not None)
    stands = {
        (path.relative_to(out / "state/kept").as_posix(), row["row"]): row["copies"]
        for path in sorted((out / "state/kept").rglob("*.arrow"))
        for batch in exchange.messages(Storage(str(out)), path.relative_to(out).as_posix(), KEPT)
        for row in batch.to_pylist()
    }
    assert sorted(stands.values()) == sorted(
        1 + copies[native_id(*name)] for name, end in found.items() if end[0] == "kept"
    )
    clusters = outcome.corpus["clusters"]
    assert clusters["removed"] == sum(copies.values())
    assert clusters["survivors"] == len(found)
    assert clusters["compared_by_text"] > 0
    assert sum(clusters["log2_sizes"]) == clusters["clusters"]


def test_a_chain_carries_nothing_away(tmp_path: Path) -> None:
    """Each is a copy of the next: what is no copy of a kept one stays."""
    chain = {f"n{i}": " ".join(f"w{j}" for j in range(i, i + 4)) for i in range(6)}
    files = {"a.txt": "\n".join(f"{name}\t{text}" for name, text in chain.items())}
    _build(tmp_path / "run", files)
    found = _ends(tmp_path / "run/out")
    wanted = _plainly({("source-a", name): text for name, text in chain.items()})
    assert {name: end[0] for name, end in found.items()} == {name: end[0] for name, end in wanted.items()}
    kept = [name for (_, name), end in found.items() if end[0] == "kept"]
    assert len(kept) >= 2
    for one, other in itertools.combinations(kept, 2):
        assert not similar({number(w) for w in chain[one].split()}, {number(w) for w in chain[other].split()})


def test_what_a_dropped_hub_has_left_open_is_compared_again(tmp_path: Path) -> None:
    texts = {f"n{i}": f"one two three four five six seven eight x{i}" for i in range(9)}
    by_item = sorted(texts, key=lambda name: number(" ".join(words_of(texts[name]))))
    # The hub of every bucket is its smallest item: the document that is preferred is another one.
    files = {"a.txt": f"first\t{texts[by_item[4]]} more", "b.txt": "\n".join(f"{n}\t{t}" for n, t in texts.items())}
    outcome = _build(tmp_path / "run", files, ranges=3, hubs=True)
    found = _ends(tmp_path / "run/out")
    assert {end[2] for end in found.values() if end[0] == "duplicate"} == {native_id("source-a", "first")}
    assert [name for name, end in found.items() if end[0] == "kept"] == [("source-a", "first")]
    assert outcome.corpus["clusters"]["largest"][0] == {
        "documents": 10,
        "doc_id": native_id("source-a", "first").hex(),
        "url": "https://first.example/",
    }


def test_another_preference_signs_nothing_again(tmp_path: Path) -> None:
    files = {"a.txt": "n1\tone two three", "b.txt": "n2\tone two three four five"}
    _build(tmp_path / "run", files)
    assert _ends(tmp_path / "run/out")["source-a", "n1"][0] == "kept"
    state = tmp_path / "run/out/state"
    done = {path: path.stat().st_mtime_ns for path in state.rglob("*.json")}
    _build(tmp_path / "run", files, prefer="longest")
    changed = {
        path.relative_to(state).parts[0] for path, at in done.items() if path.exists() and path.stat().st_mtime_ns != at
    }
    assert "choose" in changed and changed.isdisjoint({"sign", "meet", "judge", "compare", "members"})
    assert _ends(tmp_path / "run/out")["source-b", "n2"][0] == "kept"


def test_the_longest_of_copies_is_known_where_no_stage_has_counted(tmp_path: Path) -> None:
    files = {"a.txt": "n1\tone two three\nn3\tother text", "b.txt": "n2\tone two three four five"}
    manifest = write_manifest(tmp_path, files, [{"similar": {"prefer": "longest"}}])
    assert small_run.build(manifest, tmp_path / "out", catalogue=CATALOGUE).report.failures == []
    assert {name: end[0] for name, end in _ends(tmp_path / "out").items()} == {
        ("source-a", "n1"): "duplicate",
        ("source-a", "n3"): "kept",
        ("source-b", "n2"): "kept",
    }


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"removed": (0.0, 0.4)}, "50.00% of 4 documents are copies, and 0.00% to 40.00% may be"),
        ({"removed": (0.6, 1.0)}, "50.00% of 4 documents are copies, and 60.00% to 100.00% may be"),
    ],
    ids=["too many", "too few"],
)
def test_too_many_copies_stop_the_build_before_anything_is_encoded(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    files = {"a.txt": "n1\tone two three\nn2\tone two three\nn3\tone two three\nn4\tquite another text"}
    outcome = _build(tmp_path / "run", files, **config)
    (failure,) = outcome.report.failures
    assert failure.name == "limits/all" and said in failure.error
    assert failure.error.startswith("stage similar: ") and "\n" not in failure.error
    assert ".example/" in failure.error
    assert not (tmp_path / "run/out/state/encode").exists()


@pytest.mark.parametrize("method", ["components", "smaller-neighbour"])
@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        ({"largest_cluster": 0.5}, "largest_cluster: 50.00% of them"),
        ({"largest_cluster_documents": 2}, "largest_cluster_documents: 2"),
    ],
    ids=["share", "documents"],
)
def test_a_giant_component_stops_the_build_before_its_documents_are_held(
    tmp_path: Path, method: str, config: dict[str, Any], allowed: str
) -> None:
    files = {"a.txt": "n1\tone two three\nn2\tone two three\nn3\tone two three\nn4\tquite another text"}
    outcome = _build(tmp_path / "run", files, ranges=3, method=method, **config)
    (failure,) = outcome.report.failures
    assert failure.name.startswith("sizes/") and failure.error.startswith("stage similar: one connected group")
    assert "holds 3 of the 4 documents that are compared (75.00%)" in failure.error
    assert f"the manifest allows {allowed}. One of them is https://n1.example/" in failure.error
    assert not (tmp_path / "run/out/state" / failure.name).with_suffix(".json").exists()
    assert not (tmp_path / "run/out/state/decide").exists()
    wider = {name: value + 1 for name, value in config.items() if name != "largest_cluster"}
    assert _build(tmp_path / "run", files, ranges=3, method=method, **wider).report.failures == []


@given(st.lists(st.lists(st.integers(0, 9), max_size=20), max_size=9), st.integers(1, 30))
def test_documents_of_components_are_counted_however_they_come(batches: list[list[int]], merged: int) -> None:
    columns = [np.array(batch, np.uint64) for batch in batches]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lauter.pipeline.steps.joining.giants.MERGED", merged)
        component, documents = documents_of_components(columns)
    assert dict(zip(component.tolist(), documents.tolist(), strict=True)) == Counter(itertools.chain(*batches))
    assert component.tolist() == sorted(component.tolist())


def test_preferences_are_checked_before_any_work(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.txt": ""}, ["boom", {"similar": {"prefer": "longest"}}])
    load(str(manifest), CATALOGUE)
    import tests.pipeline.similar_stage as stage
    from lauter.pipeline.comparing import Preference

    class Odd(stage.Similar):
        @classmethod
        def prefers(cls, config: stage.SimilarConfig) -> tuple[Preference, ...]:
            return (Preference("wurds", "ascending"),)

    stage.Odd = Odd  # type: ignore[attr-defined]
    data = yaml.safe_load(manifest.read_text())
    data["stages"] = ["words", {"use": "tests.pipeline.similar_stage:Odd"}]
    manifest.write_text(yaml.safe_dump(data))
    with pytest.raises(ManifestError, match=r"prefers by column 'wurds', which no earlier stage writes.*'words'"):
        load(str(manifest), CATALOGUE)


OLD = {"a.txt": "n1\tone two three four\nn2\tquite another text here\nn3\tforbidden words\nn4\tone two three four"}
NEW = {"a.txt": "m1\tone two three four five\nm2\tnothing like it\nm3\tforbidden words\nm4\tquite another text here"}


def test_what_an_older_corpus_kept_is_kept_before_all_else(tmp_path: Path) -> None:
    _build(tmp_path / "old", OLD)
    old = _ends(tmp_path / "old/out")
    (stands,) = [name for name in (("source-a", "n1"), ("source-a", "n4")) if old[name][0] == "kept"]
    outcome = _build(tmp_path / "new", NEW, ranges=3, against=["../old/out"])
    assert outcome.report.failures == []
    found = _ends(tmp_path / "new/out")
    assert found["source-a", "m1"] == ("duplicate", "near-duplicate", native_id(*stands))
    assert found["source-a", "m4"] == ("duplicate", "exact-duplicate", native_id("source-a", "n2"))
    assert found["source-a", "m2"][0] == "kept" and found["source-a", "m3"][0] == "dropped"
    assert audit(Storage(str(tmp_path / "new/out")), CATALOGUE).violations == []
    before = digests(tmp_path / "new/out")
    again = small_run.build(tmp_path / "new/manifest.yaml", tmp_path / "new/out", catalogue=CATALOGUE)
    assert again.report.executed == 0
    assert digests(tmp_path / "new/out") == before


@pytest.mark.parametrize("method", ["components", "smaller-neighbour"])
def test_clusters_of_older_documents_alone_are_not_counted(tmp_path: Path, method: str) -> None:
    for name in ("old", "older"):
        _build(tmp_path / name, {"a.txt": f"{name}1\tan old pair\n{name}2\tquite another text here"})
    new = {"a.txt": "m1\tone two three\nm2\tone two three\nm3\tquite another text here"}
    outcome = _build(tmp_path / "new", new, ranges=3, method=method, against=["../old/out", "../older/out"])
    assert outcome.report.failures == []
    clusters = outcome.corpus["clusters"]
    assert [clusters[name] for name in ("clusters", "clustered", "log2_sizes")] == [2, 5, [0, 1, 1]]


def test_signatures_of_other_settings_are_refused(tmp_path: Path) -> None:
    _build(tmp_path / "old", OLD, hubs=True)
    with pytest.raises(ManifestError, match=r"out was signed otherwise: `hubs` is True there and False here"):
        _build(tmp_path / "new", NEW, against=["../old/out"])
    with pytest.raises(ManifestError, match=r"'\.\./nowhere' holds no finished corpus"):
        _build(tmp_path / "new", NEW, against=["../nowhere"])


def test_copies_of_a_dropped_record_are_judged_by_sketches(tmp_path: Path) -> None:
    texts = {
        "n1": "one two three four",
        "n2": "one two three four five",
        # Meets the record and is twice as long; a copy of `n2`.
        "n3": "one two three four five six seven eight nine ten",
        # Meets no record; a copy of `n3`, and its sketch leaves the record open.
        "n4": "six seven eight nine ten",
        "n5": "quite another text here",
    }
    (tmp_path / "blocked.list").write_text("https://n1.example/")
    stages: list[object] = [{"reserved": {"blocked": "blocked.list", "mirrors": "drop"}}, "counted", "similar"]
    files = {"a.txt": "\n".join(f"{name}\t{text}" for name, text in texts.items())}
    outcome = small_run.build(write_manifest(tmp_path, files, stages, ranges=3), tmp_path / "out", catalogue=CATALOGUE)
    found = {name: end[:2] for (_, name), end in _ends(tmp_path / "out").items()}
    copied = ("dropped", "mirror-of-opted-out")
    assert found == {
        "n1": ("dropped", "blocked"),
        "n2": copied,
        "n3": ("kept", None),
        "n4": copied,
        "n5": ("kept", None),
    }
    assert outcome.corpus["mirrors"]["found"] == 2
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []


def test_signatures_are_published(tmp_path: Path) -> None:
    outcome = _build(tmp_path / "run", {"a.txt": "n1\tone two\nn2\talone here\nn3\tone two"})
    names = [item["path"] for item in outcome.corpus["files"]["signatures"]]
    assert names == ["signatures/keys/source-a/a.txt.arrow", "signatures/items/source-a/a.txt.arrow"]
    storage = Storage(str(tmp_path / "run/out"))
    items = [row for batch in exchange.messages(storage, names[1], ITEMS) for row in batch.to_pylist()]
    assert sorted((row["item"], row["row"]) for row in items) == [(number("one two"), 0), (number("one two"), 2)]
    keys = [row for batch in exchange.messages(storage, names[0], KEYS) for row in batch.to_pylist()]
    near = sorted(row["key"] for row in keys if not row["key"] & 1)
    assert near == sorted(number(word) & ~1 for word in ("one", "two"))
    assert len([row for row in keys if row["key"] & 1]) == 2
    hashes = pq.read_table(tmp_path / "run/out/documents/source-a/a.txt.parquet").column("payload_hash")
    assert hashes.null_count == 3
