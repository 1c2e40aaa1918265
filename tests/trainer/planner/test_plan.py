"""`lauter train CONFIG --plan` on the configs that come with Lauter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lauter.pipeline.cli import app

FOLDER = Path(__file__).parents[3] / "manifests" / "train"
LONG = {
    # Sequence length, sequences a step, context ranks and nodes of Apertus 70B's phases.
    8192: (2048, 1, 512),
    16_384: (1024, 2, 512),
    32_768: (512, 4, 512),
    65_536: (256, 8, 256),
}
LONG_8B = {65_536: (128, 4, 4, 512)}
"""As `LONG`, with the tensor ranks in second place."""


def train(config: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", str(FOLDER / config), "--plan", *arguments])


def plan(config: str, *arguments: str) -> dict[str, Any]:
    found = train(config, *arguments, "--json")
    assert found.exit_code == 0, found.output
    result: dict[str, Any] = json.loads(found.stdout)
    return result


def listed(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Suggestions with the axes of the asked layout."""
    axes = ("pipeline", "replicate", "shard", "context", "tensor", "stages_per_rank", "schedule")
    return [one for one in data["layouts"] if all(one[axis] == data["layout"][axis] for axis in axes)]


def test_apertus_70b_is_reproduced() -> None:
    layout = "tp=4,pp=8,dp=128,vpp=5,recompute=none"
    data = plan("70b.yaml", "--hardware", "gh200", "--ranks", "4096", "--layout", layout, "--tokens-per-second", "723")
    assert data["parameters"] == 70_599_864_480
    assert data["step_tokens"] == 4096 * 4096
    assert data["total_flop"] == pytest.approx(6.74e24, rel=0.05)
    assert data["total_flop_full_attention"] == pytest.approx(6.74e24, rel=1e-3)
    assert 0.9 * 5.8e6 < data["gpu_hours"] < 1.1 * 6e6
    assert data["days"] == pytest.approx(data["gpu_hours"] / 24 / 4096)
    assert data["energy_kwh"] == pytest.approx(data["gpu_hours"] * 0.56)
    assert data["checkpoint_bytes"] == 16 * data["parameters"]
    assert data["layout"]["fits"]
    assert [one["fits"] for one in listed(data)] == [True]
    assert sum(data["memory"]["parts"].values()) == data["memory"]["tensors_bytes"]
    assert data["bubble_fraction"] == pytest.approx(7 / 167)
    assert set(data["communication"]) == {"tensor", "shard", "pipeline"}
    saving = data["checkpoint"]
    assert saving["asynchronous"]["lost"] < saving["blocking"]["lost"] < 0.1


def test_layouts_of_apertus_fit_and_are_listed() -> None:
    cases = [
        (
            "70b.yaml",
            nodes * 4,
            f"tp=4,pp=8,cp={context},vpp=5,recompute=none",
            length,
            sequences,
        )
        for length, (sequences, context, nodes) in LONG.items()
    ]
    cases += [
        ("8b.yaml", nodes * 4, f"tp={tensor},cp={context},micro=1,recompute=selective", length, sequences)
        for length, (sequences, tensor, context, nodes) in LONG_8B.items()
    ]
    cases.append(("8b.yaml", 1024, "tp=2,dp=512,micro=4,recompute=selective", 4096, 2048))
    for config, ranks, layout, length, sequences in cases:
        changes = [f"data.sequence_length={length}", f"model.positions={length}", f"batch.sequences={sequences}"]
        data = plan(config, *changes, "batch.ramp=[]", "--hardware", "gh200", "--ranks", str(ranks), "--layout", layout)
        assert data["layout"]["fits"], (layout, data["layout"]["why"])
        assert any(one["fits"] for one in listed(data)), layout
        assert data["basis"] == "derived"
        assert 0.1 < data["mfu"] < 0.45


def test_a_layout_that_cannot_be_run_says_why_and_others_are_shown() -> None:
    data = plan("70b.yaml", "--hardware", "h100", "--ranks", "64", "--layout", "tp=3")
    assert data["layout"]["fits"] is False
    assert "64 ranks are not the product" in data["layout"]["why"]
    assert data["memory"] is None
    assert data["layouts"]
    assert data["total_flop"] > 6e24


def test_one_process_on_this_machine() -> None:
    data = plan("nano.yaml")
    assert data["hardware"]["name"] == "cpu"
    assert data["ranks"] == 1
    assert data["layout"]["fits"]
    assert data["layouts"][0]["fits"]
    assert data["communication"] == {}


def test_nothing_but_the_config_needs_to_exist(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "name: later\nmodel: {preset: tiny}\ndata: {sequence_length: 1024}\nschedule: {total_tokens: 1e9}\n"
    )
    found = CliRunner().invoke(app, ["train", str(config), "--plan", "--json"])
    assert found.exit_code == 0, found.output
    data = json.loads(found.stdout)
    assert data["total_tokens"] == 10**9
    assert any("8,192 ids are taken from the preset tiny" in note for note in data["notes"])
    assert not (tmp_path / "out").exists()


def test_an_mfu_is_taken_as_it_is_said() -> None:
    data = plan("8b.yaml", "--hardware", "h100", "--ranks", "64", "--mfu", "0.4")
    assert (data["mfu"], data["basis"]) == (0.4, "mfu")
    assert data["tokens_per_second_per_rank"] == pytest.approx(0.4 * 989e12 / data["flop_per_token"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hardware", "abacus"], "--hardware: 'abacus' is none of h100, gh200, a100, cpu"),
        (["--layout", "zp=2"], "--layout: 'zp=2' is no key=value"),
        (["data.sequence_length=99999"], "data.sequence_length: 99999 is more than"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], said: str) -> None:
    found = train("8b.yaml", *arguments)
    assert found.exit_code == 2
    assert said in found.stderr


def test_the_page_for_people() -> None:
    found = train("8b.yaml", "--hardware", "gh200", "--ranks", "256")
    assert found.exit_code == 0, found.output
    for said in (
        "8,053,338,176 parameters",
        "15T tokens",
        "256 x gh200",
        "fits: ",
        "layouts that fit: ",
        "a failure every",
        "no GPU has checked this",
    ):
        assert said in found.stdout
