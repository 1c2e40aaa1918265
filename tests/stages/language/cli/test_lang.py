"""`lauter lang`: lists, answers and evaluations as people and as programs read them, and exit codes."""

from __future__ import annotations

import importlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lauter.stages.language.cli import app
from lauter.stages.language.labels.support import LEVEL_WORDS, embedded
from lauter.stages.language.least_score import of_table

TABLE = """\
# what is known
label\tlevel\tscored\tthreshold\tdocument\tcluster\tf1_udhr
deu_Latn\twell\trunning-text\t0.3\t0.5\t\t0.99
gsw_Latn\tweak\trunning-text\t0.5\t0.6\t\t
quy_Latn\twords\tword-types\t0.9\t0.97\tque\t
rus_Cyrl\twell\trunning-text\t0.3\t0.5\t\t1
zxx_Zzzz\twell\trunning-text\t0.5\t0.6\t\t
"""
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
ENGLISH = "All human beings are born free and equal in dignity and rights."
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах."


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "labels.tsv"
    path.write_text(TABLE, "utf-8")
    return str(path)


def run(*arguments: str, given: str | bytes | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), input=given, env={"COLUMNS": "140"})
    return result.exit_code, result.stdout, result.stderr


def listed(*arguments: str) -> dict[str, Any]:
    code, out, _ = run("list", "--json", *arguments)
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_list_as_data(table: str) -> None:
    found = listed("--labels", table)
    assert [row["label"] for row in found["labels"]] == ["deu_Latn", "gsw_Latn", "quy_Latn", "rus_Cyrl", "zxx_Zzzz"]
    assert {name: found[name] for name in ("count", "iso_639_3", "scripts", "families")} == {
        "count": 5, "iso_639_3": 4, "scripts": 3, "families": 2,
    }  # fmt: skip
    assert found["levels"] == {"well": 3, "weak": 1, "words": 1, "untested": 0}
    assert found["labels"][2] == {
        "label": "quy_Latn", "name": "Ayacucho Quechua", "names": ["Ayacucho Quechua"], "family": "Quechuan",
        "script": "Latin", "macrolanguage": "que", "is_iso_639_3": True, "level": "words", "scored": "word-types",
        "threshold": 0.9, "least_score": 0.97, "cluster": "que", "figures": {},
    }  # fmt: skip
    assert found["labels"][0]["figures"] == {"f1_udhr": 0.99}


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        (["--script", "Cyrl"], ["rus_Cyrl"]),
        (["--script", "cyrl"], ["rus_Cyrl"]),
        (["--family", "indo"], ["deu_Latn", "gsw_Latn", "rus_Cyrl"]),
        (["--level", "words"], ["quy_Latn"]),
        (["--search", "SWISS"], ["gsw_Latn"]),
        (["--search", "quechua"], ["quy_Latn"]),
        (["--search", "rus_"], ["rus_Cyrl"]),
        (["--search", "alemannic", "--level", "weak"], ["gsw_Latn"]),
        (["--script", "Tfng"], []),
    ],
)
def test_filters(table: str, arguments: list[str], labels: list[str]) -> None:
    assert [row["label"] for row in listed("--labels", table, *arguments)["labels"]] == labels


def test_a_list_to_read(table: str) -> None:
    code, out, _ = run("list", "--labels", table)
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("gsw_Latn"))
    assert row.split()[-4:] == ["weakly", "supported", "0.60", "0.50"] and "Swiss German" in row
    well = next(line for line in out.splitlines() if line.startswith("zxx_Zzzz"))
    assert well.split()[-2:] == ["0.60", "0.50"]
    assert "labels 5, codes of ISO 639-3 4, scripts 3, families 2; 3 well supported, 1 weakly supported" in out


def test_a_pipe_gets_whole_rows(data: Path, tmp_path: Path) -> None:
    name = "a-very-long-name-of-a-set-of-labelled-lines-that-no-eighty-columns-hold-with-nine-figures"
    (data / "wrong.tsv").rename(data / f"{name}.tsv")
    result = CliRunner().invoke(app, ["evaluate", "lid.176", str(data)], env={"COLUMNS": None})
    assert result.exit_code == 0
    head, row = (next(line for line in result.stdout.splitlines() if line.startswith(word)) for word in ("set", name))
    assert head.split()[-2:] == ["FPR", "ECE"]
    assert len(row.split()) == len(head.split()) == 10 and "…" not in row


