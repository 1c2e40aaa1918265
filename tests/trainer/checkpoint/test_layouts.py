"""Any layout of a real model loads the checkpoints of any other, and a run goes on in another layout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.read import open_checkpoint, read_weights
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.generate.generate import Generated, generate
from lauter.trainer.generate.load import load_model
from lauter.trainer.huggingface.export import export_hf
from lauter.trainer.huggingface.importing import import_hf
from lauter.trainer.loop.run import train
from lauter.trainer.loop.state import begin
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.ranks import Ranks
from tests.trainer.checkpoint import layouts
from tests.trainer.checkpoint.layouts import (
    ALL_LEGS,
    LAYOUTS,
    LEGS,
    SHAPE,
    at,
    clear,
    digest,
    holds_noise,
    made,
    noise,
    run,
    weights,
    whole,
)
from tests.trainer.loop.language import quiet, write_language
from tests.trainer.parallel.processes import spawn

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.mark.slow
def test_checkpoints_are_free_of_layouts(tmp_path: Path) -> None:
    # One test, as starting four processes takes longer than what they do.
    write_language(tmp_path / "language")
    alone = made(ALONE, ParallelSection())
    begin(*alone, seed=7)
    begun = digest(whole(weights(*alone)))
    state = at(tmp_path / "one", ALONE, alone)
    with torch.no_grad():
        for name, one in state.tensors().items():
            one.copy_(noise(name, one.shape))
    state.save(1)
    spawn({4: layouts.four}, tmp_path)
    found = [json.loads((tmp_path / f"found{rank}.json").read_text()) for rank in range(4)]
    for name in LAYOUTS:
        its_first_values_are_those_of_one_process(begun, [one[f"{name} begins"] for one in found])
        for other in ("one", *LAYOUTS):
            if other != name:
                assert [one[f"{other} to {name}"] for one in found] == [True] * 4, f"{other} to {name}"
        state = at(tmp_path / name, ALONE, alone)
        clear(state)
        state.load()
        assert holds_noise(state.tensors()), name
    copies_that_differ_are_refused(found)
    the_checkpoint_before_a_broken_one_is_taken(found)
    a_layer_that_nobody_asks_for_is_refused(found)
    a_run_goes_on_in_other_layouts(tmp_path, len(LEGS), SHAPE.layers)
    it_says_what_changed(found[0]["told"])
    what_any_layout_saved_is_exported_imported_and_sampled(tmp_path)


def its_first_values_are_those_of_one_process(alone: dict[str, float], found: list[dict[str, float]]) -> None:
    together: dict[str, float] = {}
    for one in found:
        for name, value in one.items():
            assert together.setdefault(name, value) == value, name
    assert together == alone


def copies_that_differ_are_refused(found: list[dict[str, Any]]) -> None:
    where = {
        "tensor-fsdp": "weight.model.layers.1.self_attn.q_norm.weight (rank 2 and rank 3 hold different values)",
        "hsdp": "slow.model.layers.1.mlp.up_proj.weight (rank 0 and rank 2 hold different values)",
        "context-tensor": "weight.lm_head.weight (rank 0 and rank 1 hold different values)",
        "pipeline-tensor": "second.model.norm.weight (rank 2 and rank 3 hold different values)",
    }
    for one in found:
        for case, words in where.items():
            assert one["refused"][case].startswith("not saved: 1 replicated tensor differs between ranks, first ")
            assert words in one["refused"][case]
        # Nobody has a copy: the shards are the only ones.
        assert one["refused"]["pipeline-fsdp"] == ""


def the_checkpoint_before_a_broken_one_is_taken(found: list[dict[str, Any]]) -> None:
    for case, fault in (("changed", "has other bytes than were written"), ("cut", "bytes instead of")):
        assert [one["broken"][case][0] for one in found] == [True] * 4
        said = found[0]["broken"][case][1]
        assert any("step-0000000002 is broken: __2_0.distcp" in line and fault in line for line in said), said
        assert any("Going on from step-0000000001" in line for line in said)


def a_layer_that_nobody_asks_for_is_refused(found: list[dict[str, Any]]) -> None:
    for one in found:
        assert "layers.1." in one["too few"]
        assert "which this model has not" in one["too few"]


def a_run_goes_on_in_other_layouts(folder: Path, legs: int, layers: int) -> None:
    steps = 2 * legs
    train(run(folder, steps, ParallelSection(), layers), folder / "whole", start=None, console=quiet())
    parts, undisturbed = (
        [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("run", "whole")
    )
    assert [line["step"] for line in parts] == list(range(1, steps + 1))
    for one, other in zip(parts, undisturbed, strict=True):
        for key in ("samples", "tokens", "targets", "goldfish_rate", "context", "learning_rate", "verdict"):
            assert one[key] == other[key]
        for key in ("loss", "gradient_norm"):
            assert one[key] == pytest.approx(other[key], rel=1e-12, abs=1e-12)
    saves = [line["save"] for line in parts if "save" in line]
    assert [save["step"] for save in saves] == list(range(1, steps, 2))
    assert all(0 <= save["waited"] < save["pause"] for save in saves)
    first, second = (contents(folder / name) for name in ("run", "whole"))
    assert first.keys() == second.keys()
    for name, expected in second.items():
        assert (first[name] - expected).abs().max() <= 1e-12 * max(1.0, float(expected.abs().max())), name
    metas = [open_checkpoint(folder / name).meta for name in ("run", "whole")]
    differing = {key for key in metas[0] if metas[0][key] != metas[1][key]}
    assert differing <= {"config", "changes", "guard"}
    changed = {change["key"] for change in metas[0]["changes"]}
    assert "parallel.tensor" in changed
    assert all(key.startswith("parallel.") or key == "schedule.total_tokens" for key in changed)


def it_says_what_changed(told: list[str]) -> None:
    lines = [line for line in told[1].splitlines() if line.startswith("changed since step-0000000002: ")]
    for change in ("parallel.pipeline: 1 there, 2 now", "parallel.tensor: 2 there, 1 now"):
        assert any(change in line for line in lines), told[1]
    assert all("saved 2 times: the run stood still for" in said for said in told)


@pytest.mark.soak
def test_a_run_goes_on_in_five_layouts(tmp_path: Path) -> None:
    write_language(tmp_path / "language")
    spawn({4: layouts.all_legs}, tmp_path)
    a_run_goes_on_in_other_layouts(tmp_path, len(ALL_LEGS), 4)


def contents(out: Path) -> dict[str, torch.Tensor]:
    saved = SavedTensors(open_checkpoint(out).path)
    found = {name: torch.empty(entry.size, dtype=entry.properties.dtype) for name, entry in saved.index.items()}
    saved.fill(found)
    return found


def what_any_layout_saved_is_exported_imported_and_sampled(folder: Path) -> None:
    one = open_checkpoint(folder / "one")
    weights_there = dict(read_weights(one))
    export_hf(one, folder / "hf-one", dtype="bf16")
    sampled = [token.token for token in greedy(load_model(one, torch.float32))]
    assert len(sampled) == 8
    for name in ("pipeline-fsdp", "context-tensor"):
        checkpoint = open_checkpoint(folder / name)
        export_hf(checkpoint, folder / f"hf-{name}", dtype="bf16")
        file = "model.safetensors"
        assert (folder / f"hf-{name}" / file).read_bytes() == (folder / "hf-one" / file).read_bytes()
        assert [token.token for token in greedy(load_model(checkpoint, torch.float32))] == sampled
    import_hf(folder / "hf-pipeline-fsdp", folder / "imported")
    for name, weight in read_weights(open_checkpoint(folder / "imported")):
        assert torch.equal(weight, weights_there[name].bfloat16().float()), name


def greedy(model: Apertus) -> Iterator[Generated]:
    return generate(model, [[1, 30, 43]], new_tokens=8, temperature=0.0, top_p=1.0, seed=0, eos=frozenset())
