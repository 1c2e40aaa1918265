"""`lauter tune sft`: what it says, and with which code it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app
from lauter.trainer.loop.run import train
from tests.trainer.loop.language import quiet, section, write_language


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parent's run, and a config."""
    found = tmp_path_factory.mktemp("tune")
    write_language(found / "corpus", rows=8)
    train(section(found / "corpus", 1), found / "parent", start=None, console=quiet())
    content = {
        "name": "tuned",
        "precision": "fp32",
        "data": {"corpora": [{"path": "corpus"}], "sequence_length": 32},
        "optimizer": {"learning_rate": 1e-2},
        "schedule": {"epochs": 0.1},
        "batch": {"sequences": 2, "micro": 2},
        "checkpoint": {"asynchronous": False},
        "metrics": {"peak_flops": 1e12},
    }
    (found / "sft.yaml").write_text(yaml.safe_dump(content))
    return found


def sft(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["tune", "sft", str(folder / "sft.yaml"), *arguments])


def test_it_trains_and_goes_on(folder: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run")]
    first = sft(folder, "--from", str(folder / "parent"), *out, "--json")
    assert first.exit_code == 0, first.output
    assert "stream main is of no dialogues: every token of it carries loss" in " ".join(first.stderr.split())
    found = json.loads(first.stdout)
    assert found["step"] == 4  # A tenth of 2,976 tokens in windows of 32, two a step.
    again = sft(folder, *out)
    assert again.exit_code == 0, again.output
    assert "finished already" in again.output
    longer = sft(folder, *out, "schedule.epochs=0.2", "--json")
    assert json.loads(longer.stdout)["step"] == 9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "has no checkpoint yet: give --from CHECKPOINT"),
        (["--from", "nowhere"], "--from nowhere does not exist"),
        (["--from", "PARENT", "schedule.epoch=1"], "did you mean 'epochs'?"),
        (["--from", "PARENT", "schedule.epochs=1e-3"], "are less than one step"),
        (["--from", "PARENT", "--data", "/nowhere"], "/nowhere: there is no such folder"),
        (["--from", "PARENT", "lora.rank=0"], "override 'lora.rank=0'"),
    ],
)
def test_usage_is_refused_with_2(folder: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    given = [str(folder / "parent") if one == "PARENT" else one for one in arguments]
    found = sft(folder, *given, "--out", str(tmp_path / "run"))
    assert found.exit_code == 2, found.output
    assert said in found.stderr
