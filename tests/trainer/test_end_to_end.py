"""From shards to a model that has learned their language, in two parts, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from tests.trainer.loop.language import section, write_language


@pytest.mark.slow
def test_a_language_is_learned_saved_and_continued(tmp_path: Path) -> None:
    corpus = write_language(tmp_path / "corpus", rows=45)
    run = section(
        corpus,
        40,
        precision="bf16",
        optimizer={"learning_rate": 1e-2, "warmup_steps": 0, "beta3": 0.9, "alpha": 2.0, "clip": 1.0},
        data={"hold_out_shards": 1, "goldfish": {"k": 20, "h": 4}},
        schedule={"total_tokens": 40 * 256, "warmup_tokens": 1024, "cooldown_tokens": 1024},
        checkpoint={"every_steps": 20, "asynchronous": True},
        validation={"every_steps": 20, "sequences": 32},
        sampling={"every_steps": 40, "prompts": ["t20"], "new_tokens": 8},
        metrics={"tensorboard": True, "profile_step": 2, "peak_flops": 1e12},
    ).model_dump(mode="json", exclude_none=True)
    del run["data"]["corpora"]
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(run))
    out = tmp_path / "out"
    command = ["train", str(config), "--data", str(corpus), "--out", str(out), "--json"]
    first = CliRunner().invoke(app, [*command, "schedule.total_tokens=5120", "schedule.cooldown_tokens=0"])
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["step"] == 20
    second = CliRunner().invoke(app, command)
    assert second.exit_code == 0, second.output
    found = json.loads(second.stdout)
    assert (found["step"], found["tokens"], found["stopped_by"]) == (40, 40 * 256, None)
    # Each word is followed by one of two, 9 times in 10 by the same: 0.33 nats and what ends a document.
    assert found["held_out"]["loss"] < 0.6 * found["unigram_entropy"]
    assert found["unigram_entropy"] == pytest.approx(4.6, abs=0.2)
    assert set(found["held_out"]["languages"]) == {"deu_Latn", "fra_Latn"}
    assert Path(found["checkpoint"], "meta.json").is_file()

    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert [line["step"] for line in lines if "held_out" in line] == [20, 40]
    assert sum(line["goldfish_rate"] for line in lines) / 40 == pytest.approx(1 / 20, rel=0.25)
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [(sample["step"], sample["prompt"]) for sample in samples] == [(20, "t20"), (40, "t20")]
    assert json.loads((out / "config.json").read_text())["data"]["corpora"][0]["path"] == str(corpus)
    assert (out / "profile" / "step-2.rank-0.json").is_file()
    assert any((out / "tensorboard").iterdir())
