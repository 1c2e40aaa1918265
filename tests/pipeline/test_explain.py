from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from lauter.pipeline import identity, schema
from lauter.pipeline.cli import app
from lauter.pipeline.explain import explain, lines
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.story import _scores
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from tests.pipeline.origin_stage import CATALOGUE, FETCHED_AT
from tests.pipeline.small_run import build, write_manifest

ONE = "one\tthe same text\nshort\tshort\nblocked\tno one may have this\none\tanother record of this id\nbroken"
TWO = "copy\tThe same text\nalone\ta text of its own\nbad\tforbidden words here"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    (folder / "list").write_text("https://blocked.example/\nhttps://elsewhere.example/\n")
    stages: list[object] = [{"origins": {"blocked": "list"}}, "words", {"length": {"min_words": 2}}, "same-text"]
    build(write_manifest(folder, {"a.txt": ONE, "b.txt": TWO}, stages), folder / "out", catalogue=CATALOGUE)
    return folder / "out"


def _one(corpus: Path, name: str) -> dict[str, Any]:
    rows = explain(Storage(str(corpus)), f"https://{name}.example/", CATALOGUE)
    assert len(rows) == 1
    return rows[0]


def test_a_kept_document_has_its_scores_its_cluster_and_nothing_against_it(corpus: Path) -> None:
    row = _one(corpus, "alone")
    assert row["verdict"] == "kept" and row["scores"] == {"words": 5, "chars": 17}
    assert row["decision"] == dict.fromkeys(("stage", "reason", "rule", "cluster", "cluster_size", "mirror_of"))
    assert "original" not in row and "evidence" not in row
    assert dict(lines(row))["decision"] == "nothing against it"


def test_a_soft_decision_is_shown(corpus: Path) -> None:
    row = _one(corpus, "short")
    assert (row["verdict"], row["decision"]["stage"], row["decision"]["reason"]) == (
        "dropped",
        "length",
        "too-few-words",
    )
    assert dict(lines(row))["decision"] == "stage length, reason too-few-words"


def test_a_copy_names_its_original(corpus: Path) -> None:
    row = _one(corpus, "copy")
    first = identity.native_id("source-a", "one").hex()
    assert (row["verdict"], row["reason"], row["duplicate_of"]) == ("duplicate", "exact-duplicate", first)
    assert row["decision"]["cluster_size"] == 2
    assert row["original"] == {
        "url": "https://one.example/",
        "source": "source-a",
        "file": "a.txt",
        "offset": 0,
        "verdict": "kept",
        "reason": None,
    }


def test_a_repeated_record_names_the_first_and_has_its_own_scores(corpus: Path) -> None:
    rows = explain(Storage(str(corpus)), identity.native_id("source-a", "one").hex(), CATALOGUE)
    assert [(row["verdict"], row["reason"]) for row in rows] == [("kept", None), ("duplicate", "same-record")]
    first, again = rows
    assert again["offset"] > first["offset"] == 0
    assert (again["original"]["file"], again["original"]["offset"]) == ("a.txt", 0)
    assert first["scores"]["words"] == 3 and again["scores"]["words"] == 5
    assert first["decision"]["cluster_size"] == 2 and "original" not in first


def test_what_a_stage_prepared_about_the_origin_is_the_evidence(corpus: Path) -> None:
    row = _one(corpus, "blocked")
    assert (row["verdict"], row["stage"], row["reason"]) == ("dropped", "origins", "blocked")
    assert row["rule"]["agent"] == "tester"
    assert row["evidence"] == {
        "origins/origins.parquet": [
            {
                "origin_id": row["origin_id"],
                "origin": "https://blocked.example/",
                "status": 200,
                "fetched_at": FETCHED_AT.isoformat(),
                "sha256": bytes(range(32)).hex(),
            }
        ]
    }
    shown = dict(lines(row))
    assert "origin https://blocked.example/, status 200" in shown["origins/origins.parquet"]


def test_a_hard_drop_and_a_broken_record_have_no_scores(corpus: Path) -> None:
    row = _one(corpus, "bad")
    assert (row["verdict"], row["reason"], row["rule"]["text"]) == ("dropped", "forbidden", "forbidden")
    assert "scores" not in row and "decision" not in row
    assert _one(corpus, "broken")["verdict"] == "error"
    assert explain(Storage(str(corpus)), "https://nobody.example/", CATALOGUE) == []


def test_the_command_shows_all_of_it(corpus: Path) -> None:
    shown = CliRunner().invoke(app, ["explain", str(corpus), "https://blocked.example/"]).output
    assert "status 200" in shown and FETCHED_AT.isoformat() in shown
    shown = CliRunner().invoke(app, ["explain", str(corpus), "https://copy.example/"]).output
    assert "url https://one.example/" in shown and "cluster_size 2" in shown


