from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.batch import Batch
from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.generate.generate import generate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.probes.probe import Probe, ProbeError
from lauter.trainer.probes.run import probe
from lauter.trainer.probes.score import MOST, Share, by_length, score, to_json
from tests.trainer.generate.byte_tokenizer import byte_tokenizer, files

SHAPE = ModelShape(2, 32, 64, 4, 2, 8, 384, 64, init_std=0.3)
ANSWER = 3


@pytest.fixture(scope="module")
def model() -> Apertus:
    model = Apertus(SHAPE, dtype=torch.float64)
    initialise(model, 11)
    return model


@pytest.fixture(scope="module")
def answered(model: Apertus) -> list[Probe]:
    """Prompts with what the model itself says, token by token."""
    generator = torch.Generator().manual_seed(4)
    prompts = [torch.randint(384, (length - 2,), generator=generator).tolist() for length in (16, 16, 24, 24, 24)]
    said: list[list[int]] = [[] for _ in prompts]
    found = generate(model, prompts, new_tokens=ANSWER, temperature=0, top_p=1, seed=0, eos=frozenset())
    for sequence, token in found:
        said[sequence].append(token)
    return [Probe((*ids, *new), ANSWER, "single", len(ids) + 2, 0.5) for ids, new in zip(prompts, said, strict=True)]


def hits_of(model: Apertus, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
    for batch in batches:
        yield batch, model.token_hits(batch)


def _wrong(one: Probe, place: int) -> Probe:
    ids = list(one.ids)
    ids[place] = (ids[place] + 1) % 384
    return replace(one, ids=tuple(ids))


def test_what_the_model_would_generate_is_right_and_nothing_else(model: Apertus, answered: list[Probe]) -> None:
    for tokens in (16, 48, 1000):
        right = score(answered, lambda batches: hits_of(model, batches), tokens=tokens)
        assert [(one.length, one.probes, one.exact, one.tokens) for one in right] == [(16, 2, 1, 1), (24, 3, 1, 1)]
    # Of the last token only one place is wrong; from the first on, what comes after may be as well.
    last = [*answered[:2], _wrong(answered[2], -1), *answered[3:]]
    found = score(last, lambda batches: hits_of(model, batches), tokens=48)
    assert [(one.exact, one.tokens) for one in found] == [(1, 1), (2 / 3, 8 / 9)]
    first = [_wrong(one, -ANSWER) for one in answered]
    assert all(one.exact == 0 for one in score(first, lambda batches: hits_of(model, batches), tokens=48))


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_that_share_the_probes_compute_as_many_batches_each(
    model: Apertus, answered: list[Probe], ranks: int
) -> None:
    sums = torch.zeros(len(answered), dtype=torch.float64)
    computed: list[int] = []

    def keep(values: list[float]) -> list[float]:
        sums.add_(torch.tensor(values, dtype=torch.float64))
        return values

    for rank in range(ranks):
        batches: list[Batch] = []

        def hits(some: Iterator[Batch], batches: list[Batch] = batches) -> Iterator[tuple[Batch, Tensor]]:
            for batch, found in hits_of(model, some):
                batches.append(batch)
                yield batch, found

        score(answered, hits, tokens=24, share=Share(rank, ranks, total=keep))
        computed.append(len(batches))
    assert computed == [-(-5 // ranks)] * ranks
    assert sums.tolist() == [ANSWER] * 5


def nothing(batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
    """Reads all, and finds nothing."""
    yield from [(batch, batch.tokens) for batch in batches][:0]


def test_too_many_probes_are_refused(model: Apertus, answered: list[Probe]) -> None:
    with pytest.raises(ProbeError, match="more than 32,768 probes"):
        score(answered[:1] * (MOST + 1), nothing, tokens=1 << 20)


def test_figures_are_summed_over_depths(model: Apertus, answered: list[Probe]) -> None:
    some = [*answered, *(replace(_wrong(one, -ANSWER), depth=0.0) for one in answered[:1])]
    found = score(some, lambda batches: hits_of(model, batches), tokens=48)
    assert by_length(found) == {"single": {16: 2 / 3, 24: 1.0}}
    told = to_json(found)["single"]["16"]
    assert (told["exact"], told["probes"], told["depths"]) == (2 / 3, 3, {"0": 0.0, "0.5": 1.0})


def test_the_command_shows_what_the_function_finds(model: Apertus, tmp_path: Path) -> None:
    out, text = tmp_path / "model", tmp_path / "filler.txt"
    meta = {"tokenizer": {"bos": 1, "eos": 2, "pad": 3, "ids": 272, "digest": None}}
    weights = ((name, value.float()) for name, value in model.state_dict().items())
    write_weights_only(out, SHAPE, weights, meta, files())
    text.write_text("All is calm. ")
    # Longer than the model's 64 positions: what it does there is what is asked.
    wish = ["probe", str(out), "--lengths", "128,200", "--tasks", "single", "--count", "1", "--filler", str(text)]
    shown = CliRunner().invoke(app, [*wish, "--json"])
    assert shown.exit_code == 0, shown.output
    single = Apertus(SHAPE)
    single.load_state_dict({name: value.float() for name, value in model.state_dict().items()})
    expected = probe(single, byte_tokenizer(), tasks=["single"], lengths=[128, 200], count=1, text=text.read_text())
    assert json.loads(shown.stdout) == to_json(expected)
    plain = CliRunner().invoke(app, wish)
    assert re_rows(plain.stdout) == ["128", "200"]
    for wrong, message in (
        (["--lengths", "64"], "more than the length 64"),
        (["--tasks", "singel"], "no task is called 'singel'"),
        (["--filler", str(tmp_path / "none")], "none"),
    ):
        refused = CliRunner().invoke(app, [*wish, *wrong])
        assert refused.exit_code == 2, refused.output
        assert message in refused.stderr


def re_rows(table: str) -> list[str]:
    """Lengths of the rows of `single`."""
    return [line.split()[1] for line in table.splitlines() if line.strip().startswith("single")]
