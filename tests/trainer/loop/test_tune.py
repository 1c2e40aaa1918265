"""A tune: it begins with the weights of another run and nothing else, and its own folder goes on to the bit."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lauter.trainer.checkpoint.read import open_checkpoint, read_weights, slots_of
from lauter.trainer.config.sections import RunSection
from lauter.trainer.config.tune import TuneSection
from lauter.trainer.generate.load import load_model
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.run import train
from lauter.trainer.loop.tune import tuned
from lauter.trainer.model.low_rank import is_low_rank
from tests.trainer.data.corpora import write_corpus
from tests.trainer.loop.language import document, quiet, section, told, write_language


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parent's run, a corpus of dialogues, and one tune of it."""
    found = tmp_path_factory.mktemp("tune")
    write_language(found / "language")
    train(section(found / "language", 4), found / "parent", start=None, console=quiet())
    generator = random.Random(3)
    documents = [document(generator, 20) for _ in range(96)]
    for one in documents:
        one.loss_spans = [11, len(one.tokens)]
    write_corpus(found / "dialogues", {"main": [[documents]]})
    return found


def config(folder: Path, **changes: Any) -> TuneSection:  # noqa: ANN401 - any section
    content: dict[str, Any] = {
        "name": "tuned",
        "precision": "fp32",
        "data": {"corpora": [{"path": str(folder / "dialogues")}], "sequence_length": 32, "packing": "best-fit"},
        "optimizer": {"learning_rate": 1e-2, "beta3": 0.99, "clip": 1.0},
        "schedule": {"epochs": 1},
        "batch": {"sequences": 8, "micro": 4},
        "checkpoint": {"every_steps": 5, "asynchronous": False},
        "metrics": {"peak_flops": 1e12},
    }
    return TuneSection.model_validate({**content, **changes})


def sft(folder: Path, out: Path, start: Path | None, **changes: Any) -> tuple[RunSection, str]:  # noqa: ANN401
    console = quiet()
    run = tuned(config(folder, **changes), "sft", out, start)
    train(run, out, start=start, console=console)
    return run, told(console)


def weights(run: Path) -> dict[str, Tensor]:
    return dict(read_weights(open_checkpoint(run)))


def test_it_begins_with_weights_alone_and_counts_from_0(folder: Path, tmp_path: Path) -> None:
    run, said = sft(folder, tmp_path / "run", folder / "parent")
    assert (run.model.layers, run.model.hidden, run.model.init_std) == (2, 32, 0.1)
    assert f"begins with the weights of {folder / 'parent'}" in said
    assert "trained for 1,024 tokens" in said
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    # 96 dialogues of 22 tokens are 96 windows of 32: 12 steps, each of 8 x 11 labels.
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert {line["targets"] for line in lines} == {8 * 11}
    assert lines[0]["learning_rate"] == 0
    meta = open_checkpoint(tmp_path / "run").meta
    assert (meta["optimizer_steps"], meta["config"]["objective"]) == (12, "sft")
    assert meta["parent"]["checkpoint"] == "step-0000000004"
    assert meta["counts"]["targets"] == 12 * 88
    # The rate of the first step is 0: after it the weights are the parent's.
    first = tmp_path / "first"
    sft(folder, first, folder / "parent", schedule={"total_tokens": 1, "moments_fraction": 0.0})
    assert all(torch.equal(one, other) for one, other in zip(*map(_values, (first, folder / "parent")), strict=True))


def _values(run: Path) -> list[Tensor]:
    return list(weights(run).values())


@pytest.mark.parametrize("lora", [None, {"rank": 2}])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    folder: Path, tmp_path: Path, lora: dict[str, int] | None
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    changes: dict[str, Any] = {} if lora is None else {"lora": lora}
    sft(folder, whole, folder / "parent", **changes)
    shutil.copytree(whole, parts)
    for step in ("step-0000000010", "step-0000000012"):
        shutil.rmtree(parts / "checkpoints" / step)
    _, said = sft(folder, parts, None, **changes)
    assert f"goes on from {parts / 'checkpoints' / 'step-0000000005'}: step 5" in said
    for one, other in zip(*map(_values, (whole, parts)), strict=True):
        assert torch.equal(one, other)


def test_low_rank_parts_are_trained_kept_and_merged(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _, said = sft(folder, out, folder / "parent", lora={"rank": 2, "alpha": 4})
    assert "parameters of low-rank parts are trained here" in said
    checkpoint = open_checkpoint(out)
    assert slots_of(checkpoint) == {"weight", "fast", "slow", "second"}
    merged, base = weights(out), weights(folder / "parent")
    assert merged.keys() == base.keys()
    changed = {name for name in base if not torch.equal(merged[name], base[name])}
    assert changed == {name for name in base if "_proj" in name}
    load_model(checkpoint, torch.float32)
    # Full training from there begins with the merged weights; so does another low-rank one.
    for number, changes in enumerate(({}, {"lora": {"rank": 1}})):
        again = tmp_path / f"again-{number}"
        sft(folder, again, out, schedule={"total_tokens": 1, "moments_fraction": 0.0}, **changes)
        for name, one in weights(again).items():
            torch.testing.assert_close(one, merged[name], rtol=0, atol=0)


def test_frozen_weights_are_rounded_once(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sft(folder, out, folder / "parent", lora={"rank": 2}, precision="bf16", schedule={"total_tokens": 256})
    base = weights(folder / "parent")
    for name, one in weights(out).items():
        if not is_low_rank(name) and "_proj" not in name:
            assert torch.equal(one, base[name].bfloat16().float()), name


def test_what_does_not_go_together_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no checkpoint yet: give --from"):
        sft(folder, tmp_path / "run", None)
    with pytest.raises(ConfigError, match=r"--from .*nowhere does not exist"):
        sft(folder, tmp_path / "run", tmp_path / "nowhere")
    other = {"model": {"preset": "nano", "layers": 1}}
    with pytest.raises(ConfigError, match=r"model\.layers: 2 there, 1 now"):
        sft(folder, tmp_path / "run", folder / "parent", **other)
    chosen = {"preference": {"prompts": ["x"], "reward": {"function": "a:b"}}}
    with pytest.raises(ConfigError, match="`lauter tune sft` learns from answers alone"):
        sft(folder, tmp_path / "run", folder / "parent", **chosen)
    out = tmp_path / "done"
    sft(folder, out, folder / "parent", schedule={"total_tokens": 256})
    with pytest.raises(ConfigError, match="lora: none there"):
        sft(folder, out, None, lora={}, schedule={"total_tokens": 512})
    with pytest.raises(ConfigError, match="objective: sft there, pretrain now"):
        train(section(folder / "language", 9), out, start=None, console=quiet())
