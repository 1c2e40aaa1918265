from __future__ import annotations

from typing import Any

import pytest
import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.generate.generate import generate
from lauter.trainer.huggingface.config import config_json
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape

SHAPE = ModelShape(2, 48, 96, 6, 2, 8, 256, 96, init_std=0.2)
PROMPTS = [[1, 17, 200, 33, 9], [1], [1, *range(40, 61)], [1, 5, 5, 5]]


@pytest.fixture(scope="module")
def model() -> Apertus:
    model = Apertus(SHAPE)
    initialise(model, 5)
    return model


@pytest.fixture(scope="module")
def theirs(model: Apertus) -> Any:  # noqa: ANN401 - transformers has no types
    """transformers' model with the same weights."""
    from transformers import ApertusConfig, ApertusForCausalLM

    config = ApertusConfig(**config_json(SHAPE, dtype="float32", bos=1, eos=None, pad=3))
    config._attn_implementation = "eager"
    other: Any = ApertusForCausalLM(config)
    missing, unexpected = other.load_state_dict(model.state_dict(), strict=False)
    assert not unexpected
    assert all(name.endswith((".beta", ".eps")) for name in missing)
    return other.eval()


def _all(model: Apertus, prompts: list[list[int]], **changed: Any) -> list[list[int]]:  # noqa: ANN401 - arguments of generate
    wish: dict[str, Any] = {"new_tokens": 16, "temperature": 0.0, "top_p": 1.0, "seed": 1, "eos": frozenset()}
    found: list[list[int]] = [[] for _ in prompts]
    for sequence, token in generate(model, prompts, **(wish | changed)):
        found[sequence].append(token)
    return found


def _greedy_of_transformers(theirs: Any, prompt: list[int], new_tokens: int = 32) -> list[int]:  # noqa: ANN401
    ids = torch.tensor([prompt])
    out = theirs.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, use_cache=True
    )
    found: list[int] = out[0, len(prompt) :].tolist()
    return found


def test_greedy_is_transformers_token_by_token_alone_and_in_a_batch(model: Apertus, theirs: Any) -> None:  # noqa: ANN401
    expected = [_greedy_of_transformers(theirs, prompt) for prompt in PROMPTS]
    assert _all(model, PROMPTS, new_tokens=32) == expected
    assert [_all(model, [prompt], new_tokens=32)[0] for prompt in PROMPTS] == expected
    # The test can fail: the prompts matter, and a model of one token would not do.
    assert len({tuple(tokens) for tokens in expected}) == len(PROMPTS)
    assert len({token for tokens in expected for token in tokens}) > 20


def test_the_cache_gives_what_reading_everything_again_gives(model: Apertus) -> None:
    tokens = list(PROMPTS[0])
    for _ in range(12):
        bounds = Bounds.of([len(tokens)])
        logits = model(torch.tensor(tokens), torch.arange(len(tokens), dtype=torch.int32), bounds)
        tokens.append(int(logits[-1].argmax()))
    assert _all(model, [PROMPTS[0]], new_tokens=12) == [tokens[len(PROMPTS[0]) :]]


def test_bf16_is_transformers_too(model: Apertus) -> None:
    from transformers import ApertusConfig, ApertusForCausalLM

    ours = Apertus(SHAPE, dtype=torch.bfloat16)
    ours.load_state_dict(model.state_dict())
    config = ApertusConfig(**config_json(SHAPE, dtype="bfloat16", bos=1, eos=None, pad=3))
    config._attn_implementation = "eager"
    theirs: Any = ApertusForCausalLM
    other = theirs._from_config(config, dtype=torch.bfloat16).eval()
    other.load_state_dict(ours.state_dict(), strict=False)
    # Rounding differs between a pass over a prompt and one token at a time: the first token is what is exact.
    assert [row[0] for row in _all(ours, PROMPTS, new_tokens=1)] == [
        _greedy_of_transformers(other, prompt, 1)[0] for prompt in PROMPTS
    ]


def test_a_sequence_ends_with_eos_and_the_others_go_on(model: Apertus) -> None:
    free = _all(model, PROMPTS)
    stop = free[0][3]
    found = _all(model, PROMPTS, eos=frozenset({stop}))
    for tokens, before in zip(found, free, strict=True):
        cut = before.index(stop) + 1 if stop in before else len(before)
        assert tokens == before[:cut]
    assert len(found[0]) == free[0].index(stop) + 1 < 16
    assert max(map(len, found)) == 16


def test_the_caller_can_end_a_sequence(model: Apertus) -> None:
    free = _all(model, PROMPTS)
    ended: set[int] = set()
    found: list[list[int]] = [[] for _ in PROMPTS]
    for sequence, token in generate(
        model, PROMPTS, new_tokens=16, temperature=0, top_p=1, seed=1, eos=frozenset(), ended=ended
    ):
        found[sequence].append(token)
        if sequence == 2 and len(found[2]) == 5:
            ended.add(2)
    assert found == [free[0], free[1], free[2][:5], free[3]]


def test_tokens_come_step_by_step_in_the_order_of_the_prompts(model: Apertus) -> None:
    stream = generate(model, PROMPTS[:2], new_tokens=3, temperature=0, top_p=1, seed=1, eos=frozenset())
    assert [found.sequence for found in stream] == [0, 1, 0, 1, 0, 1]


def test_drawing_follows_the_seed(model: Apertus) -> None:
    one, again, other = (_all(model, PROMPTS, temperature=1.0, top_p=0.9, seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert all(left != right for left, right in zip(one, other, strict=True))
    assert one != _all(model, PROMPTS)


def test_what_a_sequence_draws_does_not_depend_on_the_batch(model: Apertus) -> None:
    whole = _all(model, PROMPTS, temperature=1.0, top_p=0.9)
    assert _all(model, PROMPTS[::-1], temperature=1.0, top_p=0.9) == whole[::-1]
    assert [_all(model, [prompt], temperature=1.0, top_p=0.9)[0] for prompt in PROMPTS] == whole


def test_equal_prompts_draw_apart(model: Apertus) -> None:
    first, second = _all(model, [PROMPTS[0], PROMPTS[0]], temperature=1.0)
    assert first != second
    assert first == _all(model, [PROMPTS[0]], temperature=1.0)[0]


def test_a_low_temperature_is_greedy(model: Apertus) -> None:
    assert _all(model, PROMPTS, temperature=1e-6) == _all(model, PROMPTS)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "no prompt: there is nothing to continue"),
        ([[1], []], "prompt 2 is empty"),
        ([[1, 256]], "prompt 1 holds an id outside the model's vocabulary of 256"),
        ([[1], [1] * 81], "prompt 2 has 81 tokens; with 16 new ones that is more than the 96 positions of the model"),
    ],
)
def test_what_the_model_cannot_do_is_refused(model: Apertus, prompts: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _all(model, prompts)


def test_the_last_position_is_used(model: Apertus) -> None:
    assert len(_all(model, [[1] * 80])[0]) == 16
