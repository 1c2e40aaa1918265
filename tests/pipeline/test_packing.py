"""Shards by stream, from the manifest to the audit: who lies where, in which order, and the same whatever happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.pipeline import schema
from lauter.pipeline.audit import audit
from lauter.pipeline.graph import packing
from lauter.pipeline.identity import shuffle_order
from lauter.pipeline.resolve import load
from lauter.pipeline.steps.layout import layout_id, runs
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, digests, ledger
from tests.pipeline.stream_run import LABELLED, stream_manifest

STREAMS = {
    "sources": {"web": ["source-a"]},
    "languages": {"german": ["deu_Latn", "gsw_Latn"], "each": ["*_Latn"]},
    "lengths": [20, 40],
    "copies": [2, 3, 5],
}


def shards(out: Path) -> dict[str, list[list[dict[str, Any]]]]:
    """Stream -> rows of each of its shards."""
    index = json.loads((out / "tokens/index.json").read_text())
    return {
        name: [pq.read_table(out / shard["path"]).to_pylist() for shard in stream["shards"]]
        for name, stream in index["streams"].items()
    }


def test_without_the_section_there_is_one_stream_as_ever(tmp_path: Path) -> None:
    outcome = build(stream_manifest(tmp_path, None, cells=8), tmp_path / "out", catalogue=LABELLED)
    index = json.loads((tmp_path / "out/tokens/index.json").read_text())
    assert list(index["streams"]) == ["main"] and index["streams"]["main"]["of"] == {}
    cells = json.loads((tmp_path / "out/state/layout/streams.json").read_text())["streams"][0]["shards"]
    assert len(cells) > 2 and cells[0][0] == 0 and cells[-1][1] == 8
    assert index["layout_id"] == outcome.corpus["layout_id"] == layout_id(7, 8, [("main", cells)])
    assert sorted(path.name for path in (tmp_path / "out/state/pack/main").iterdir())[0] == "00000.json"


def test_every_document_lies_in_its_stream(tmp_path: Path) -> None:
    build(stream_manifest(tmp_path, STREAMS), tmp_path / "out", catalogue=LABELLED)
    index = json.loads((tmp_path / "out/tokens/index.json").read_text())
    found = shards(tmp_path / "out")
    assert len(found) > 8 and "source-b.rest.0-19.x1" in found
    for name, some in found.items():
        of = index["streams"][name]["of"]
        for row in (row for rows in some for row in rows):
            group = {"deu_Latn": "german", "gsw_Latn": "german", None: "rest"}.get(row["language"], row["language"])
            assert (of["sources"], of["language"]) == ({"source-a": "web"}.get(row["source"], row["source"]), group)
            for key, value in (("tokens", row["length"]), ("copies", row["copies"])):
                first, last = of[key]
                assert first <= value <= (value if last is None else last)
    placed = {
        (row["stream"], row["shard"], row["row"]): row["doc_id"]
        for row in ledger(tmp_path / "out")
        if row["verdict"] == "kept"
    }
    assert placed == {
        (name, number, place): row["doc_id"]
        for name, some in found.items()
        for number, rows in enumerate(some)
        for place, row in enumerate(rows)
    }
    report = audit(Storage(str(tmp_path / "out")), LABELLED)
    assert report.violations == []


def test_a_stream_is_shuffled_for_itself(tmp_path: Path) -> None:
    """Over all its shards by the hash, which asks the seed and the doc_id alone."""
    build(stream_manifest(tmp_path, {"languages": "each"}), tmp_path / "out", catalogue=LABELLED)
    found = shards(tmp_path / "out")
    assert list(found) == ["main.deu_Latn", "main.fra_Latn", "main.gsw_Latn", "main.rest"]
    assert len(found["main.fra_Latn"]) > 1
    for some in found.values():
        ids = [row["doc_id"] for rows in some for row in rows]
        order = shuffle_order(pa.array(ids, schema.DOC_ID), 7)
        assert np.all(order[1:] > order[:-1])


def test_shards_do_not_depend_on_how_the_files_are_cut(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = stream_manifest(tmp_path / "one", STREAMS)
    two = stream_manifest(tmp_path / "two", STREAMS)
    lines = "\n".join((tmp_path / "two" / f"a{n}.txt").read_text() for n in (1, 2)).split("\n")
    for number in range(1, 6):
        (tmp_path / "two" / f"a{number}.txt").write_text("\n".join(lines[number - 1 :: 5]))
    first, second = (
        build(manifest, tmp_path / name / "out", catalogue=LABELLED).corpus
        for name, manifest in (("one", one), ("two", two))
    )
    assert first["layout_id"] == second["layout_id"]
    tokens = [
        {path: digest for path, digest in digests(tmp_path / name / "out").items() if path.endswith(".parquet")}
        for name in ("one", "two")
    ]
    assert len(tokens[0]) and {p: d for p, d in tokens[0].items() if p.startswith("tokens/")} == {
        p: d for p, d in tokens[1].items() if p.startswith("tokens/")
    }


def test_streams_that_are_gone_leave_nothing(tmp_path: Path) -> None:
    build(stream_manifest(tmp_path, STREAMS), tmp_path / "out", catalogue=LABELLED)
    build(stream_manifest(tmp_path, None), tmp_path / "out", catalogue=LABELLED)
    for folder in ("tokens", "state/pack", "state/positions"):
        left = {path.parent.name for path in (tmp_path / "out" / folder).rglob("0*") if path.is_file()}
        assert left == {"main"}, folder


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ({"sources": {"web": ["source-c"]}}, "streams.sources.web.0: unknown source 'source-c'; did you mean"),
        ({"lenghts": [5]}, "streams.lenghts: unknown key; did you mean 'lengths'?"),
        ({"copies": [5, 2]}, "streams.copies: bounds must rise"),
        ({"languages": {"german": ["deutsch"]}}, "streams.languages.german.0: string should match pattern"),
    ],
)
def test_what_a_manifest_may_not_say(tmp_path: Path, streams: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(str(stream_manifest(tmp_path, streams)), LABELLED)
    (problem,) = caught.value.problems
    assert said in problem and "manifest.yaml:" in problem


def test_no_stream_takes_the_tokenizers_folder(tmp_path: Path) -> None:
    path = stream_manifest(tmp_path, None)
    path.write_text(path.read_text().replace("sharding:\n", "sharding:\n  stream: tokenizer\n"))
    with pytest.raises(ManifestError, match="no stream may be called 'tokenizer'"):
        load(str(path), LABELLED)


def test_runs_close_at_their_target() -> None:
    assert runs([1, 2], 0, 2, 9) == [(0, 2)]
    assert runs([0, 9, 0, 9, 0], 0, 5, 9) == [(0, 2), (2, 4)]
    assert runs([3, 3, 3], 1, 3, 6) == [(1, 3)]


def test_places_of_many_shards_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = stream_manifest(tmp_path, STREAMS)
    build(manifest, tmp_path / "few", catalogue=LABELLED)
    assert not (tmp_path / "few/state/places").exists()
    monkeypatch.setattr(packing, "GATHERED", 3)
    build(manifest, tmp_path / "many", catalogue=LABELLED)
    assert len(list((tmp_path / "many/state/places").glob("*.arrow"))) > 2
    assert digests(tmp_path / "few") == digests(tmp_path / "many")


def test_a_takedown_finds_the_shard_in_its_stream(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = stream_manifest(tmp_path, STREAMS)
    before = build(manifest, out, catalogue=LABELLED).corpus
    take_down(Storage(str(out)), [demand("url", "https://l6.example/")], with_copies=False)
    now = json.loads((out / "corpus.json").read_text())
    changed = {
        new["path"]
        for old, new in zip(before["files"]["tokens"], now["files"]["tokens"], strict=True)
        if old["sha256"] != new["sha256"]
    }
    assert changed == {"tokens/web.fra_Latn.0-19.x1/00000.parquet"} and now["layout_id"] == before["layout_id"]
    record = json.loads((out / "state/pack/web.fra_Latn.0-19.x1/00000.json").read_text())
    assert [item["path"] for item in record["masked"]["outputs"]] == list(changed)
    (row,) = [row for rows in shards(out)["web.fra_Latn.0-19.x1"] for row in rows if row["removed"]]
    assert (row["length"], row["copies"]) == (12, 1)
    assert audit(Storage(str(out)), LABELLED).violations == []
    assert build(manifest, out, catalogue=LABELLED).report.executed == 0