def test_a_level_that_is_none(table: str) -> None:
    code, _, err = run("list", "--labels", table, "--level", "good")
    assert code == 2
    assert "--level is one of well, weak, words, untested, not 'good'" in err


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    code, _, err = run("list", "--labels", str(tmp_path / "none.tsv"))
    assert code == 2
    assert "can't be read: No such file" in err
    (tmp_path / "bad.tsv").write_text("label\n")
    code, _, err = run("list", "--labels", str(tmp_path / "bad.tsv"))
    assert code == 2
    assert "bad.tsv:1: no column level" in err


def identified(*arguments: str, given: str | bytes | None = None) -> list[dict[str, Any]]:
    code, out, err = run("identify", *arguments, "--model", "lid.176", "--json", given=given)
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_what_files_are_in(tmp_path: Path) -> None:
    for name, text in (("a.txt", GERMAN), ("b.txt", RUSSIAN)):
        (tmp_path / name).write_text(text, "utf-8")
    german, russian = identified(str(tmp_path / "a.txt"), str(tmp_path / "b.txt"), "--top", "4")
    assert (german["label"], german["name"], german["script"]) == ("deu_Latn", "German", "Latin")
    assert german["probability"] > 0.9
    assert len(german["others"]) == 3
    assert german["second"] is None and german["other_script"] == 0
    assert russian["label"] == "rus_Cyrl"


def test_the_model_that_comes_along_is_asked_first() -> None:
    code, out, err = run("identify", "-", given=GERMAN * 4)
    assert code == 0, err
    assert out.startswith("-  German  deu_Latn  ")
    labels = {row["label"]: row for row in listed()["labels"]}
    assert LEVEL_WORDS[labels["deu_Latn"]["level"]] in out and "drops" not in out
    assert len(labels) >= 1900


def test_sisters_are_taken_together() -> None:
    bosnian = "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima."
    (found,) = identified("-", "--top", "5", given=bosnian)
    assert found["macrolanguage"]["code"] == "hbs"
    assert found["macrolanguage"]["name"] == "Serbo-Croatian"
    sisters = [found, *found["others"]]
    named = [each for each in sisters if each["label"][:3] in {"hrv", "srp", "bos", "hbs"}]
    assert len(named) > 1
    assert found["macrolanguage"]["probability"] == pytest.approx(sum(each["probability"] for each in named))


def test_votes_of_sisters_are_not_added_up() -> None:
    latin = "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima."
    cyrillic = "Сва људска бића рађају се слободна и једнака у достојанству и правима."
    code, out, err = run("identify", "-", "--lines", "--json", given=f"{latin}\n{cyrillic}\n" * 3)
    assert code == 0, err
    (found,) = json.loads(out)
    assert {each["label"][4:] for each in [found, *found["others"]]} == {"Latn", "Cyrl"}
    assert sum(each["probability"] for each in [found, *found["others"]]) > 1
    assert found["macrolanguage"] is None, "each is the mean of its own lines"


def test_standard_input_by_lines() -> None:
    (found,) = identified("-", "--lines", given=f"{GERMAN}\n{GERMAN}\n\n  \n{ENGLISH}\n!\n")
    assert found["label"] == "deu_Latn"
    assert found["second"]["label"] == "eng_Latn"
    assert 0.2 < found["second"]["share"] < 0.5
    assert [(line["line"], line["label"]) for line in found["lines"]] == [
        (1, "deu_Latn"), (2, "deu_Latn"), (5, "eng_Latn"), (6, "und_Zyyy"),
    ]  # fmt: skip
    assert found["lines"][3]["probability"] is None


def test_bytes_that_are_no_utf_8_are_refused_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "latin1.txt").write_bytes("Grüße aus Köln".encode("latin-1"))
    code, out, err = run("identify", str(tmp_path / "latin1.txt"), "--json")
    assert (code, out) == (1, "")
    assert "latin1.txt is not UTF-8 at byte 2: convert it" in err
    code, _, err = run("identify", "-", given=b"\xff\xfe\x00 \x80")
    assert code == 1 and "standard input is not UTF-8 at byte 0" in err


def test_nothing_has_an_answer() -> None:
    (found,) = identified("-", given=b"")
    assert (found["label"], found["probability"], found["least_score"]) == ("und_Zyyy", None, None)
    code, out, _ = run("identify", "-", given=b"")
    assert code == 0 and "a build drops it" in out


