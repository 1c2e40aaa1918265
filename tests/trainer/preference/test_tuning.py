"""The whole of `lauter tune qrpo` on a model of some thousand weights: made, stopped, gone on, and learnt from."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from lauter.trainer.checkpoint.layout import LATEST
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.cli.tune import app
from lauter.trainer.config.load import load_tune
from lauter.trainer.config.sections import RunSection
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.lineage.chain import lineage
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.run import train
from lauter.trainer.preference.rewards import RewardError
from lauter.trainer.preference.tuning import tuned_by_preferences
from tests.trainer.preference.world import PROMPTS, checkpoint, config, prompts

KINDS = ("completions", "rewards", "pairs")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("reference") / "sft")


def tuned(path: Path, out: Path, start: Path | None, said: list[str], *overrides: str) -> RunSection:
    return tuned_by_preferences(load_tune(str(path), overrides, needs_data=False), "qrpo", out, start, said.append)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".staging" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_from_prompts_to_a_model_and_on_from_where_it_stopped(tmp_path: Path, reference: Path) -> None:
    said: list[str] = []
    path, out = config(tmp_path), tmp_path / "run"
    section = tuned(path, out, reference, said)
    data = out / "preferences"
    index = json.loads((data / "preferences.json").read_text())
    assert index["counts"]["prompts"] == PROMPTS
    assert index["counts"]["completions"] == 4 * PROMPTS
    assert index["counts"]["pairs"] >= PROMPTS
    assert index["reward"] == {"function": "tests.trainer.preference.world:reward"}
    assert index["prompts"][0]["name"] == "prompts.jsonl"
    assert str(tmp_path) not in json.dumps(index)
    for name, expected in index["files"].items():
        assert hashlib.sha256((data / name).read_bytes()).hexdigest() == expected
    before = digests(data)

    quiet = Console(quiet=True)
    outcome = train(section, out, start=reference, console=quiet)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    # The reference model is what it begins with: no ratio is anything but 0.
    assert lines[0]["log_ratio_chosen"] == pytest.approx(0, abs=1e-5)
    assert lines[0]["log_ratio_rejected"] == pytest.approx(0, abs=1e-5)
    assert lines[-1]["log_ratio_chosen"] > 0 > lines[-1]["log_ratio_rejected"]
    assert lines[-1]["epochs"]["pairs"] == pytest.approx(
        outcome.samples / (section.schedule.total_tokens / 160), rel=0.2
    )
    learnt = pq.read_table(data / "reference/00000.parquet")
    assert len(learnt) == len(pq.read_table(data / "pairs/00000.parquet"))
    assert max(learnt["chosen"].to_pylist()) < 0
    meta = open_checkpoint(out).meta
    parent = hashlib.sha256((open_checkpoint(reference).path / "files.json").read_bytes()).hexdigest()
    assert meta["parent"]["files_sha256"] == index["reference"]["files_sha256"] == parent
    (provenance,) = meta["data"]["provenance"]
    assert provenance["root"] == hashlib.sha256((data / "preferences.json").read_bytes()).hexdigest()
    assert meta["config"]["objective"] == "qrpo"
    assert [(one.kind, one.state) for one in lineage(out).parents] == [
        ("preferences", "holds"),
        ("checkpoint", "holds"),
    ]

    # Killed in the middle: what is missing is made anew, to the byte; what is there is not asked for again.
    for name in ("preferences.json", "completions/00001.parquet", "rewards/00002.parquet", "pairs/00000.parquet"):
        (data / name).unlink()
    (out / "checkpoints").rename(tmp_path / "aside")
    said.clear()
    tuned(path, out, reference, said)
    assert [line for line in said if "block" in line] == ["completions: block 2 of 3", "rewards: block 3 of 3"]
    assert {name: one for name, one in digests(data).items() if not name.startswith("reference")} == before

    # A run that stopped goes on without --from, and ends with the same bits.
    (tmp_path / "aside").rename(out / "checkpoints")
    ended = weights(out)
    last, latest = open_checkpoint(out).path, out / "checkpoints" / LATEST
    earlier = max(one for one in last.parent.iterdir() if one.is_dir() and one != last)
    latest.write_text(latest.read_text().replace(last.name, earlier.name))
    shutil.rmtree(last)
    again = train(tuned(path, out, None, said), out, start=None, console=quiet)
    assert again.step == outcome.step
    assert weights(out) == ended


def weights(out: Path) -> dict[str, str]:
    return {name: one for name, one in digests(open_checkpoint(out).path).items() if name.endswith(".distcp")}


def test_another_making_does_not_go_on_in_the_same_folder(tmp_path: Path, reference: Path) -> None:
    said: list[str] = []
    path = config(tmp_path)
    with pytest.raises(RewardError, match="gave nan for a reward"):
        tuned(
            path, tmp_path / "run", reference, said, "preference.reward.function=tests.trainer.preference.world:never"
        )
    with pytest.raises(UnfitError, match="of another making; seed, reward differ"):
        tuned(path, tmp_path / "run", reference, said, "seed=3")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["z_loss=0.1"], "both would change what a completion's log-probability is"),
        (["validation={}", "data.hold_out_shards=1"], "there is no held-out text here"),
        (["data.corpora=[{path: x}]"], "preferences are made of preference.prompts"),
        (["preference.largest_beta=0.1"], "0.5, which is not divided by lengths, would always be cut to"),
        (["batch.micro=3"], r"4 is no multiple of batch.micro \(3\)"),
    ],
)
def test_what_has_no_meaning_here_is_refused(tmp_path: Path, reference: Path, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tuned(config(tmp_path), tmp_path / "run", reference, [], *overrides)


def test_what_is_missing_is_told(tmp_path: Path, reference: Path) -> None:
    path = config(tmp_path)
    with pytest.raises(ConfigError, match="give --from CHECKPOINT"):
        tuned(path, tmp_path / "run", None, [])
    with pytest.raises(RewardError, match="no_such_module"):
        tuned(path, tmp_path / "run", reference, [], "preference.reward.function=no_such_module:f")
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\nno json\n')
    with pytest.raises(UnfitError, match=r"bad.jsonl: line 1: (.|\n)*bad.jsonl: line 2: "):
        tuned(path, tmp_path / "other", reference, [], f"preference.prompts=[{tmp_path}/bad.jsonl]")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.sequence_length=256"], "256 is more than the 192 positions"),
        (["preference.references.new_tokens=192"], "192 leave no room for a prompt in the 192 positions"),
    ],
)
def test_what_the_model_has_no_room_for_is_refused(
    tmp_path: Path, reference: Path, overrides: list[str], said: str
) -> None:
    with pytest.raises(UnfitError, match=said):
        tuned(config(tmp_path), tmp_path / "run", reference, [], *overrides)


def test_no_pair_at_all_is_told(tmp_path: Path, reference: Path) -> None:
    path = config(tmp_path, preference={"pairs": {"choice": "published"}})
    with pytest.raises(DataError, match="no prompt has two completions to learn from"):
        tuned(path, tmp_path / "run", reference, [])
    said: list[str] = []
    with pytest.raises(DataError, match="no prompt has two completions to learn from"):
        tuned(path, tmp_path / "short", reference, said, "data.sequence_length=64")
    assert said[-1].startswith(f"{PROMPTS} prompts are left out: in a window of 64 tokens")
    # Two fit a window, but not before so many new tokens.
    with pytest.raises(DataError, match="no prompt has two completions to learn from"):
        tuned(path, tmp_path / "full", reference, said, "preference.references.new_tokens=180")
    assert "or with 180 new tokens are too long for the model; the longest that is taken has 12" in said[-1]


@pytest.mark.slow
def test_the_command_line_tunes_and_measures(tmp_path: Path, reference: Path) -> None:
    path, out = str(config(tmp_path, preference={"pairs": {"choice": "random"}})), str(tmp_path / "run")
    runner = CliRunner()
    few = f"preference.prompts=[{prompts(tmp_path / 'few.jsonl', 2)}]"
    found = runner.invoke(
        app, ["qrpo", path, few, "schedule.epochs=2", "--out", out, "--from", str(reference), "--json"]
    )
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["step"] > 0
    measured = ["measure", path, "--out", out, "--count", "2"]
    found = runner.invoke(app, [*measured, "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["completions"] == 8
    assert "nats a completion" in runner.invoke(app, [*measured[:-1], "1", "--from", str(reference)]).stdout
    too_many = "preference.references.new_tokens=180"
    found = runner.invoke(app, [*measured, too_many])
    assert found.exit_code == 2
    assert "and there is room for 12 before 180 new ones" in found.output.replace("\n", " ")
    # What was asked for is wrong: 2. What failed: 1.
    assert runner.invoke(app, ["dpo", path, "--out", f"{out}-2", "--from", str(reference)]).exit_code == 2
    no_reward = "preference.reward.function=none:f"
    assert runner.invoke(app, ["qrpo", path, no_reward, "--out", f"{out}-3", "--from", str(reference)]).exit_code == 1
    wrong = runner.invoke(app, ["measure", path, "--out", out, "preference.rewards=1"])
    assert wrong.exit_code == 2
    assert "preference" in wrong.output
