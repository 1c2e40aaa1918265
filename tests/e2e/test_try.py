"""`lauter try` on the real stages, as people and programs use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.stages.catalogue import CATALOGUE

MAIL = "Write to jane.doe@acme-corp.com today."
PAGE = "<html><title>A page</title><body><p>{}</p></body></html>".format("Some words of an article stand here. " * 4)


def run(*arguments: str, given: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["try", *arguments], input=given, env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def rows(*arguments: str, given: str | None = None) -> list[dict[str, Any]]:
    code, out, err = run(*arguments, "--json", given=given)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def write(folder: Path, *records: object) -> str:
    path = folder / "records.jsonl"
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in records), "utf-8")
    return str(path)


def test_spans_are_of_the_text_as_it_was_given(tmp_path: Path) -> None:
    text = f"Grüße 😀 \u200b{MAIL}\n{MAIL}"
    path = write(tmp_path, {"text": text, "lang": "en", "id": "a", "spans": ["own"]}, {"text": "nothing here", "n": 1})
    first, second = rows("pii", path)
    assert first["verdict"] == "kept" and first["reason"] is None and first["id"] == "a" and first["lang"] == "en"
    assert [text[span["start"] : span["end"]] for span in first["spans"]] == ["jane.doe@acme-corp.com"] * 2
    assert {span["type"] for span in first["spans"]} == {"email"}
    assert "jane.doe" not in first["text"] and first["pii_count"] == 2
    assert second["spans"] == [] and second["text"] == "nothing here" and second["n"] == 1
    code, out, _ = run("pii", path)
    assert code == 0 and f"+ {first['text'].splitlines()[-1]}" in out and "2 records: 2 kept" in out


def test_a_language_in_the_record_says_whose_numbers_are_meant(tmp_path: Path) -> None:
    text = "Tel. 030/901820-12, Mobil: 0151 23456789"
    german, unknown = rows("pii", write(tmp_path, {"text": text, "lang": "de"}, {"text": text}))
    assert [text[span["start"] : span["end"]] for span in german["spans"]] == ["030/901820-12", "0151 23456789"]
    assert german["pii_count"] == 2 and unknown["spans"] == []


def test_a_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes("Der Bürgermeister fährt".encode("latin-1"))
    code, _, err = run("normalise", str(path))
    assert code == 2 and "is not UTF-8, at byte 5" in " ".join(err.split())
    assert rows("normalise", str(path), "--after", "extract")[0]["text"] == "Der Bürgermeister fährt"


def test_every_record_is_a_line_in_its_order(tmp_path: Path) -> None:
    path = write(
        tmp_path, {"text": "one"}, "no json", {"text": ""}, "", {"text": "two " * 60, "url": "https://a.example/"}
    )
    found = rows("quality", path, "--language", "de", "--set", "min_words=2")
    assert [row["verdict"] for row in found] == ["dropped", "error", "dropped", "dropped"]
    assert [row["reason"] for row in found[:3]] == ["few-words", "invalid-json", "no-text"]
    assert [row["stage"] for row in found] == ["quality", "read", "read", "quality"]
    assert found[3]["url"] == "https://a.example/" and found[3]["natural"]["mean_word_length"] == 3.0


def test_pages_are_extracted_and_then_judged(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)
    (found,) = rows("extract", str(tmp_path / "page.html"))
    assert found["text"].startswith("Some words") and found["title"] == "A page" and found["file"] == "page.html"
    (found,) = rows("language", str(tmp_path / "page.html"), "--after", "extract")
    assert found["language"] == "eng_Latn" and found["natural"]["language_score"] > 0.9
    (found,) = rows("extract", write(tmp_path, {"html": PAGE, "id": 3}))
    assert found["text"].startswith("Some words") and found["id"] == 3
    code, _, err = run("language", str(tmp_path / "page.html"), write(tmp_path, {"text": "Some words"}))
    assert code == 2 and "which page.html does not hold: add --after extract" in " ".join(err.split())


def test_standard_input_and_notes() -> None:
    code, out, err = run("quality", "-", "--json", given='{"text": "a b c"}\n')
    assert code == 0 and json.loads(out)["reason"] == "few-words"
    assert "1 record has no language for quality" in err
    text = "Alle Menschen sind frei und gleich an Würde geboren."
    code, out, err = run("language", "-", "--set", "run_thresholds={}", given=json.dumps({"text": text}))
    assert code == 0 and "language learns from the whole corpus" in err
    assert "language_score 0.9" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dedup", "-"], "dedup compares all documents with each other"),
        (["passages", "-"], "passages compares all documents with each other"),
        (["qualty", "-"], "did you mean 'quality'"),
        (["quality", "-", "--set", "min_words"], "--set min_words: want KEY=VALUE"),
        (["quality", "-", "--set", "min_words=[1"], "--set min_words=[1: no valid YAML"),
        (["quality", "-", "--set", "a=1", "--set", "a.b=1"], "a has a value already"),
        (["quality", "-", "--set", "min_words=x"], "--set min_words: input should be a valid integer"),
        (["quality", "-", "--language", "xx"], "--language xx: no language is known by that"),
        (["quality", "none.jsonl"], "no file matches 'none.jsonl'"),
        (["language", "-", "--set", "model=none.bin"], "'none.bin' is not there"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], message: str) -> None:
    code, out, err = run(*arguments, given="")
    assert (code, out) == (2, "") and message in " ".join(err.split())


@pytest.mark.parametrize("name", sorted({*CATALOGUE.stages} - {"optout", "decontaminate", "toxicity", "extract"}))
def test_stages_run_on_texts_with_their_defaults(tmp_path: Path, name: str) -> None:
    try:
        (row,) = rows(name, write(tmp_path, {"text": "Some words of an article stand here.", "lang": "en"}))
    except AssertionError as error:
        # A stage that needs a file or a model says so.
        assert "Field required" in str(error).capitalize() or "field required" in str(error), error
        return
    assert row["verdict"] in ("kept", "dropped") and row["lang"] == "en"