def test_a_broken_run_folder_is_said_so(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished corpus"):
        explain(Storage(str(tmp_path)), "https://one.example/", CATALOGUE)
    shutil.copytree(corpus, tmp_path / "out")
    (tmp_path / "out/decisions/source-a/a.txt.parquet").unlink()
    with pytest.raises(StorageError, match=r"decisions/source-a/a\.txt\.parquet"):
        explain(Storage(str(tmp_path / "out")), "https://one.example/", CATALOGUE)
    (tmp_path / "out/corpus.json").write_text("{")
    with pytest.raises(StorageError, match="lauter audit"):
        explain(Storage(str(tmp_path / "out")), "https://one.example/", CATALOGUE)


def test_a_url_is_found_however_it_is_spelled(corpus: Path) -> None:
    (row,) = explain(Storage(str(corpus)), "HTTPS://me@Alone.Example.:443/#top", CATALOGUE)
    assert row["url"] == "https://alone.example/"
    assert explain(Storage(str(corpus)), "https://alone.example/other", CATALOGUE) == []


def test_the_story_goes_from_reading_to_the_end(corpus: Path) -> None:
    def told(name: str) -> dict[str, str]:
        return dict(_one(corpus, name)["story"])

    kept = told("alone")
    assert list(kept) == ["read", "origins", "words", "length", "same-text", "end"]
    assert "a.txt" not in kept["read"] and "b.txt" in kept["read"]
    assert kept["end"].startswith("kept: row ")
    assert list(told("blocked")) == ["read", "origins", "end"]
    assert "blocked" in told("blocked")["origins"]
    assert told("short")["length"].startswith("objects: too-few-words")
    assert told("copy")["end"] == "left out as a copy of https://one.example/"
    assert list(told("broken")) == ["read", "end"]


def test_a_removed_record_names_its_takedown_and_claims_nothing_more(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "out")
    wanted = [
        replace(demand("url", f"https://{name}.example/"), reason="a request", date="2026-01-31")
        for name in ("alone", "blocked", "short", "copy")
    ]
    take_down(Storage(str(tmp_path / "out")), wanted, with_copies=False)
    receipt = "takedown/receipt-0001.json"
    kept = _one(tmp_path / "out", "alone")
    assert kept["takedown"] == {
        "kind": "url",
        "number": 1,
        "reason": "a request",
        "date": "2026-01-31",
        "receipt": receipt,
    }
    told = dict(kept["story"])
    assert told["words"] == "nothing against it", "it was kept, so nothing was"
    assert told["takedown"] == (
        f"removed by a demand of kind url; takedown 1; reason: a request; made on 2026-01-31; receipt {receipt}"
    )
    assert told["end"].startswith("removed by a takedown: padding at row ")
    for name in ("blocked", "short", "copy"):
        row = _one(tmp_path / "out", name)
        told = dict(row["story"])
        assert list(told) == ["read", "origins", "words", "length", "same-text", "takedown", "end"]
        assert not any("nothing against" in text for _, text in [*row["story"], *lines(row)])
        assert "it had no place in the corpus" in told["end"]
    assert (
        "a rule had ended it before: list, line 1, tester"
        in dict(_one(tmp_path / "out", "blocked")["story"])["takedown"]
    )
    assert dict(_one(tmp_path / "out", "short")["story"])["length"] == "objected: too-few-words"
    assert dict(_one(tmp_path / "out", "copy")["story"])["same-text"] == "one of 2 in its cluster"


def test_scores_are_told_in_their_own_scale() -> None:
    row = {
        "scores": {"language_score": 9327, "mean_word_length": 588, "stop_words": 12, "top_ngram_ratios": [10000, 50]}
    }
    stage = SimpleNamespace(scores=schema.SCORE)
    assert _scores(row, stage) == (
        " (language_score 0.9327, mean_word_length 5.88, stop_words 12, top_ngram_ratios 1/0.005)"
    )


def test_languages_are_told_with_the_score_of_each() -> None:
    top = [{"language": "deu_Latn", "score": 9327}, {"language": "gsw_Latn", "score": 50}]
    row = {"scores": {"top_languages": top}}
    assert _scores(row, SimpleNamespace(scores=schema.SCORE)) == " (top_languages deu_Latn 0.9327/gsw_Latn 0.005)"


def test_long_and_nested_values_are_readable() -> None:
    row = {
        "verdict": "dropped",
        "shard": None,
        "basis": {"outcome": "rules", "agents": [f"bot{n}" for n in range(7)], "via": None},
        "signals": [{"place": "meta", "value": "0"}, {"place": "header", "value": "1"}],
        "scores": {},
        "evidence": {"a.parquet": [{"origin": "x", "statements": [{"line": 1}, {"line": 2}]}]},
    }
    assert list(lines(row)) == [
        ("basis", "outcome rules, agents [bot0, bot1, bot2, bot3, bot4, 2 more]"),
        ("signals", "place meta, value 0"),
        ("signals", "place header, value 1"),
        ("a.parquet", "origin x, statements [(line 1), (line 2)]"),
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("alone.example", "; https://alone.example/ is there (1 record)"),
        ("http://www.alone.example/", "; https://alone.example/ is there (1 record)"),
        ("nobody", "; a URL is written whole"),
        ("https://nobody.example/", "this URL or doc_id"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(corpus: Path, wanted: str, said: str) -> None:
    shown = CliRunner().invoke(app, ["explain", str(corpus), wanted])
    assert shown.exit_code == 1
    assert " ".join(shown.output.split()).endswith(said) or said in shown.output


def test_several_records_are_counted(corpus: Path) -> None:
    doc_id = identity.native_id("source-a", "one").hex()
    assert CliRunner().invoke(app, ["explain", str(corpus), doc_id]).output.startswith("2 records:")
