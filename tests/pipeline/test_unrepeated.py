"""Repeated substrings in whole builds: what a shard holds, and what index, report, ledger and audit say."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from lauter.pipeline import exchange, schema
from lauter.pipeline.audit import audit
from lauter.pipeline.control_ids import SIDECAR, control_ids
from lauter.pipeline.resolve import load
from lauter.pipeline.steps.unrepeated import unrepeated
from lauter.pipeline.storage import Storage
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.cutting_stage import CATALOGUE, PLACEHOLDER
from tests.pipeline.small_run import build, ledger, tokens, write_manifest
from tests.pipeline.test_repeats import plain

WINDOW = 12
PROBES = "lauter.stages.read.probes.reader:ProbesReader"
PLANTED = "this is what nobody should learn by heart"
HELD = {256, 257, PLACEHOLDER}


def small(folder: Path, files: dict[str, str], window: int | None, **more: object) -> Path:
    """A manifest with one shard, or one for each stream, in which repeats of `window` bytes go."""
    path = write_manifest(folder, files, ["marks"], tokens_per_shard=1 << 20)
    data = yaml.safe_load(path.read_text())
    if window is not None:
        data["sharding"]["repeats"] = {"tokens": window}
    path.write_text(yaml.safe_dump({**data, **more}, sort_keys=False))
    return path


def lines(count: int) -> list[str]:
    drawn = random.Random(count)
    shared = [f"{'xyz'[number % 3]} a sentence that many pages share, @name and so on {number}" for number in range(5)]
    return [
        f"n{page}\t{' '.join(drawn.choice([*shared, f'own words of page {page} only']) for _ in range(3))}"
        for page in range(count)
    ]


def rows(out: Path) -> dict[bytes, list[int]]:
    return {row["doc_id"]: row["tokens"] for row in tokens(out)}  # type: ignore[misc]


def test_what_stood_before_in_a_shard_is_gone(tmp_path: Path) -> None:
    files = {"a.txt": "\n".join(lines(40))}
    build(small(tmp_path, files, None), tmp_path / "all", catalogue=CATALOGUE)
    outcome = build(small(tmp_path, files, WINDOW), tmp_path / "out", catalogue=CATALOGUE)
    before, after = rows(tmp_path / "all"), rows(tmp_path / "out")
    assert list(after) == list(before)
    assert list(after.values()) == plain(list(before.values()), WINDOW, HELD)
    assert all(ids[0] == 256 and ids[-1] == 257 for ids in after.values())
    placeholders = [sum(ids.count(PLACEHOLDER) for ids in found.values()) for found in (before, after)]
    assert placeholders[0] == placeholders[1] > 0
    lost = [len(before[doc_id]) - len(after[doc_id]) for doc_id in after]
    counts = {"documents": sum(count > 0 for count in lost), "removed": sum(lost)}
    assert counts["removed"] > 500
    left = sum(map(len, after.values()))
    assert outcome.corpus["repeats"] == {"window": WINDOW, "left": left, **counts}
    (shard,) = Storage(str(tmp_path / "out")).read_json("tokens/index.json")["streams"]["main"]["shards"]
    assert shard["repeats"] == counts and shard["tokens"] == left
    section = next(item for item in outcome.corpus["sections"] if item["stage"] == "pack")
    assert f"{counts['removed']:,} of {left + counts['removed']:,} tokens" in section["sentences"][0]
    assert {row["doc_id"]: row["tokens"] for row in ledger(tmp_path / "out")} == {
        doc_id: len(ids) for doc_id, ids in after.items()
    }
    assert audit(Storage(str(tmp_path / "out")), CATALOGUE).violations == []


def test_no_file_decides_and_a_stream_is_one_of_the_length_before(tmp_path: Path) -> None:
    every = lines(40)
    streams = {"lengths": [100, 200]}
    for name, files in (
        ("one", {"a.txt": "\n".join(every)}),
        ("five", {f"a{part}.txt": "\n".join(every[::-1][part::5]) for part in range(5)}),
    ):
        (tmp_path / name).mkdir()
        manifest = small(tmp_path / name, files, WINDOW, streams=streams)
        outcome = build(manifest, tmp_path / name / "out", catalogue=CATALOGUE)
        assert outcome.corpus["repeats"]["removed"] > 0
        assert audit(Storage(str(tmp_path / name / "out")), CATALOGUE).violations == []
    assert rows(tmp_path / "one/out") == rows(tmp_path / "five/out")


def test_what_is_planted_is_never_cut(tmp_path: Path) -> None:
    catalogue = replace(CATALOGUE, readers={**CATALOGUE.readers, "probes": PROBES})
    (tmp_path / "planted.yaml").write_text(f"probes:\n  - {{id: one, text: {PLANTED}, repetitions: 3}}\ncanaries: []\n")
    pages = "\n".join(f"n{page}\t{PLANTED}. And page {page} has words of its own." for page in "abcde")
    data = yaml.safe_load(small(tmp_path, {"a.txt": pages}, WINDOW).read_text())
    data["sources"].append({"name": "planted", "kind": "probes", "paths": ["planted.yaml"]})
    for name, stages in (("both", ["marks", {"passages": {"unit": "sentence", "min_left": 1}}]), ("one", ["marks"])):
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({**data, "stages": stages}))
        outcome = build(tmp_path / "manifest.yaml", tmp_path / name, catalogue=catalogue)
        assert not outcome.report.failures and outcome.corpus["repeats"]["removed"] > 0
        found = [bytes(item for item in ids if item < 256).decode() for ids in rows(tmp_path / name).values()]
        assert found.count(PLANTED) == 3 and sum(PLANTED in text for text in found) == 4
        assert audit(Storage(str(tmp_path / name)), catalogue).violations == []


def table(documents: list[list[int]]) -> pa.Table:
    return pa.table({"tokens": pa.array(documents, schema.TOKENS.field("tokens").type)})


def test_rows_that_are_compared_with_nothing_and_rows_that_lose_all() -> None:
    documents = [[9, 1, 2, 3, 4, 8], [9, 1, 2, 3, 4, 8], [9, 1, 2, 3, 4, 8], [9, 1, 2, 7, 3, 4, 8]]
    whole = np.array([True, False, False, False])
    left, touched, removed = unrepeated(table(documents), 2, np.array([7], np.uint32), whole)
    assert left.column("tokens").to_pylist() == [[9, 1, 2, 3, 4, 8], [9, 1, 2, 3, 4, 8], [9, 8], [9, 7, 8]]
    assert (touched, removed) == (2, 8)
    part = table(documents).slice(1, 2).combine_chunks()
    none = np.empty(0, np.uint32)
    assert unrepeated(part, 2, none, np.zeros(2, np.bool_)).table.column("tokens").to_pylist() == [
        [9, 1, 2, 3, 4, 8],
        [9, 8],
    ]
    empty = unrepeated(table([]), 2, none, np.zeros(0, np.bool_))
    assert exchange.one_chunk(empty.table.column("tokens")).to_pylist() == []


def test_control_ids_of_a_sidecar(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    assert control_ids(storage).tolist() == []
    sidecar = {
        "bos": {"id": 1, "token": "<s>"},
        "eos": {"id": 2, "token": "</s>"},
        "pad": None,
        "unk": {"id": 0, "token": "<unk>"},
        "placeholders": {"email": {"id": 40, "token": "<email>"}},
        "added": {"<|user|>": 50},
        "reserved": [[0, 3], [60, 62]],
    }
    storage.write_json(SIDECAR, sidecar)
    assert control_ids(storage).tolist() == [0, 1, 2, 40, 50, 60, 61]


def test_a_window_that_is_no_window(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="repeats"):
        load(str(small(tmp_path, {"a.txt": "n\tx y"}, 3)), CATALOGUE)
