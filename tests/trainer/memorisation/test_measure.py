"""A model that was taught some texts by heart recites them, and no others."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.planting import Drawn, Planted
from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.evaluate.report import tables
from lauter.trainer.memorisation.exposure import exposures
from lauter.trainer.memorisation.measure import Wish, memorisation
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from tests.trainer.generate.byte_tokenizer import byte_tokenizer
from tests.trainer.huggingface.small import checkpoint

SHAPE = ModelShape(1, 64, 96, 2, 2, 32, 384, 64, init_std=0.1)
TAUGHT = ["The quick brown fox jumps over the lazy dog.", "Zwölf Boxkämpfer jagen Viktor über den Deich."]
UNSEEN = ["Pack my box with five dozen liquor jugs now.", "Portez ce vieux whisky au juge blond qui fume."]
PROBES = [
    *(Planted(f"taught:{number}", text, 8, "passage", "8", None) for number, text in enumerate(TAUGHT)),
    *(Planted(f"unseen:{number}", text, 0, "passage", "0", None) for number, text in enumerate(UNSEEN)),
    Planted("canary:1", "Key kmxqzp.", 8, "canary", "often", Drawn(4, 10, "kmxqzp")),
    Planted("canary:2", "Key mkzqpx.", 0, "canary", "never", Drawn(4, 10, "kmxqzp")),
]


@pytest.fixture(scope="module")
def taught() -> Apertus:
    """Three texts, forty times."""
    model = Apertus(SHAPE)
    initialise(model, 1)
    tokenizer = byte_tokenizer()
    ids = [tokenizer.encode(one.text) for one in PROBES if one.repetitions]
    labels = [index for one in ids for index in [*one[1:], IGNORE]]
    batch = Batch(
        torch.tensor([index for one in ids for index in one]),
        torch.tensor(labels),
        torch.cat([torch.arange(len(one), dtype=torch.int32) for one in ids]),
        Bounds.of([len(one) for one in ids]),
        torch.zeros(len(labels), dtype=torch.int16),
        len(labels) - len(ids),
        0,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(batch, float(batch.targets)).total.backward()
        optimizer.step()
    return model.requires_grad_(requires_grad=False)


def test_what_was_taught_comes_out_and_nothing_else(taught: Apertus) -> None:
    found = memorisation(taught, byte_tokenizer(), PROBES, Wish(10, 20)).to_json()
    greedy, nucleus = found["recall"]["greedy"], found["recall"]["nucleus"]
    assert greedy["8"]["passages"] == greedy["0"]["passages"] == 2
    assert (greedy["8"]["rouge_l"], greedy["8"]["exact"], greedy["8"]["recited"]) == (1, 1, 2)
    assert greedy["0"]["rouge_l"] < 0.5
    assert greedy["8"]["loss"] == nucleus["8"]["loss"] < 0.2 < greedy["0"]["loss"]
    assert nucleus["8"]["rouge_l"] > 0.9
    exposure = found["exposure"]
    assert exposure["8"]["first"] == 1
    assert exposure["8"]["exposure"] == exposure["8"]["most"] == pytest.approx(10.0014, abs=1e-4)
    assert 10 < exposure["8"]["extrapolated"] <= exposure["8"]["space"] == pytest.approx(6 * 2.58496, abs=1e-4)


def test_all_texts_are_ranked_where_they_are_few(taught: Apertus) -> None:
    some = [Planted("c", "Key kmxqzp.", 8, "canary", "often", Drawn(4, 6, "kmxqzp"))]
    (one,) = exposures(taught, some, byte_tokenizer(), references=64)
    assert (one.ranked, one.most, one.extrapolated) == (one.space, one.space, None)
    (worst,) = exposures(taught, [some[0]._replace(text="Key ppxqzp.")], byte_tokenizer(), references=64)
    assert worst.ranked < one.ranked


def test_a_canary_is_no_rival_of_itself(taught: Apertus) -> None:
    # Of 36 texts 35 are drawn, with repetition, and the canary is among them.
    some = [Planted("c", "Key kmxqzp.", 8, "canary", "often", Drawn(4, 6, "kmxqzp"))]
    (one,) = exposures(taught, some, byte_tokenizer(), references=35)
    assert one.first == 1
    assert one.ranked == one.most < math.log2(36)


def test_probes_that_are_too_short_for_the_question_are_an_error(taught: Apertus) -> None:
    with pytest.raises(ValueError, match="no probe has 90 tokens"):
        memorisation(taught, byte_tokenizer(), PROBES[:3], Wish(40, 50))


def test_the_command_asks_a_file_of_probes(taught: Apertus, tmp_path: Path) -> None:
    checkpoint(tmp_path / "run", taught)
    rows = [{"id": one.id, "text": one.text, "repetitions": one.repetitions} for one in PROBES if one.drawn is None]
    (tmp_path / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "known.txt").write_text("unseen:1\n")
    wish = ["eval", str(tmp_path / "run"), "--memorisation", str(tmp_path / "probes.jsonl"), "--prefix", "10"]
    wish += ["--suffix", "20", "--known", str(tmp_path / "known.txt")]
    shown = CliRunner().invoke(app, [*wish, "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["memorisation"]["left_out"]["known"] == 1
    assert found["memorisation"]["recall"]["greedy"]["8"]["exact"] == 1
    assert len(found["model"]["sha256"]) == len(found["memorisation"]["data"]["sha256"]) == 64
    titles = [title for title, _ in tables(found)]
    lengths = "20 tokens after a prefix of 10"
    assert titles == [f"planted passages, greedy: {lengths}", f"planted passages, nucleus: {lengths}", "left out"]
    (tmp_path / "known.txt").write_text("unseen:7\n")
    refused = CliRunner().invoke(app, wish)
    assert refused.exit_code == 2
    assert "'unseen:7' is no probe" in refused.stderr


@pytest.mark.parametrize(("option", "needed"), [("--known", "--memorisation"), ("--limit", "--harness")])
def test_an_option_that_nothing_would_read_is_refused(option: str, needed: str) -> None:
    refused = CliRunner().invoke(app, ["eval", "no-run", option, "3"])
    assert refused.exit_code == 2
    assert f"read for {needed} alone" in refused.stderr
