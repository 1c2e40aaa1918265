"""`lauter lang train`: a small model from text, that the other commands take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lauter.stages.language.cli import app

EMBEDDED_RECIPE = Path(__file__).parents[4] / "stages" / "language" / "models" / "embedded" / "recipe.yaml"

SMALLER: dict[str, dict[str, object]] = {
    "sampling": {"lines": 60, "thin_lines": 60, "sources": {"here": 1.0}, "least_entries": 1, "words_most": 20},
    "held_out": {"one_line_in": 4, "one_type_in": 4, "least_types": 1, "frequent": 2},
    "network": {"dim": 16, "members": 1, "maxn": 3, "buckets": 2000, "words": 100, "epochs": 3, "batch": 16},
    "quantisation": {"features": 1500, "sample": 500, "iterations": 3},
}
"""What the test changes of the embedded model's recipe."""

WORDS = {
    "deu_Latn": "alle menschen sind frei und gleich an würde und rechten geboren sie haben vernunft gewissen begabt",
    "rus_Cyrl": "все люди рождаются свободными и равными в своем достоинстве они наделены разумом совестью должны",
    "fin_Latn": "kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan oikeuksiltaan heille on annettu järki",
}


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for label, words in WORDS.items():
        known = words.split()
        lines = [" ".join(known[(3 * n + step * 5) % len(known)] for step in range(6)) for n in range(40)]
        (folder / f"{label}.txt").write_text("".join(f"here\t{line} {n}\n" for n, line in enumerate(lines)), "utf-8")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe()), "utf-8")
    return folder


def recipe(**changes: dict[str, object]) -> dict[str, object]:
    """The embedded model's recipe, made smaller."""
    found: dict[str, dict[str, object]] = yaml.safe_load(EMBEDDED_RECIPE.read_text("utf-8"))
    for part, values in (*SMALLER.items(), *changes.items()):
        found[part] = {**found[part], **values}
    return dict(found)


def test_a_model_that_the_other_commands_take(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    told = tmp_path / "told.tsv"
    told.write_text("".join(f"{label}\t{words}\n" for label, words in WORDS.items()), "utf-8")
    sets = "--judge", f"told={told}", "--text", f"again={told}", "--words", f"list={told}"
    given = "train", str(data), "--out", str(out), "--recipe", str(data / "recipe.yaml"), *sets
    code, shown, err = run(*given, "--json")
    assert code == 0, err
    assert json.loads(shown)["labels"] == 3
    assert "epoch 3 of 3" in err
    assert sorted(path.name for path in out.iterdir()) == ["labels.tsv", "model.ftz", "model.words", "recipe.yaml"]
    assert (out / "recipe.yaml").read_bytes() == (data / "recipe.yaml").read_bytes()
    code, shown, _ = run("list", "--labels", str(out / "labels.tsv"), "--json")
    assert [row["label"] for row in json.loads(shown)["labels"]] == sorted(WORDS)
    head = (out / "labels.tsv").read_text("utf-8").split("\n")[0].split("\t")
    assert head[9::2] == ["f1_lines", "f1_words", "f1_told", "f1_again", "f1_list"]
    text = tmp_path / "a.txt"
    text.write_text("Vapaina ja kaikki ihmiset syntyvät!", "utf-8")
    code, shown, _ = run("identify", str(text), "--model", str(out / "model.ftz"), "--normalise", "--json")
    assert json.loads(shown)[0]["label"] == "fin_Latn"
    code, _, err = run("train", str(data), "--out", str(out), "--recipe", str(data / "recipe.yaml"))
    assert code == 2
    assert "is there already" in err


def test_what_is_wrong_is_said(data: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    bad = tmp_path / "bad.yaml"
    bad.write_text(yaml.safe_dump(recipe(network={"dim": 7})), "utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    good = str(data / "recipe.yaml")
    for arguments, message in (
        ([str(tmp_path / "none"), "--recipe", good], "is no folder"),
        ([str(empty), "--recipe", good], "has no label"),
        ([str(data), "--recipe", str(tmp_path / "none.yaml")], "can't be read"),
        ([str(data), "--recipe", str(bad)], "network.dim"),
        ([str(data), "--recipe", good, "--judge", str(good)], "NAME=FILE"),
        ([str(data), "--recipe", good, "--text", f"lines={good}"], "there is a set of the name lines already"),
        ([str(data), "--recipe", good, "--text", f"set={good}"], "recipe.yaml:1: "),
        ([str(data), "--recipe", good, "--words", "set=none.tsv"], "none.tsv is no file"),
    ):
        code, _, err = run("train", *arguments, "--out", out)
        assert code == 2, err
        assert message in err
        assert not [path for path in tmp_path.iterdir() if "out" in path.name], "nothing is left of a failure"