def test_json_has_what_a_build_does_with_it() -> None:
    code, out, err = run("identify", "-", "--json", given=GERMAN * 4)
    assert code == 0, err
    (found,) = json.loads(out)
    known = embedded()["deu_Latn"]
    assert (found["label"], found["support"]) == ("deu_Latn", known.level)
    assert found["least_score"] == of_table(known) / 10_000
    (found,) = identified("-", given=GERMAN * 4)
    assert (found["support"], found["least_score"]) == (None, 0.3), "no table of lid.176, so the least of any model"


def test_lines_in_another_language_show_where_the_document_is_one_piece() -> None:
    (found,) = identified("-", given=f"{GERMAN}\n{GERMAN}\n{ENGLISH}\n")
    assert found["second"] is None
    assert found["second_by_lines"]["label"] == "eng_Latn"
    assert 0.2 < found["second_by_lines"]["share"] < 0.5
    code, out, _ = run("identify", "-", "--model", "lid.176", given=f"{GERMAN}\n{GERMAN}\n{ENGLISH}\n")
    assert code == 0 and "some lines in another language: " in out


def test_words_for_people() -> None:
    code, out, _ = run("identify", "-", "--model", "lid.176", "--lines", given=f"{GERMAN}\n{RUSSIAN}\n[bold] {RUSSIAN}")
    assert code == 0
    assert out.startswith("-  Russian  rus_Cyrl  ")
    assert "part in another language: " in out and "German (deu_Latn)" in out
    assert "letters of another script: " in out
    assert "[bold] Все люди" in out


@pytest.mark.parametrize(("probability", "said"), [(0.4999, ["0.50"]), (0.5, []), (0.89, [])])
def test_a_doubtful_answer_says_what_a_build_does_with_it(probability: float, said: list[str]) -> None:
    shown = Console(file=io.StringIO(), width=140)
    found = {"file": "a.txt", "label": "deu_Latn", "name": "German", "probability": probability, "others": []}
    rest = {"support": "well", "least_score": 0.5, "macrolanguage": None, "second": None, "second_by_lines": None}
    importlib.import_module("lauter.stages.language.cli.identify")._print(shown, found | rest | {"other_script": 0.0})
    assert isinstance(shown.file, io.StringIO)
    assert re.findall(r"a build drops it below (\S+)", shown.file.getvalue()) == said


def test_what_cannot_be_read(tmp_path: Path) -> None:
    code, _, err = run("identify", str(tmp_path / "none.txt"), "--model", "lid.176")
    assert code == 2
    assert "none.txt can't be read: No such file" in err
    (tmp_path / "model.bin").write_bytes(b"no model" * 9)
    code, _, err = run("identify", "-", "--model", str(tmp_path / "model.bin"), given="text")
    assert code == 2
    assert "model.bin" in err


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    lines = f"deu_Latn\t{GERMAN}\neng_Latn\t{ENGLISH}\nrus_Cyrl\t{RUSSIAN}\n"
    (folder / "rights.tsv").write_text(lines, "utf-8")
    (folder / "wrong.tsv").write_text(f"fra_Latn\t{GERMAN}\n", "utf-8")
    return folder


def test_an_evaluation_with_charts(data: Path, tmp_path: Path, table: str) -> None:
    out = tmp_path / "out"
    code, shown, err = run("evaluate", "lid.176", str(data), "--out", str(out), "--labels", table)
    assert code == 0, err
    assert "fra_Latn as deu_Latn 1" in shown
    result = json.loads((out / "evaluation.json").read_text("utf-8"))
    assert [(report["set"], report["all"]["accuracy"]) for report in result["sets"]] == [
        ("rights", 1.0),
        ("wrong", 0.0),
    ]
    charts = sorted(path.name for path in out.glob("*.svg"))
    assert "overview.svg" in charts and "rights-calibration.svg" in charts and len(charts) == 11
    code, _, err = run("evaluate", "lid.176", str(data), "--out", str(out))
    assert code == 2
    assert "is there already" in err


def test_an_evaluation_as_data_is_the_same_every_time(data: Path) -> None:
    first, second = (run("evaluate", "lid.176", str(data / "rights.tsv"), "--json") for _ in range(2))
    assert first == second
    assert json.loads(first[1])["sets"][0]["all"]["macro_f1"] == 1


def test_data_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("de\ttext\n")
    for path, message in (
        (tmp_path / "a.tsv", "a.tsv:1: 'de' is no label"),
        (tmp_path / "none", "no such file or folder"),
    ):
        code, _, err = run("evaluate", "lid.176", str(path))
        assert code == 2
        assert message in err
