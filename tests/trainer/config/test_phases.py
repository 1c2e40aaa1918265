"""Phases: what they change of a config, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.yaml_lines import ManifestError
from lauter.trainer.config.load import load, phases

TEXT = """\
name: toy
model: {preset: nano, rope_theta: 5e5}
data:
  corpora:
    - path: corpora/one
  sequence_length: 512
  goldfish: {k: 4}
  stages:
    - {name: first, tokens: 1000}
    - name: rest
optimizer: {learning_rate: 1e-3}
schedule:
  total_tokens: 1_000_000
  warmup_tokens: 1000
  cooldown_tokens: 2000
batch:
  sequences: 16
  micro: 4
  ramp:
    - {from_tokens: 500_000, sequences: 32}
phases:
  - name: longer
    tokens: 200_000
    model: {positions: 8192, rope_theta: 1e6}
    data: {sequence_length: 2048}
    schedule: {warmup_tokens: 5000}
    batch: {sequences: 4, micro: 1}
  - name: longest
    tokens: 1e5
    model: {positions: 8192, rope_theta: 4e6}
    data: {sequence_length: 8192, stages: [{name: only}]}
    optimizer: {learning_rate: 1e-4}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "toy.yaml"
    path.write_text(TEXT)
    return str(path)


def refused(config: str, old: str, new: str, phase: str | None = None) -> list[str]:
    path = Path(config)
    assert old in TEXT
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(ManifestError) as error:
        load(config, phase=phase)
    return error.value.problems


def test_a_phase_changes_what_it_names_and_keeps_the_rest(config: str) -> None:
    base, longer = load(config), load(config, phase="longer")
    assert (longer.data.sequence_length, longer.model.rope_theta) == (2048, 1e6)
    assert longer.data.goldfish == base.data.goldfish
    assert longer.data.corpora == base.data.corpora
    assert longer.optimizer == base.optimizer
    assert longer.name == base.name
    assert load(config, phase="longest").optimizer.learning_rate == 1e-4


def test_the_tokens_of_phases_count_on(config: str) -> None:
    longer, longest = load(config, phase="longer").schedule, load(config, phase="longest").schedule
    assert (longer.from_tokens, longer.total_tokens) == (1_000_000, 1_200_000)
    assert (longest.from_tokens, longest.total_tokens) == (1_200_000, 1_300_000)


def test_warm_up_cooldown_stages_and_ramp_are_each_runs_own(config: str) -> None:
    longer, longest = load(config, phase="longer"), load(config, phase="longest")
    assert (longer.schedule.warmup_tokens, longer.schedule.cooldown_tokens) == (5000, 0)
    assert (longest.schedule.warmup_tokens, longest.schedule.cooldown_tokens) == (0, 0)
    assert longer.data.stages == ()
    assert [stage.name for stage in longest.data.stages] == ["only"]
    assert longer.batch.ramp == longest.batch.ramp == ()


def test_overrides_of_phases_and_of_the_run(config: str) -> None:
    assert phases(config) == ["longer", "longest"]
    found = load(config, ["phases.0.tokens=5e5", "optimizer.learning_rate=2e-5"], phase="longest")
    assert found.schedule.from_tokens == 1_500_000
    assert found.optimizer.learning_rate == 2e-5


def test_overrides_of_the_first_training_do_not_reach_its_phases(config: str) -> None:
    # Each of these once made the first training fail over a phase, or moved the end of the phase.
    short = "schedule.total_tokens=600_000"
    given = [short, "schedule.warmup_tokens=300_000", "data.stages.0.tokens=10", "batch.ramp.0.sequences=64"]
    first = load(config, given)
    assert (first.schedule.total_tokens, first.schedule.warmup_tokens) == (600_000, 300_000)
    schedule = load(config, [short], phase="longer").schedule
    assert (schedule.from_tokens, schedule.total_tokens) == (600_000, 800_000)
    assert load(config, ["schedule.warmup_tokens=7"], phase="longer").schedule.warmup_tokens == 7


def test_a_fault_in_a_phase_is_told_before_the_first_training(config: str) -> None:
    (problem,) = refused(config, "data: {sequence_length: 2048}", "data: {sequence_lenth: 2048}")
    assert "toy.yaml:25: " in problem
    assert "sequence_length" in problem
    (problem,) = refused(config, "{name: only}", "{name: Only!}", phase="longest")
    assert problem.startswith(f"{config}:31: phases.1.data.stages.0.name")


def test_wrong_lists_of_phases(config: str) -> None:
    (problem,) = refused(config, "name: longest", "name: longer")
    assert problem.startswith(f"{config}:28: ")
    assert "'longer' stands twice" in problem
    assert refused(config, "tokens: 200_000\n", "tokens: none\n")
    (problem,) = refused(config, "name: toy", "name: toy", phase="short")
    assert "no phase is called 'short'; there are: longer, longest" in problem
    (problem,) = refused(config, "phases:\n", "phases: {}\nothers:\n")
    assert "expected a list of phases" in problem
