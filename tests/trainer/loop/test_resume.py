"""What a run may change when it goes on, and what a branch may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lauter.trainer.checkpoint.read import model_shape_of, open_checkpoint, read_weights, write_weights_only
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.resume import identity, identity_of, require_fitting
from lauter.trainer.loop.run import train
from lauter.trainer.model.presets import PRESETS
from tests.trainer.loop.language import quiet, section, told, write_language

SHAPE = PRESETS["nano"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("language") / "corpus")


@pytest.fixture(scope="module")
def parent(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parent") / "run"
    train(section(corpus, 4), out, start=None, console=quiet())
    return out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 29}, ["seed: 28 there, 29 now", "data.seed: 28 there, 29 now"]),
        ({"precision": "fp64"}, ["precision: fp32 there, fp64 now"]),
        ({"optimizer": {"name": "adamw"}}, ["optimizer.name: ademamix there, adamw now"]),
        ({"data": {"sequence_length": 16}}, ["data.sequence_length: 32 there, 16 now"]),
        ({"data": {"goldfish": {"k": 7}}}, ["data.goldfish.k: none there, 7 now"]),
        ({"data": {"hold_out_shards": 1}}, ["data.streams.main.tokens"]),
        (
            {"model": {"preset": "nano", "layers": 1, "hidden": 32, "feed_forward": 64, "heads": 2, "kv_heads": 1}},
            ["model.layers: 2 there, 1 now", "model.head_dim: 16 there, 32 now", "model.init_std: 0.1 there, 0.03 now"],
        ),
    ],
)
def test_another_run_is_refused_with_keys_and_both_values(
    corpus: Path, parent: Path, changes: dict[str, object], said: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        train(section(corpus, 8, **changes), parent, start=None, console=quiet())
    for one in said:
        assert one in str(error.value)
    assert "give another --out" in str(error.value)


def test_other_data_are_refused(parent: Path, tmp_path: Path) -> None:
    other = write_language(tmp_path / "corpus", rows=41)
    with pytest.raises(ConfigError, match=r"data\.streams\.main\.tokens: 14880 there, 15252 now"):
        train(section(other, 8), parent, start=None, console=quiet())


def test_a_branch_goes_on_with_moments_and_knows_its_parent(corpus: Path, parent: Path, tmp_path: Path) -> None:
    console = quiet()
    run = section(corpus, 6, optimizer={"learning_rate": 1e-3, "warmup_steps": 10, "beta3": 0.99, "clip": 1.0})
    train(run, tmp_path / "branch", start=parent, console=console)
    assert "moments included: step 4" in told(console)
    meta = open_checkpoint(tmp_path / "branch").meta
    assert meta["progress"] == {"step": 6, "samples": 48, "tokens": 1536}
    assert meta["optimizer_steps"] == 6
    assert meta["parent"]["checkpoint"] == "step-0000000004"
    assert meta["parent"]["progress"]["tokens"] == 1024
    assert meta["parent"]["data"]["provenance"] == meta["data"]["provenance"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "branch" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [5, 6]


def test_a_branch_without_a_change_is_the_run_itself(corpus: Path, parent: Path, tmp_path: Path) -> None:
    train(section(corpus, 6), tmp_path / "branch", start=parent, console=quiet())
    train(section(corpus, 6), tmp_path / "whole", start=None, console=quiet())
    for (name, one), (_, other) in zip(
        read_weights(open_checkpoint(tmp_path / "branch")),
        read_weights(open_checkpoint(tmp_path / "whole")),
        strict=True,
    ):
        assert one.equal(other), name


def test_a_folder_with_a_run_takes_no_other_start(corpus: Path, parent: Path, tmp_path: Path) -> None:
    train(section(corpus, 1), tmp_path / "own", start=None, console=quiet())
    with pytest.raises(ConfigError, match=r"holds a run already, which began at its first step; give another --out"):
        train(section(corpus, 2), tmp_path / "own", start=parent, console=quiet())


def test_moments_that_both_optimizers_have_are_kept(corpus: Path, parent: Path, tmp_path: Path) -> None:
    console = quiet()
    adamw = {"name": "adamw", "learning_rate": 1e-3}
    train(section(corpus, 5, optimizer=adamw), tmp_path / "adamw", start=parent, console=console)
    assert "optimizer.name: ademamix there, adamw now" in told(console)
    assert "moments included" in told(console)
    train(section(corpus, 6), tmp_path / "back", start=tmp_path / "adamw", console=console)
    assert "its moments slow start at 0, as it has none: step 5" in told(console)
    assert open_checkpoint(tmp_path / "back").meta["optimizer_steps"] == 6


def imported(parent: Path, out: Path, change: Callable[[bytes], bytes] = lambda content: content) -> Path:
    """The parent's weights and tokenizer as an import leaves them."""
    checkpoint = open_checkpoint(parent)
    tokenizer = change((checkpoint.path / "tokenizer" / "tokenizer.json").read_bytes())
    meta = {"tokenizer": {"digest": None, "bos": 1, "eos": 2}, "parent": {"form": "huggingface", "name": "x"}}
    write_weights_only(out, model_shape_of(checkpoint), read_weights(checkpoint), meta, {"tokenizer.json": tokenizer})
    return out


