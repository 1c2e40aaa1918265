"""What a run carries along: its parent, states of its corpora, changes of its config."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.storage import Storage
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.lineage import read_on
from lauter.trainer.loop.run import train
from tests.trainer.data.corpora import publish
from tests.trainer.loop.language import quiet, section, told, write_language


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("language") / "corpus")


@pytest.fixture(scope="module")
def parent(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parent") / "run"
    train(section(corpus, 4), out, start=None, console=quiet())
    return out


def taken_down(corpus: Path, demands: int) -> None:
    """The corpus as after a takedown that found nothing in a shard: another root, the same layout."""
    index = json.loads((corpus / "tokens" / "index.json").read_bytes())
    before = json.loads((corpus / "corpus.json").read_bytes())
    other = before.pop("files")["other"]
    before.pop("root")
    publish(Storage(str(corpus)), index, other, {**before, "takedown": {"demands": demands, "sha256": "d" * 64}})


def test_both_states_of_a_corpus_stay_known_after_a_takedown(tmp_path: Path) -> None:
    corpus, out = write_language(tmp_path / "corpus"), tmp_path / "run"
    train(section(corpus, 2), out, start=None, console=quiet())
    data = open_checkpoint(out).meta["data"]
    (first,) = data["provenance"]
    assert list(data["language_tokens"]) == data["languages"]
    taken_down(corpus, 3)
    console = quiet()
    train(section(corpus, 3), out, start=None, console=console)
    (second,) = open_checkpoint(out).meta["data"]["provenance"]
    assert f"corpus corpus is another state of itself: root {first['root']} -> {second['root']}" in told(console)
    assert "takedown: 0 -> 3 demands for removal" in told(console)
    train(section(corpus, 4), out, start=None, console=quiet())
    expected = [{"from_sample": 0, "provenance": [first]}, {"from_sample": 16, "provenance": [second]}]
    assert open_checkpoint(out).meta["data"]["history"] == expected
    # A branch has a history of its own; its parent's stays known.
    train(section(corpus, 5), tmp_path / "branch", start=out, console=quiet())
    meta = open_checkpoint(tmp_path / "branch").meta
    assert meta["data"]["history"] == [{"from_sample": 32, "provenance": [second]}]
    assert meta["parent"]["data"]["history"] == expected


def test_corpora_that_come_and_go_are_told() -> None:
    one, two = ({"name": name, "root": name * 4, "takedown": None} for name in "ab")
    history = [{"from_sample": 0, "provenance": [one]}]
    assert read_on(history, [one], 9) == (history, [])
    found, said = read_on(history, [two], 9)
    assert found == [*history, {"from_sample": 9, "provenance": [two]}]
    assert said == ["corpus a is no longer read (root aaaa)", "corpus b is new (root bbbb)"]


def test_every_change_of_the_config_is_told_and_kept(corpus: Path, tmp_path: Path) -> None:
    train(section(corpus, 2), tmp_path, start=None, console=quiet())
    assert open_checkpoint(tmp_path).meta["changes"] == []
    optimizer = {"learning_rate": 2e-2, "warmup_steps": 10, "beta3": 0.9, "clip": None, "weight_decay": 0.0}
    changed: dict[str, Any] = {"optimizer": optimizer, "z_loss": 1e-4, "guard": {"skips": 5}, "data": {"stages": []}}
    console = quiet()
    train(section(corpus, 3, **changed), tmp_path, start=None, console=console)
    pairs = {
        "optimizer.learning_rate": (1e-2, 2e-2),
        "optimizer.beta3": (0.99, 0.9),
        "optimizer.weight_decay": (0.1, 0.0),
        "optimizer.clip": (1.0, None),
        "schedule.total_tokens": (512, 768),
        "z_loss": (0.0, 1e-4),
        "guard.skips": (3, 5),
    }
    for key, (before, after) in pairs.items():
        now = "none" if after is None else after
        (line,) = [line for line in told(console).splitlines() if f"{key}: {before} there, {now} now" in line]
        assert line.startswith(f"changed since step-0000000002: {key.partition('.')[0]}")
    assert told(console).count("changed since") == 4
    found = open_checkpoint(tmp_path).meta["changes"]
    assert found == [
        {"step": 2, "key": key, "before": before, "after": after} for key, (before, after) in sorted(pairs.items())
    ]
    train(section(corpus, 4, **changed), tmp_path, start=None, console=quiet())
    last = {"step": 3, "key": "schedule.total_tokens", "before": 768, "after": 1024}
    assert open_checkpoint(tmp_path).meta["changes"] == [*found, last]


def test_the_parent_may_be_spelt_otherwise_moved_or_have_trained_on(
    corpus: Path, parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, out = tmp_path / "own", tmp_path / "branch"
    shutil.copytree(parent, own)
    train(section(corpus, 5), out, start=own, console=quiet())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(own)
    spelt = [Path("own"), tmp_path / "x" / ".." / "own", tmp_path / "link", own / "checkpoints", parent]
    step = "checkpoints/step-0000000004"
    (tmp_path / "x").mkdir()
    for start in [*spelt, own / step, tmp_path / "link" / step]:
        train(section(corpus, 5), out, start=start, console=quiet())
    # Its path is enough where the checkpoint is gone.
    train(section(corpus, 6), own, start=None, console=quiet())
    shutil.rmtree(own / step)
    train(section(corpus, 5), out, start=tmp_path / "link", console=quiet())
    shutil.rmtree(own)
    train(section(corpus, 5), out, start=Path("own"), console=quiet())


def test_another_parent_is_refused(corpus: Path, parent: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "branch", tmp_path / "other"
    train(section(corpus, 5), out, start=parent, console=quiet())
    train(section(corpus, 4, seed=29), other, start=None, console=quiet())
    for start in (other, other / "checkpoints" / "step-0000000004", tmp_path / "nothing"):
        with pytest.raises(ConfigError, match=r"holds a run already, which began from step-0000000004 of"):
            train(section(corpus, 5), out, start=start, console=quiet())


def stages(*lengths: int | None) -> dict[str, Any]:
    return {"stages": [{"name": f"s{number}", "tokens": length} for number, length in enumerate(lengths)]}


def test_later_stages_may_change_when_a_run_goes_on(corpus: Path, tmp_path: Path) -> None:
    train(section(corpus, 2, data=stages(1024, 2048)), tmp_path, start=None, console=quiet())
    console = quiet()
    train(section(corpus, 3, data=stages(1024, 512, None)), tmp_path, start=None, console=console)
    assert "data.stages.1.tokens: 2048 there, 512 now" in told(console)
    assert "data.stages.2.name: none there, s2 now" in told(console)
    found = open_checkpoint(tmp_path).meta
    assert found["progress"] == {"step": 3, "samples": 24, "tokens": 768}
    with pytest.raises(ConfigError, match=r"data\.stages\.1\.first: 32 there, 16 now"):
        train(section(corpus, 4, data=stages(512, None)), tmp_path, start=None, console=quiet())


def test_a_branch_with_other_later_stages_goes_on_at_its_sample(corpus: Path, parent: Path, tmp_path: Path) -> None:
    console = quiet()
    data = {"stages": [{"name": "all", "tokens": 5 * 256}, {"name": "rest"}]}
    train(section(corpus, 6, data=data), tmp_path / "branch", start=parent, console=console)
    assert "read from their first sample" not in told(console)
    assert "data.stages.1.name: none there, rest now" in told(console)
    meta = open_checkpoint(tmp_path / "branch").meta
    assert meta["progress"] == {"step": 6, "samples": 48, "tokens": 1536}
    assert {"step": 4, "key": "data.stages.0.name", "before": None, "after": "all"} in meta["changes"]
