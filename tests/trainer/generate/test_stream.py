from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.read import open_checkpoint, write_weights_only
from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.load import load_model, tokenizer_of
from lauter.trainer.generate.stream import Wish, continue_texts
from lauter.trainer.generate.tokenizer import TokenizerError
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from tests.trainer.generate.byte_tokenizer import byte_tokenizer, files

SHAPE = ModelShape(2, 32, 64, 4, 2, 8, 384, 64, init_std=0.3)
TOKENIZER = byte_tokenizer()
PROMPTS = ["The ferry", "漢", ""]


@pytest.fixture(scope="module")
def model() -> Apertus:
    model = Apertus(SHAPE)
    initialise(model, 11)
    # Ids that the tokenizer has not, and control tokens, never come.
    with torch.no_grad():
        model.lm_head.weight[272:] = 0
    return model


@pytest.fixture(scope="module")
def checkpoint(model: Apertus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "model"
    meta = {"tokenizer": {"bos": 1, "eos": 2, "pad": 3, "ids": 272, "digest": None}}
    write_weights_only(out, SHAPE, iter(model.state_dict().items()), meta, files())
    return out


def test_the_loaded_model_is_the_saved_one(model: Apertus, checkpoint: Path) -> None:
    loaded = load_model(open_checkpoint(checkpoint), torch.float32)
    assert {name: value.tolist() for name, value in loaded.state_dict().items()} == {
        name: value.tolist() for name, value in model.state_dict().items()
    }
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    half = load_model(open_checkpoint(checkpoint), torch.bfloat16)
    assert torch.equal(half.lm_head.weight, model.lm_head.weight.bfloat16())
    assert half.model.frequencies.dtype == torch.float32


def test_a_checkpoint_without_all_weights_is_refused(model: Apertus, tmp_path: Path) -> None:
    weights = [(name, value) for name, value in model.state_dict().items() if name != "model.norm.weight"]
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight"):
        write_weights_only(tmp_path / "new", SHAPE, iter(weights), {}, {})
        load_model(open_checkpoint(tmp_path / "new"), torch.float32)


def test_a_checkpoint_without_a_tokenizer_is_refused(model: Apertus, tmp_path: Path) -> None:
    write_weights_only(tmp_path / "new", SHAPE, iter(model.state_dict().items()), {}, {})
    with pytest.raises(TokenizerError, match=r"there is no tokenizer\.json"):
        tokenizer_of(open_checkpoint(tmp_path / "new"))


def test_texts_are_those_of_the_tokens_and_come_in_the_prompts_order(model: Apertus) -> None:
    written: list[tuple[int, str]] = []
    found = continue_texts(model, TOKENIZER, PROMPTS, Wish(24), lambda number, text: written.append((number, text)))
    expected: list[list[int]] = [[] for _ in PROMPTS]
    encoded = [TOKENIZER.encode(prompt) for prompt in PROMPTS]
    for sequence, token in generate(model, encoded, new_tokens=24, temperature=0, top_p=1, seed=28, eos=TOKENIZER.ends):
        expected[sequence].append(token)
    assert [list(one.tokens) for one in found] == expected
    assert [one.prompt for one in found] == PROMPTS
    for number, one in enumerate(found):
        assert one.text == "".join(text for place, text in written if place == number)
        kept = [index for index in one.tokens if index not in TOKENIZER.controls]
        if len(kept) == len(one.tokens):
            assert one.text == TOKENIZER.decode(kept)
    assert [place for place, _ in written] == sorted(place for place, _ in written)
    # The first prompt's text came in many pieces, while the others waited.
    assert len([1 for place, text in written if place == 0 and text]) > 8


def test_a_continuation_ends_at_its_limit_or_before_a_stop(model: Apertus) -> None:
    (free,) = continue_texts(model, TOKENIZER, PROMPTS[:1], Wish(24), lambda *_: None)
    assert free.end == "length"
    assert len(free.tokens) == 24
    stop = free.text[6:8]
    (cut,) = continue_texts(model, TOKENIZER, PROMPTS[:1], Wish(24, stops=(stop,)), lambda *_: None)
    assert cut.end == "stop"
    assert cut.text == free.text[: free.text.index(stop)]
    assert len(cut.tokens) < 24


def test_a_continuation_ends_with_eos(model: Apertus) -> None:
    (free,) = continue_texts(model, TOKENIZER, PROMPTS[:1], Wish(24), lambda *_: None)
    last = free.tokens[7]
    other = replace(TOKENIZER, ends=frozenset({last}))
    (found,) = continue_texts(model, other, PROMPTS[:1], Wish(24), lambda *_: None)
    assert found.end == "eos"
    assert found.tokens == free.tokens[: free.tokens.index(last) + 1]


def test_the_command_prints_prompts_and_what_follows(model: Apertus, checkpoint: Path) -> None:
    command = ["generate", str(checkpoint), "--prompt", PROMPTS[0], "--prompt", PROMPTS[1], "--new-tokens", "12"]
    found = continue_texts(model, TOKENIZER, PROMPTS[:2], Wish(12), lambda *_: None)
    shown = CliRunner().invoke(app, [*command, "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout) == [one.to_json() for one in found]
    plain = CliRunner().invoke(app, command)
    lines = plain.stdout.split("\n\n")
    assert plain.exit_code == 0
    assert lines[0].startswith(PROMPTS[0])
    assert any(line.startswith(PROMPTS[1]) for line in lines)
    # Nothing that a terminal obeys.
    assert not [letter for letter in plain.stdout if ord(letter) < 32 and letter not in "\n\t"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (["--top-p", "0"], "--top-p 0.0: a probability above 0"),
        (["--new-tokens", "64"], "more than the 64 positions of the model"),
    ],
)
def test_the_command_refuses_what_cannot_be(checkpoint: Path, wish: list[str], message: str) -> None:
    found = CliRunner().invoke(app, ["generate", str(checkpoint), "--prompt", "a", *wish])
    assert found.exit_code == 2
    assert message in found.stderr


def test_the_command_says_where_there_is_no_checkpoint(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["generate", str(tmp_path), "--prompt", "a"])
    assert found.exit_code == 2
    assert "is no run and no checkpoint" in found.stderr