def test_an_import_starts_with_its_weights_at_step_0(corpus: Path, parent: Path, tmp_path: Path) -> None:
    start = imported(parent, tmp_path / "imported")
    before = json.loads((parent / "metrics.jsonl").read_text().splitlines()[-1])
    console = quiet()
    train(section(corpus, 2), tmp_path / "run", start=start, console=console)
    assert "its moments fast, second, slow start at 0, as it has none: step 0" in told(console)
    first = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["samples"] == 8
    assert first["loss"] < before["loss"] < 6.0
    meta = open_checkpoint(tmp_path / "run").meta
    assert meta["optimizer_steps"] == 2
    assert meta["parent"]["parent"] == {"form": "huggingface", "name": "x"}


def test_a_run_does_not_go_on_in_the_folder_of_an_import(corpus: Path, parent: Path, tmp_path: Path) -> None:
    start = imported(parent, tmp_path / "imported")
    with pytest.raises(ConfigError, match="holds an imported model; give another --out, and --from"):
        train(section(corpus, 2), start, start=None, console=quiet())


def test_an_import_of_another_vocabulary_is_refused(corpus: Path, parent: Path, tmp_path: Path) -> None:
    start = imported(parent, tmp_path / "imported", lambda content: content.replace(b'"t77"', b'"other"'))
    with pytest.raises(ConfigError, match="id 77 is 't77' in the corpus and 'other' in the model"):
        train(section(corpus, 2), tmp_path / "run", start=start, console=quiet())


def test_other_data_are_read_from_their_first_sample(parent: Path, tmp_path: Path) -> None:
    console = quiet()
    other = write_language(tmp_path / "corpus", rows=41)
    train(section(other, 6), tmp_path / "branch", start=parent, console=console)
    assert "these are read from their first sample on" in told(console)
    assert open_checkpoint(tmp_path / "branch").meta["progress"] == {"step": 6, "samples": 16, "tokens": 1536}


def test_a_branch_may_lengthen_positions_but_not_change_tensors(corpus: Path, parent: Path) -> None:
    checkpoint = open_checkpoint(parent)
    before = identity_of(checkpoint.meta)
    assert require_fitting(checkpoint, {**before, "model.positions": 4096, "seed": 1}) == [
        "model.positions: 1024 there, 4096 now",
        "seed: 28 there, 1 now",
    ]
    with pytest.raises(ConfigError, match=r"model\.hidden: 32 there, 64 now"):
        require_fitting(checkpoint, {**before, "model.hidden": 64})


def test_what_a_checkpoint_says_of_itself_is_what_the_run_said(corpus: Path, parent: Path) -> None:
    now = identity_of(open_checkpoint(parent).meta)
    assert set(identity(section(corpus, 1), SHAPE, "t", "f")) == set(now)
