"""Tasks to dialogues to shards to a model that answers: every part of it as a user would run it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.checkpoint.read import open_checkpoint, write_weights_only
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.presets import PRESETS
from quickstart import instructions
from quickstart.judge_answers import LEAST, judge
from tests.stages.tokens.byte_tokenizer import write_byte_tokenizer

CONFIG = Path(__file__).parents[2] / "manifests" / "tune" / "sft-demo.yaml"
VOCABULARY = 896


def run(*arguments: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def build(folder: Path, tokenizer: dict[str, Any], name: str) -> None:
    """Without what tells dialogues that are alike from copies: so are tasks."""
    manifest = {
        "name": "tasks",
        "seed": 1,
        "sources": [{"name": "tasks", "kind": "dialogues", "paths": ["train.jsonl"]}],
        "stages": ["normalise", {"dedup": {"minhash": None}}],
        "tokenizer": tokenizer,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    run("build", str(path), "--out", str(folder / name))


def base(folder: Path, tokenizer: Path) -> Path:
    """A model of first values, which has never seen a text."""
    model = Apertus(replace(PRESETS["nano"], vocabulary=VOCABULARY))
    initialise(model, 28)
    files = {one.name: one.read_bytes() for one in sorted(tokenizer.iterdir())}
    meta = {"tokenizer": {"bos": 1, "eos": 2, "pad": 3, "ids": VOCABULARY, "digest": None}}
    write_weights_only(folder / "base", model.shape, iter(model.state_dict().items()), meta, files)
    return folder / "base"


def rows_of(path: Path) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.soak
def test_a_small_model_learns_to_answer_in_three_languages(tmp_path: Path) -> None:
    assert instructions.write(tmp_path, train=10_000, test=200, opened=1)["train.jsonl"] == 10_000
    build(tmp_path, write_byte_tokenizer(tmp_path), "bytes")
    tokenizer = tmp_path / "tokenizer"
    run("tokenizer", "train", str(tmp_path / "bytes"), "--out", str(tokenizer), "--vocabulary", str(VOCABULARY))
    build(tmp_path, {part: str(tokenizer / f"{part}.json") for part in ("tokenizer", "sidecar")}, "corpus")
    start, out = base(tmp_path, tokenizer), tmp_path / "sft"
    run("tune", "sft", str(CONFIG), "--from", str(start), "--data", str(tmp_path / "corpus"), "--out", str(out))
    meta = open_checkpoint(out).meta
    assert meta["parent"]["from"] == str(start) and meta["config"]["objective"] == "sft"
    assert len(meta["tokenizer"]["stops"]) == 3
    found = judge(out, rows_of(tmp_path / "held-out.jsonl"))
    assert found["language"].keys() == set(instructions.LANGUAGES.values())
    assert min(found["language"].values()) >= LEAST, found
