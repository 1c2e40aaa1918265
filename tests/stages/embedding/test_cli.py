"""The commands: from texts of two classes to a head that the stage takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from lauter.pipeline.contract import StageContext
from lauter.stages.embedding.cli import app
from lauter.stages.embedding.config import EmbeddingConfig
from lauter.stages.embedding.head import load
from lauter.stages.embedding.stage import Embedding
from tests.stages.embedding.encoders import make_head, parameters
from tests.stages.encoders.small_tokenizer import TEXTS


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def encoder(folder: Path) -> list[object]:
    return [
        "--weights", folder / "model.safetensors", "--tokenizer", folder / "tokenizer.json",
        "--encoder-config", folder / "config.json",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("texts")
    for name, text in (("good", TEXTS[0]), ("bad", TEXTS[2])):
        rows = [{"text": f"{text} {number}", "language": "deu_Latn"} for number in range(100)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "good.jsonl", folder / "bad.jsonl"


def test_a_trained_head_is_one_that_the_stage_takes(folder: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "heads"
    result = run("train", *data, "--out", out, *encoder(folder), "--licence", "CC0-1.0, made here")
    assert result.exit_code == 0, result.output
    assert "AUC" in result.output
    path = out / "quality-deu_Latn.safetensors"
    card = load(str(path)).card
    assert card["licence of the texts"] == "CC0-1.0, made here"
    assert card["texts"] == {"positives": 100, "negatives": 100}
    assert card["held out"]["all"]["AUC"] > 0.9
    config = EmbeddingConfig.model_validate(parameters(folder, {"quality": [str(path)]}))
    stage = Embedding(config, StageContext())
    assert stage.prepare(str(tmp_path)) == {"quality: deu_Latn": 1}
    stage.open()
    batch = pa.record_batch({"text": [TEXTS[0], TEXTS[2]], "language": ["deu_Latn"] * 2})
    good, bad = (row[0] for row in stage.apply(batch).columns["embedding_scores"].to_pylist())
    assert good > bad
    shown = run("show", path)
    assert json.loads(shown.output)["languages"] == ["deu_Latn"]


def test_one_head_for_all_languages_and_the_same_bytes(folder: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        options = ["--together", "--head", "toxicity", "--json", "--epochs", 10, "--out", tmp_path / name]
        result = run("train", *data, *options, *encoder(folder))
        assert result.exit_code == 0, result.output
    one, two = ((tmp_path / name / "toxicity.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_bare_weights_become_a_head(folder: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    import torch

    head = make_head(tmp_path / "random", folder, ("deu_Latn",))
    # Random weights tell the classes apart one way or the other: as they stand or turned around.
    codes = []
    for sign in (1.0, -1.0):
        weights = {name: value * np.float32(sign if "out" in name else 1) for name, value in head.weights.items()}
        torch.save({name: torch.from_numpy(value) for name, value in weights.items()}, tmp_path / "bare.pt")
        out = tmp_path / f"head{sign}"
        result = run("calibrate", tmp_path / "bare.pt", *data, "--out", out, *encoder(folder))
        codes.append(result.exit_code)
        if result.exit_code == 0:
            assert load(str(out)).languages == ("deu_Latn",)
            assert load(str(out)).slope > 0
        else:
            assert "no better than chance" in result.stderr
    assert sorted(codes) == [0, 1]


def test_what_is_not_there_is_a_usage_error(folder: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    out = ["--out", tmp_path / "out"]
    bare = tmp_path / "bare.jsonl"
    bare.write_text('{"text": "a"}\n')
    for arguments, words in (
        (["train", bare, data[1], *out, *encoder(folder)], "1 texts name no language"),
        (["train", tmp_path / "none.jsonl", data[1], *out, *encoder(folder)], "can't be read"),
        (["train", *data, "--out", tmp_path, *encoder(folder)], "never overwritten"),
        (["train", *data, *out, *encoder(folder), "--device", "tpu"], "cpu or cuda"),
        (["train", *data, *out, *encoder(folder)[:4]], "config.json"),
        (["calibrate", data[0], *data, *out, *encoder(folder)], "holds no weights"),
        (["show", data[0]], "no file of safetensors"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert words in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
