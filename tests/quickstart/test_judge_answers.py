"""Whether a tuned model answers: the verdict, and the proof that one learns to in minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from quickstart import instructions, judge_answers
from tests.trainer.generate.byte_tokenizer import files


def _untrained(folder: Path) -> Path:
    shape = ModelShape(1, 16, 32, 2, 1, 8, 384, 512, init_std=0.3)
    model = Apertus(shape)
    initialise(model, 1)
    meta = {"tokenizer": {"bos": 1, "eos": 2, "pad": 3, "ids": 384, "digest": None}}
    write_weights_only(folder, shape, iter(model.state_dict().items()), meta, files())
    return folder


def test_a_model_that_learnt_nothing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_answers, "NEW_TOKENS", 4)
    instructions.write(tmp_path, train=10, test=8, opened=1)
    run, file = str(_untrained(tmp_path / "run")), str(tmp_path / "held-out.jsonl")
    assert judge_answers.main([run, file]) == 1
    said = capsys.readouterr()
    assert "deu_Latn 0.0%" in said.out and "opposite 0.0%" in said.out
    assert "right answers in" in said.err
    assert judge_answers.main([run, file, "--least", "0"]) == 0


def test_the_whole_answer_must_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instructions.write(tmp_path, train=10, test=8, opened=1)
    rows = [json.loads(line) for line in (tmp_path / "held-out.jsonl").read_text().splitlines()]
    right = [row["messages"][-1]["content"] for row in rows]
    run = _untrained(tmp_path / "run")
    for said, share in ((right, 1.0), ([f"{one}." for one in right], 0.0)):
        monkeypatch.setattr(judge_answers, "answers", lambda *_, said=said: iter(said))
        assert set(judge_answers.judge(run, rows)["language"].values()) == {share}
