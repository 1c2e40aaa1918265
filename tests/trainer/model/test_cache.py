"""Generation with a cache gives what reading all at once gives."""

from __future__ import annotations

import pytest
import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.cache import KeyValueCache
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape

SHAPE = ModelShape(2, 32, 80, 4, 2, 8, 96, 64, init_std=0.1)


@pytest.fixture(scope="module")
def model() -> Apertus:
    model = Apertus(SHAPE, dtype=torch.float64)
    initialise(model, 2)
    return model.requires_grad_(requires_grad=False)


def sequences(lengths: list[int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, SHAPE.vocabulary, (length,), generator=generator) for length in lengths]


def whole(model: Apertus, sequence: torch.Tensor) -> torch.Tensor:
    return model(sequence, torch.arange(len(sequence)), Bounds.of([len(sequence)]))  # type: ignore[no-any-return]


def test_chunks_of_any_size_give_the_logits_of_the_whole(model: Apertus) -> None:
    texts = sequences([20, 13, 17])
    # A prompt, one token each, several at once, one each.
    steps = [[5, 9, 1], [1, 1, 1], [12, 2, 14], [2, 1, 1]]
    cache = KeyValueCache(SHAPE, 3, 20, dtype=torch.float64)
    found: list[list[torch.Tensor]] = [[], [], []]
    for counts in steps:
        parts = [text[done : done + count] for text, done, count in zip(texts, cache.lengths, counts, strict=True)]
        bounds = Bounds.of(counts)
        logits = model(torch.cat(parts), cache.positions(bounds), bounds, cache)
        for row, part in zip(found, logits.split(counts), strict=True):
            row.append(part)
    assert cache.lengths == [20, 13, 17]
    for text, parts in zip(texts, found, strict=True):
        torch.testing.assert_close(torch.cat(parts), whole(model, text), rtol=1e-11, atol=1e-11)


def test_sequences_that_ended_are_dropped(model: Apertus) -> None:
    texts = sequences([8, 6, 9])
    cache = KeyValueCache(SHAPE, 3, 9, dtype=torch.float64)
    prompts = Bounds.of([7, 6, 8])
    first = torch.cat([text[:count] for text, count in zip(texts, (7, 6, 8), strict=True)])
    model.hidden_states(first, cache.positions(prompts), prompts, cache)
    cache.keep([2, 0])
    assert cache.lengths == [8, 7]
    step = Bounds.of([1, 1])
    logits = model(torch.stack([texts[2][8], texts[0][7]]), cache.positions(step), step, cache)
    for row, text in zip(logits, (texts[2], texts[0]), strict=True):
        torch.testing.assert_close(row, whole(model, text)[-1], rtol=1e-11, atol=1e-11)


def test_a_sequence_takes_the_room_of_one_that_ended(model: Apertus) -> None:
    texts = sequences([8, 6, 9])
    cache = KeyValueCache(SHAPE, 2, 9, dtype=torch.float64)
    prompts = Bounds.of([7, 6])
    model.hidden_states(torch.cat([texts[0][:7], texts[1]]), cache.positions(prompts), prompts, cache)
    with pytest.raises(ValueError, match="all 2 sequences are under way"):
        cache.admit()
    cache.keep([1])
    cache.keep([])
    for _ in range(2):
        cache.admit()
    # The new one reads its prompt while the other one, which came before it, goes on.
    prompt = Bounds.of([5, 3])
    model.hidden_states(torch.cat([texts[0][:5], texts[2][:3]]), cache.positions(prompt), prompt, cache)
    cache.keep([1])
    cache.admit()
    step = Bounds.of([6, 6])
    logits = model(torch.cat([texts[2][3:], texts[1]]), cache.positions(step), step, cache)
    for found, text in zip(logits.split(6), (texts[2], texts[1]), strict=True):
        torch.testing.assert_close(found[-1], whole(model, text)[-1], rtol=1e-11, atol=1e-11)


def test_a_full_cache_says_so_before_it_is_touched(model: Apertus) -> None:
    cache = KeyValueCache(SHAPE, 2, 4, dtype=torch.float64)
    bounds = Bounds.of([4, 5])
    with pytest.raises(ValueError, match="sequence 1 would have 5 tokens, the cache has room for 4"):
        model(torch.zeros(9, dtype=torch.int64), cache.positions(bounds), bounds, cache)
    assert cache.lengths == [0, 0]


def test_every_sequence_needs_its_document() -> None:
    cache = KeyValueCache(SHAPE, 2, 4)
    with pytest.raises(ValueError, match="3 documents for a cache of 2 sequences"):
        cache.positions(Bounds.of([1, 1, 1]))
