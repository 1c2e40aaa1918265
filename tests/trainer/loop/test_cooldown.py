"""A branch that only cools down, when it goes on: its schedule is its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.config.sections import RunSection
from lauter.trainer.loop.cooldown import kept_schedule, with_cooldown
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.run import train
from tests.trainer.loop.language import quiet, section, told, write_language


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("language") / "corpus")


@pytest.fixture(scope="module")
def parent(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parent") / "run"
    train(section(corpus, 4), out, start=None, console=quiet())
    return out


def run(corpus: Path) -> RunSection:
    return section(corpus, 100, checkpoint={"every_steps": 1, "asynchronous": False, "keep": 9})


@pytest.fixture(scope="module")
def whole(corpus: Path, parent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Steps 5 to 8 of 256 tokens, all of them cooldown."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(run(corpus), out, start=parent, console=quiet(), cooldown=1024)
    return out


@pytest.fixture
def half(whole: Path, tmp_path: Path) -> Path:
    """The same, broken off after step 6; LATEST names what is no longer there."""
    out = tmp_path / "half"
    shutil.copytree(whole, out)
    for step in (7, 8):
        shutil.rmtree(out / "checkpoints" / f"step-{step:010d}")
    return out


def rates(out: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["learning_rate"]) for line in lines]


def test_it_counts_from_where_the_branch_began(corpus: Path, whole: Path) -> None:
    assert [step for step, _ in rates(whole)] == [5, 6, 7, 8]
    assert rates(whole)[0][1] == 1e-2
    assert sorted(rates(whole), key=lambda pair: -pair[1]) == rates(whole)
    meta = open_checkpoint(whole).meta
    assert (meta["cooldown"], meta["config"]["schedule"]["total_tokens"]) == (1024, 2048)


@pytest.mark.parametrize("flags", ["none", "all", "cooldown"])
def test_it_goes_on_by_its_own_schedule_whatever_the_parent_did_since(
    corpus: Path, parent: Path, whole: Path, half: Path, tmp_path: Path, flags: str
) -> None:
    moved_on = tmp_path / "parent"
    shutil.copytree(parent, moved_on)
    train(section(corpus, 5), moved_on, start=None, console=quiet())
    console = quiet()
    start = moved_on if flags == "all" else None
    cooldown = None if flags == "none" else 1024
    train(run(corpus), half, start=start, console=console, cooldown=cooldown)
    assert rates(half) == rates(whole)
    kept = "a branch that cools down for 1,024 tokens: its own schedule holds, up to 2,048 tokens"
    assert (kept in told(console)) == (flags == "none")
    assert open_checkpoint(half).meta["changes"] == open_checkpoint(whole).meta["changes"]
    assert open_checkpoint(half).meta["cooldown"] == 1024


def test_the_command_line_may_change_it_and_is_told(corpus: Path, half: Path) -> None:
    console = quiet()
    changed = section(corpus, 7, schedule={"total_tokens": 7 * 256, "final_fraction": 0.7}, checkpoint={"keep": 9})
    train(changed, half, start=None, console=console, schedule=("total_tokens",))
    assert "its own schedule holds, but for schedule.total_tokens, up to 1,792 tokens" in told(console)
    assert "schedule.total_tokens: 2048 there, 1792 now" in told(console)
    schedule = open_checkpoint(half).meta["config"]["schedule"]
    assert (schedule["total_tokens"], schedule["cooldown_tokens"], schedule["final_fraction"]) == (1792, 1024, 0.1)


def test_what_does_not_go_together_is_refused(corpus: Path, parent: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--cooldown needs --from"):
        train(section(corpus, 9), tmp_path / "new", start=None, console=quiet(), cooldown=512)
    with pytest.raises(ConfigError, match="--cooldown needs --from"):
        train(section(corpus, 9), parent, start=None, console=quiet(), cooldown=512)
    warming = section(corpus, 99, schedule={"total_tokens": 9999, "warmup_tokens": 2000})
    with pytest.raises(ConfigError, match=r"the checkpoint has 1024 tokens, and the warm-up \(2000 tokens\)"):
        with_cooldown(warming, {"progress": {"tokens": 1024}}, 512)
    kept = section(corpus, 8, schedule={"total_tokens": 2048, "cooldown_tokens": 1024}).schedule.model_dump()
    with pytest.raises(ConfigError, match=r"schedule\.total_tokens=256: does not go with the schedule"):
        kept_schedule(section(corpus, 1), kept, ("total_tokens",))
