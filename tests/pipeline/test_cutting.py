"""Repeated passages through a whole build: what stays, what is cut, and what ledger, report, audit and takedown say."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xxhash

from lauter.pipeline.audit import audit
from lauter.pipeline.explain import explain
from lauter.pipeline.identity import native_id
from lauter.pipeline.resolve import load
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.cutting_stage import CATALOGUE, PLACEHOLDER
from tests.pipeline.small_run import build, digests, ledger, tokens, write_manifest

SEED = 7
PASSAGES: dict[str, object] = {"unit": "sentence", "min_words": 2, "min_left": 0}


def stages(*, barrier: bool = True, **parameters: object) -> list[object]:
    before = ["words", "marks", *(["same-text"] if barrier else [])]
    return [*before, {"passages": {**PASSAGES, **parameters}}]


def pages(count: int, seed: int) -> dict[str, list[str]]:
    """Name -> sentences, drawn from few, so that most stand more than once, some in one page."""
    drawn = random.Random(seed)
    pool = [f"the größe of thing {chr(97 + number)} is 世界 {chr(97 + number)}." for number in range(20)]
    return {
        f"n{page}": [
            *(drawn.choice(pool) for _ in range(drawn.randint(1, 6))),
            *([f"only page {'x' * (page + 1)} says this."] if drawn.random() < 0.7 else []),
        ]
        for page in range(count)
    }


def expected(texts: Mapping[str, list[str]], keep: int) -> dict[str, str]:
    """Name -> what is left of its text: the rule once more, with sets of strings."""
    ids = {name: native_id("source-a", name) for name in texts}
    seen: Counter[str] = Counter()
    left = {}
    for name in sorted(texts, key=lambda name: xxhash.xxh3_64_intdigest(ids[name], SEED)):
        stays = []
        for sentence in texts[name]:
            seen[sentence] += 1
            if seen[sentence] <= keep:
                stays.append(sentence)
        left[name] = " ".join(stays)
    return left


def small(folder: Path, files: Mapping[str, str], named: list[object]) -> Path:
    return write_manifest(folder, files, named, tokens_per_shard=2000)


def lines(texts: Mapping[str, list[str]]) -> str:
    return "\n".join(f"{name}\t{' '.join(sentences)}" for name, sentences in texts.items())


def texts_of(out: Path) -> dict[bytes, str]:
    """doc_id -> the text that its tokens stand for."""
    return {
        row["doc_id"]: bytes(item for item in row["tokens"] if item < 256).decode()  # type: ignore[attr-defined, misc]
        for row in tokens(out)
    }


def cuts_of(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted((out / "cuts").rglob("*.parquet")):
        found += [
            {name: value for name, value in row.items() if name != "row"} for row in pq.read_table(path).to_pylist()
        ]
    return sorted(found, key=lambda row: (row["doc_id"], row["start"]))


def clean(out: Path) -> bool:
    return audit(Storage(str(out)), CATALOGUE).violations == []


@pytest.mark.parametrize("keep", [1, 3])
def test_the_first_occurrences_in_reading_order_stay(tmp_path: Path, keep: int) -> None:
    texts = pages(40, keep)
    outcome = build(
        small(tmp_path, {"a.txt": lines(texts)}, stages(barrier=False, keep=keep)),
        tmp_path / "out",
        catalogue=CATALOGUE,
    )
    left = {native_id("source-a", name): text for name, text in expected(texts, keep).items()}
    assert texts_of(tmp_path / "out") == {doc_id: text for doc_id, text in left.items() if text}
    ends = {row["doc_id"]: (row["verdict"], row["stage"], row["reason"]) for row in ledger(tmp_path / "out")}
    emptied = ("dropped", "passages", "only-repeated-passages")
    assert ends == {doc_id: ("kept", None, None) if text else emptied for doc_id, text in left.items()}
    assert emptied in ends.values()
    counts = outcome.corpus["cuts"]
    times = Counter(sentence for sentences in texts.values() for sentence in sentences)
    assert (counts["passages"], counts["distinct"]) == (times.total(), len(times))
    assert counts["repeated"] == sum(count > keep for count in times.values())
    assert counts["occurrences"] == sum(max(0, count - keep) for count in times.values())
    assert counts["most"][0][0] == max(times.values())
    whole = {native_id("source-a", name): " ".join(sentences) for name, sentences in texts.items()}
    assert counts["chars"] == sum(map(len, whole.values()))
    assert counts["cut_chars"] == counts["chars"] - sum(map(len, left.values()))
    assert counts["dropped"] == sum(not text for text in left.values())
    assert counts["documents"] == sum(left[doc_id] not in ("", text) for doc_id, text in whole.items())
    # What is published is enough to tell what a shard holds.
    for row in reversed(cuts_of(tmp_path / "out")):
        text = whole[row["doc_id"]]
        whole[row["doc_id"]] = text[: row["start"]] + text[row["end"] :]
    assert whole == left
    assert clean(tmp_path / "out")
    section = next(item for item in outcome.corpus["sections"] if item["stage"] == "passages")
    assert f"{counts['cut_chars']:,} of {counts['chars']:,} characters" in section["sentences"][1]
    assert "größe" not in str(outcome.corpus["sections"]) + str(counts)


def test_no_cut_depends_on_files_or_on_what_a_build_did_before(tmp_path: Path) -> None:
    texts = pages(40, 5)
    for name in ("whole", "split"):
        (tmp_path / name).mkdir()
    build(small(tmp_path / "whole", {"a.txt": lines(texts)}, stages()), tmp_path / "one", catalogue=CATALOGUE)
    names = list(texts)
    random.Random(1).shuffle(names)
    parts = {f"a{part}.txt": lines({name: texts[name] for name in names[part::5]}) for part in range(5)}
    manifest = small(tmp_path / "split", parts, stages())
    build(manifest, tmp_path / "five", catalogue=CATALOGUE)
    assert texts_of(tmp_path / "one") == texts_of(tmp_path / "five")
    assert cuts_of(tmp_path / "one") == cuts_of(tmp_path / "five") != []
    before = digests(tmp_path / "five")
    assert any(path.startswith("cuts/") for path in before)
    for step in ("cut", "repeats"):
        shutil.rmtree(tmp_path / "five/state" / step)
    again = build(manifest, tmp_path / "five", catalogue=CATALOGUE)
    assert again.report.executed and digests(tmp_path / "five") == before
    assert not build(manifest, tmp_path / "five", catalogue=CATALOGUE).report.executed
    assert clean(tmp_path / "five")


def test_another_choice_of_passages_decides_about_no_document_again(tmp_path: Path) -> None:
    texts = pages(20, 2)
    build(small(tmp_path, {"a.txt": lines(texts)}, stages()), tmp_path / "out", catalogue=CATALOGUE)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/state/keep").rglob("*.json")}
    without = small(tmp_path, {"a.txt": lines(texts)}, stages()[:-1])
    outcome = build(without, tmp_path / "out", catalogue=CATALOGUE)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out/state/keep").rglob("*.json")} == made
    assert outcome.corpus["cuts"] is None and "cuts" not in outcome.corpus["files"]
    assert not list((tmp_path / "out").rglob("cuts/*/*.parquet"))
    assert clean(tmp_path / "out")


def test_placeholders_stand_where_the_cuts_leave_them(tmp_path: Path) -> None:
    texts = {
        "one": ["Write to @anna or call.", "Both say this here.", "Then @bert comes."],
        "two": ["Ask @carl first.", "Both say this here.", "Write to @anna or call.", "At last @doro é."],
    }
    build(small(tmp_path, {"a.txt": lines(texts)}, stages()), tmp_path / "out", catalogue=CATALOGUE)
    order = sorted(texts, key=lambda name: xxhash.xxh3_64_intdigest(native_id("source-a", name), SEED))
    shared = set(texts["one"]) & set(texts["two"])
    left = {
        order[0]: texts[order[0]],
        order[1]: [sentence for sentence in texts[order[1]] if sentence not in shared],
    }
    for row in tokens(tmp_path / "out"):
        name = next(name for name in texts if native_id("source-a", name) == row["doc_id"])
        ids = [256]
        for word in " ".join(left[name]).lower().split(" "):
            ids += [PLACEHOLDER] if word.startswith("@") else list(word.encode())
            ids.append(32)
        assert row["tokens"] == [*ids[:-1], 257]


def test_explain_says_what_was_cut(tmp_path: Path) -> None:
    texts = {f"n{page}": ["all of them say this.", f"page {'x' * (page + 1)} says more."] for page in range(3)}
    texts["empty"] = ["all of them say this."]
    order = sorted(texts, key=lambda name: xxhash.xxh3_64_intdigest(native_id("source-a", name), SEED))
    build(small(tmp_path, {"a.txt": lines(texts)}, stages(min_left=1)), tmp_path / "out", catalogue=CATALOGUE)
    assert order[0] != "empty"
    said = {
        name: dict(explain(Storage(str(tmp_path / "out")), f"https://{name}.example/", CATALOGUE)[0]["story"])
        for name in texts
    }
    assert said[order[0]]["passages"] == "cuts nothing of it"
    other = next(name for name in order[1:] if name != "empty")
    assert said[other]["passages"] == (
        "cuts 22 characters at 1 place that stand elsewhere too; the most frequent passage of it stands 4 times"
    )
    assert said["empty"]["passages"] == (
        "ends here: too little of its 21 characters stands nowhere else; the most frequent passage of it stands 4 times"
    )
    assert said["empty"]["end"] == "dropped: only-repeated-passages"


def test_a_removed_document_leaves_no_cuts(tmp_path: Path) -> None:
    texts = pages(30, 4)
    manifest = small(tmp_path, {"a.txt": lines(texts)}, stages())
    build(manifest, tmp_path / "out", catalogue=CATALOGUE)
    before = cuts_of(tmp_path / "out")
    removed = before[0]["doc_id"]
    take_down(Storage(str(tmp_path / "out")), [demand("doc-id", removed.hex())], with_copies=False)
    left = [row for row in before if row["doc_id"] != removed]
    assert cuts_of(tmp_path / "out") == left
    assert clean(tmp_path / "out")
    assert build(manifest, tmp_path / "out", catalogue=CATALOGUE).report.executed == 0
    # A build from scratch with the same demand comes to the same.
    shutil.copytree(tmp_path / "out/takedown", tmp_path / "fresh/takedown")
    build(manifest, tmp_path / "fresh", catalogue=CATALOGUE)
    assert digests(tmp_path / "fresh") == digests(tmp_path / "out")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["words", {"passages": {}}, "same-text"], "no stage may follow the one that cuts passages"),
        (["words", "same-text", {"passages": {}}, "length"], "no stage may follow the one that cuts passages"),
        (["words", {"passages": {"keep": 0}}], "keep"),
        (["words", {"passages": {"preset": "c3"}}], "preset"),
    ],
    ids=["barrier", "map-stage", "keep", "preset"],
)
def test_a_manifest_that_cannot_be(tmp_path: Path, named: list[object], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        load(str(small(tmp_path, {"a.txt": "n\tx"}, named)), CATALOGUE)


OWN = """
import numpy as np
from lauter.pipeline.cutting import Cuts
from lauter.stages.passages.stage import RepeatedPassages

