"""Two passes against autograd of the loss itself, in one process and in every layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lauter.trainer.config.load import load_tune
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loop.run import train
from lauter.trainer.loop.step import gradient
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.passes import WholeModel
from lauter.trainer.preference.objective import PreferenceObjective, log_probabilities
from lauter.trainer.preference.tuning import tuned_by_preferences
from tests.trainer.loop.language import quiet
from tests.trainer.parallel.processes import spawn
from tests.trainer.parallel.proof import ALONE, laid_out, windows
from tests.trainer.preference.layouts import CASES, LOSSES, MICRO, PAIRS, step, two
from tests.trainer.preference.pairs import direct, pairs
from tests.trainer.preference.world import checkpoint, config


@pytest.fixture(scope="module")
def model() -> Apertus:
    return laid_out(ALONE.ranks, ParallelSection(), "fp64")[0]


@pytest.mark.parametrize("name", LOSSES)
def test_two_passes_give_the_gradient_of_the_loss(model: Apertus, name: str) -> None:
    found = step(ALONE.ranks, ParallelSection(), name)
    batches = [pairs(range(at, at + MICRO)) for at in range(0, PAIRS, MICRO)]
    model.zero_grad()
    loss, log_probability = direct(model, batches, LOSSES[name])
    loss.backward()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-13)
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None
        scale = float(parameter.grad.abs().max())
        assert scale > 0
        assert (found["gradient"][key] - parameter.grad).abs().max() <= 1e-12 * max(1.0, scale), key
    references = torch.cat([batch.completions.reference for batch in batches if batch.completions is not None])
    ratios = (log_probability - references).detach()
    assert found["measures"]["log_ratio_chosen"] == pytest.approx(float(ratios[0::2].mean()), rel=1e-12)
    assert found["measures"]["log_ratio_rejected"] == pytest.approx(float(ratios[1::2].mean()), rel=1e-12)
    assert found["measures"]["pairs_in_order"] == float((ratios[0::2] > ratios[1::2]).double().mean())
    assert found["measures"]["pairs"] == PAIRS


@pytest.mark.slow
def test_every_layout_gives_what_one_process_does(tmp_path: Path) -> None:
    checkpoint(tmp_path / "sft")
    path = config(tmp_path)
    spawn({2: two}, tmp_path)
    every = {name: step(ALONE.ranks, ParallelSection(), name) for name in LOSSES}
    for layout, name in CASES:
        alone, found = every[name], torch.load(tmp_path / f"{layout}-{name}.pt")
        assert found["loss"] == pytest.approx(alone["loss"], rel=1e-12), layout
        assert found["measures"] == pytest.approx(alone["measures"], rel=1e-12), layout
        assert found["gradient"].keys() == alone["gradient"].keys()
        for key, expected in alone["gradient"].items():
            bar = 1e-12 * max(1.0, float(expected.abs().max()))
            assert (found["gradient"][key] - expected).abs().max() <= bar, (layout, name, key)
    both_made_what_one_process_makes(path, tmp_path)


def both_made_what_one_process_makes(path: Path, folder: Path) -> None:
    alone = folder / "alone"
    section = load_tune(str(path), needs_data=False)
    train(
        tuned_by_preferences(section, "dpo", alone, folder / "sft", print), alone, start=folder / "sft", console=quiet()
    )
    for kind in ("completions", "rewards", "pairs"):
        for block in range(3):
            name = f"preferences/{kind}/{block:05d}.parquet"
            assert (folder / "run" / name).read_bytes() == (alone / name).read_bytes()
    lines, expected = (
        [json.loads(line) for line in (one / "metrics.jsonl").read_text().splitlines()]
        for one in (folder / "run", alone)
    )
    for one, other in zip(lines, expected, strict=True):
        for key in ("loss", "gradient_norm", "log_ratio_chosen", "log_ratio_rejected", "pairs"):
            assert one[key] == pytest.approx(other[key], rel=1e-3, abs=1e-5), key


def test_a_completion_is_counted_once_and_nothing_else(model: Apertus) -> None:
    batch = pairs(range(2))
    passes = WholeModel(model, ALONE)
    found = log_probabilities(passes, [batch], ALONE)
    assert batch.completions is not None
    one = batch.completions.of == 1
    ((_, losses),) = passes.token_losses(iter([batch]))
    assert float(found[1]) == pytest.approx(-float(losses[one].sum()), rel=1e-14)
    assert float(found.sum()) == pytest.approx(-float(losses.sum()), rel=1e-14)


def test_other_data_are_refused(model: Apertus) -> None:
    *_, optimizer, grid = laid_out(ALONE.ranks, ParallelSection(), "fp64")
    objective = PreferenceObjective(LOSSES["dpo"])
    with pytest.raises(ValueError, match="pairs of completions, which this batch has not"):
        gradient(WholeModel(model, ALONE), optimizer, [windows(range(2))], z_loss=0.0, axes=grid, objective=objective)


def test_a_weighted_batch_is_the_same_wherever_it_is_split(model: Apertus) -> None:
    batch = pairs(range(4))
    found = PreferenceObjective(LOSSES["qrpo"]).weigh(WholeModel(model, ALONE), [batch], ALONE)
    (weighted,) = found.batches
    assert weighted.weights is not None
    assert not weighted.weights[batch.labels < 0].any()
    assert weighted == replace(batch, weights=weighted.weights)
