"""Speakers that come and go say what each says alone."""

from __future__ import annotations

import pytest

from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.sample import sources_of_chance
from lauter.trainer.serve.batching import PROMPT_TOKENS, Speaker, SpeakingBatch
from tests.trainer.serve.small_talker import SHAPE, model

NEVER: frozenset[int] = frozenset()


def _alone(prompt: list[int], temperature: float, count: int) -> list[int]:
    found = generate(
        model(), [prompt], new_tokens=count, temperature=temperature, top_p=0.9, seed=5, eos=NEVER, ended=set()
    )
    return [token for _, token in found]


def _speaker(prompt: list[int], temperature: float, likely: int | None = None) -> Speaker:
    return Speaker(prompt, temperature, 0.9, sources_of_chance([prompt], 5)[0], likely)


def test_who_comes_late_and_who_has_a_long_prompt_says_the_same() -> None:
    prompts = [[1, 30, 31], [1, *([40, 50, 60] * (PROMPT_TOKENS // 2))], [1, 99], [1, 7, 7, 7]]
    speakers = [
        _speaker(prompt, temperature) for prompt, temperature in zip(prompts, (0.0, 1.0, 0.7, 1.0), strict=True)
    ]
    said: dict[Speaker, list[int]] = {one: [] for one in speakers}
    batch = SpeakingBatch(model(), 3, 900)
    coming = list(speakers)
    while coming or batch.speakers:
        # One more a pass, as long as there is room: prompts are read while others speak.
        if coming and batch.free:
            batch.admit(coming.pop(0))
        for one, token, logprob, likeliest in batch.step():
            assert logprob is None
            assert likeliest == ()
            said[one].append(token)
        batch.dismiss({one for one in batch.speakers if len(said[one]) == 6})
    for one in speakers:
        assert said[one] == _alone(list(one.prompt), one.temperature, 6)


def test_likelihoods_are_those_of_the_token() -> None:
    batch = SpeakingBatch(model(), 1, 32)
    batch.admit(_speaker([1, 30], 0.0, 3))
    (spoken,) = batch.step()
    assert spoken.logprob is not None
    assert spoken.likeliest[0] == (spoken.token, spoken.logprob)
    assert [value for _, value in spoken.likeliest] == sorted((value for _, value in spoken.likeliest), reverse=True)
    assert len(spoken.likeliest) == 3


def test_prompts_that_do_not_fit() -> None:
    batch = SpeakingBatch(model(), 1, 8)
    assert batch.step() == []
    for prompt, message in (([], "0 tokens"), ([1] * 8, "8 tokens: from 1 to 7"), ([SHAPE.vocabulary], "outside")):
        with pytest.raises(ValueError, match=message):
            batch.admit(_speaker(prompt, 0.0))
    batch.admit(_speaker([1], 0.0))
    with pytest.raises(ValueError, match="all 1 sequences are under way"):
        batch.admit(_speaker([1], 0.0))
    assert len(batch.speakers) == 1