class Own(RepeatedPassages):
    def cut(self, batch, repeated):
        cuts = super().cut(batch, repeated)
        return {cuts}

class Half:
    name = "half"
    version = 1
    reads = ("text",)
    def cut(self, batch, repeated): ...
"""


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        ("Cuts(cuts.row, cuts.start, cuts.end + 1000, cuts.dropped)", "reaches out of its text"),
        ("Cuts(cuts.row, cuts.start, cuts.end, cuts.dropped[:0])", "`dropped` has the shape"),
        ("Cuts(cuts.row[::-1], cuts.start, cuts.end, cuts.dropped)", "their rows do not rise"),
    ],
    ids=["beyond", "dropped", "order"],
)
def test_a_stage_that_breaks_the_contract_stops_the_build(tmp_path: Path, cuts: str, said: str) -> None:
    module = f"lauter_test_cutter_{abs(hash(cuts))}"
    (tmp_path / f"{module}.py").write_text(OWN.replace("{cuts}", cuts))
    named: list[object] = ["words", {"use": f"{module}:Own", "with": {"unit": "sentence", "min_words": 1}}]
    manifest = small(tmp_path, {"a.txt": lines(pages(20, 1))}, named)
    (failure,) = build(manifest, tmp_path / "out", catalogue=CATALOGUE).report.failures
    assert failure.name == "cut/source-a/a.txt" and said in failure.error
    named[1] = {"use": f"{module}:Half"}
    with pytest.raises(ManifestError, match="Half is no stage: it lacks Config, sign, keeps"):
        load(str(small(tmp_path, {"a.txt": "n\tx"}, named)), CATALOGUE)
