"""What `make train-demo` ends with: the verdict on a run, and the same text from transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.loop.run import train
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from quickstart import continue_text, judge_run
from tests.trainer.generate.byte_tokenizer import files
from tests.trainer.loop.language import quiet, section, write_language

pytestmark = pytest.mark.slow


def _train(folder: Path, corpus: Path, steps: int) -> Path:
    held_out = {"data": {"hold_out_shards": 1}, "validation": {"every_steps": 1000, "sequences": 64}}
    train(section(corpus, steps, **held_out), folder, start=None, console=quiet())
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("corpus") / "corpus", rows=20)


@pytest.fixture(scope="module")
def learnt(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(tmp_path_factory.mktemp("run") / "learnt", corpus, 40)


def test_a_run_that_learnt_passes(learnt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loss, entropy, targets = judge_run.judge(learnt)
    # ln 100 = 4.6 for 100 words that are alike often; these 400 tokens are not quite.
    assert 4.2 < entropy < 4.7
    assert loss < 0.8 * entropy
    last = json.loads((learnt / "metrics.jsonl").read_text().splitlines()[-1])
    assert (loss, targets) == (last["held_out"]["loss"], last["held_out"]["targets"])
    assert judge_run.main([str(learnt)]) == 0
    assert f"unigram entropy  {entropy:.4f} nats" in capsys.readouterr().out


def test_a_run_that_learnt_nothing_fails(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge_run.main([str(_train(tmp_path / "run", corpus, 1))]) == 1
    assert "at least 15% is wanted" in capsys.readouterr().out


def test_what_cannot_be_judged_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge_run.main([str(tmp_path)]) == 1
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    assert judge_run.main([str(tmp_path)]) == 1
    assert "has no held-out loss yet" in capsys.readouterr().err


def _model(folder: Path, seed: int) -> tuple[Path, Path]:
    """A checkpoint of first values, and its export."""
    shape = ModelShape(2, 32, 64, 4, 2, 8, 384, 64, init_std=0.3)
    model = Apertus(shape)
    initialise(model, seed)
    meta = {"tokenizer": {"bos": 1, "eos": 2, "pad": 3, "ids": 272, "digest": None}}
    write_weights_only(folder / "run", shape, iter(model.state_dict().items()), meta, files())
    command = ["export", "hf", str(folder / "run"), "--out", str(folder / "export"), "--dtype", "fp32"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return folder / "run", folder / "export"


def test_transformers_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, export = _model(tmp_path, 1)
    assert continue_text.main([str(run), str(export), "a ferry", "漢"]) == 0
    assert capsys.readouterr().out.count("token by token the same") == 2


def test_another_model_says_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = _model(tmp_path / "one", 1)
    _, export = _model(tmp_path / "other", 2)
    assert continue_text.main([str(run), str(export), "a ferry"]) == 1
    assert "DIFFERENT" in capsys.readouterr().out
