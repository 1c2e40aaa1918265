"""A stage that is tried decides as a build would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lauter.pipeline.manifest import Catalogue
from lauter.pipeline.steps.isolate import StageError
from lauter.pipeline.stopped import BuildStopped
from lauter.pipeline.trying.inputs import Inputs
from lauter.pipeline.trying.specs import TrialFault, given_columns, reads, specs
from lauter.pipeline.trying.trial import Trial, Tried
from tests.pipeline import small_stages
from tests.pipeline.small_run import build, ledger, write_manifest

CATALOGUE = replace(small_stages.CATALOGUE, endings={".txt": "lines"})
LINES = "one\tAlpha beta\ntwo\tforbidden fruit\nthree\tsingle\nbroken\nfour\tboom here\nfive\t"


def tried(
    folder: Path,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    after: Sequence[str] = (),
    catalogue: Catalogue = CATALOGUE,
) -> list[Tried]:
    (folder / "a.txt").write_text(LINES)
    asked = specs(name, parameters or {}, after, catalogue)
    inputs = Inputs([str(folder / "a.txt")], catalogue, {}, as_pages="payload" in reads(asked[0]), limit=None)
    with Trial(asked, given_columns(asked, catalogue, ()), None) as trial:
        return list(trial.run(inputs))


def ends(found: Sequence[Tried]) -> list[tuple[str, str | None, str | None]]:
    return [(row.verdict, row.stage, row.reason) for row in found]


def test_a_hard_stage_rewrites_and_drops(tmp_path: Path) -> None:
    found = tried(tmp_path, "words")
    assert ends(found) == [
        ("kept", None, None),
        ("dropped", "words", "forbidden"),
        ("kept", None, None),
        ("error", "read", "broken-line"),
        ("kept", None, None),
        ("dropped", "read", "empty"),
    ]
    assert found[0].before == "Alpha beta" and found[0].columns == {"text": "alpha beta", "words": 2, "chars": 10}
    assert found[1].rule == {"agent": "tester", "signal": "word", "line": 1, "text": "forbidden"}
    assert found[3].columns is None and found[3].before is None
    assert found[0].spans is None, "the stage tells none"


def test_a_soft_stage_decides_from_what_came_before(tmp_path: Path) -> None:
    found = tried(tmp_path, "length", {"min_words": 2}, ["words"])
    assert [row.reason for row in found] == [None, "forbidden", "too-few-words", "broken-line", None, "empty"]
    assert [row.stage for row in found] == [None, "words", "length", "read", None, "read"]
    with pytest.raises(TrialFault, match="length reads 'words', which these files do not hold: add --after words"):
        tried(tmp_path, "length")


def test_it_ends_as_in_a_build(tmp_path: Path) -> None:
    found = tried(tmp_path, "length", {"min_words": 2}, ["words"])
    (tmp_path / "built").mkdir()
    manifest = write_manifest(tmp_path / "built", {"a.txt": LINES}, ["words", {"length": {"min_words": 2}}])
    build(manifest, tmp_path / "built/out")
    assert [(row["verdict"], row["reason"]) for row in ledger(tmp_path / "built/out")] == [
        (row.verdict, row.reason) for row in found
    ]
    scores = pq.read_table(next((tmp_path / "built/out/scores").rglob("*.parquet")))
    assert scores.num_rows == 3


def test_a_row_on_which_the_stage_raises_ends_alone(tmp_path: Path) -> None:
    found = tried(tmp_path, "boom")
    assert [row.reason for row in found] == [None, None, None, "broken-line", "stage-failed", "empty"]
    assert found[4].verdict == "error" and found[4].rule is not None


def test_what_compares_documents_is_refused() -> None:
    with pytest.raises(TrialFault, match="same-text compares all documents with each other"):
        specs("same-text", {}, (), CATALOGUE)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("lenght", {}, "unknown stage; did you mean 'length'"),
        ("length", {"min_word": 1}, "--set min_word: unknown key; did you mean 'min_words'"),
        ("length", {"min_words": "x"}, "--set min_words: input should be a valid integer"),
        ("tests.pipeline.small_stages:Nothing", {}, "has no attribute 'Nothing'"),
    ],
)
def test_what_is_wrong_is_told_as_of_a_manifest(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(TrialFault) as error:
        specs(name, parameters, (), CATALOGUE)
    assert message in str(error.value)


def test_a_stage_of_ones_own(tmp_path: Path) -> None:
    assert [row.verdict for row in tried(tmp_path, "tests.pipeline.small_stages:Words")][:2] == ["kept", "dropped"]


def test_a_prepared_stage_has_its_files(tmp_path: Path) -> None:
    (tmp_path / "blocked.ids").write_text("https://one.example/\n")
    found = tried(tmp_path, "lookup", {"blocked": str(tmp_path / "blocked.ids")})
    assert found[0].verdict == "dropped" and found[2].verdict == "kept"


def test_a_stage_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BuildStopped, match="stage shut cannot be opened: the model is not on this machine"):
        tried(tmp_path, "shut")


def test_a_stage_that_breaks_the_contract_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_stages.Words, "scores", small_stages.Length.scores)
    with pytest.raises(StageError, match="wrote columns"):
        tried(tmp_path, "words")


def test_columns_that_records_name_themselves(tmp_path: Path) -> None:
    rows = [{"text": "der Hund", "lang": "de"}, {"text": "the dog"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    from lauter.stages.catalogue import CATALOGUE as REAL

    asked = specs("quality", {}, (), REAL)
    inputs = Inputs([str(tmp_path / "a.jsonl")], REAL, {}, as_pages=False, limit=None)
    columns = given_columns(asked, REAL, ())
    assert list(columns) == ["language"]
    with Trial(asked, columns, None) as trial:
        found = list(trial.run(inputs))
    assert trial.unknown == 1 and [row.verdict for row in found] == ["dropped", "dropped"]
    with Trial(asked, columns, "deu_Latn") as trial:
        list(trial.run(inputs))
    assert trial.unknown == 0


def test_a_survey_is_of_these_files(tmp_path: Path) -> None:
    from lauter.stages.catalogue import CATALOGUE as REAL

    german = "Alle Menschen sind frei und gleich an Würde und Rechten geboren. " * 3
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": f"{german}{n}"}) for n in range(3)))
    asked = specs(
        "language", {"model": "lid.176", "run_thresholds": {"min_documents": 3, "low": 0.9, "high": 1.0}}, (), REAL
    )
    inputs = Inputs([str(tmp_path / "a.jsonl")], REAL, {}, as_pages=False, limit=None)
    with Trial(asked, {}, None) as trial:
        assert trial.surveys()
        found = list(trial.run(inputs))
    assert trial.counted == 3 and {row.columns["language"] for row in found if row.columns} == {"deu_Latn"}
