"""Continues a batch of prompts, one token of each at a time."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

import torch

from lauter.trainer.batch import Bounds
from lauter.trainer.generate.sample import choose, sources_of_chance
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.cache import KeyValueCache


class Generated(NamedTuple):
    """One new token."""

    sequence: int
    """Index of the prompt it continues."""
    token: int


@torch.no_grad()
def generate(
    model: Apertus,
    prompts: list[list[int]],
    *,
    new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    eos: frozenset[int],
    ended: Set[int] = frozenset(),
) -> Iterator[Generated]:
    """New tokens as they come: of every sequence that goes on one, in the prompts' order, then of each the next.

    The prompts are read in one pass, each a document of its own; then the cache holds keys and values, and a pass is
    one token a sequence. Nothing is padded. A sequence ends after `new_tokens` tokens, with a token of `eos`, or where
    the caller puts it into `ended`; its last token is among the results.

    What a sequence draws does not depend on the rest of the batch. Its logits may, in their last bit: a matrix product
    of another height may add in another order.

    Args:
        model: on any device, in any dtype.
        prompts: token ids, BOS included; none of them empty.
        new_tokens: at most so many of each.
        temperature: 0 is greedy.
        top_p: see `sample.draw`.
        seed: see `sample.sources_of_chance`.
        eos: ids that end a sequence.
        ended: sequences that the caller has seen enough of: a set that it may fill while it reads.

    Raises:
        ValueError: there is no prompt, one is empty or holds an id that the model has not, or prompt and new tokens
            are more than the model's positions.
    """
    _check(model, prompts, new_tokens)
    weight = model.lm_head.weight
    longest = max(map(len, prompts))
    cache = KeyValueCache(model.shape, len(prompts), longest + new_tokens, device=weight.device, dtype=weight.dtype)
    chance = sources_of_chance(prompts, seed)
    going = list(range(len(prompts)))
    fresh = prompts
    for _ in range(new_tokens):
        bounds = Bounds.of([len(part) for part in fresh]).to(weight.device)
        tokens = torch.tensor([token for part in fresh for token in part], device=weight.device)
        hidden = model.hidden_states(tokens, cache.positions(bounds), bounds, cache)
        logits = model.lm_head(hidden[bounds.cu_seqlens[1:].long() - 1])
        uniforms = [chance[sequence].random() for sequence in going]
        chosen = choose(logits, temperature, top_p, uniforms)
        rows = []
        for row, (sequence, token) in enumerate(zip(going, chosen, strict=True)):
            yield Generated(sequence, token)
            if token not in eos and sequence not in ended:
                rows.append(row)
        if not rows:
            return
        if len(rows) < len(going):
            cache.keep(rows)
        going, fresh = [going[row] for row in rows], [[chosen[row]] for row in rows]


def _check(model: Apertus, prompts: list[list[int]], new_tokens: int) -> None:
    if not prompts:
        raise ValueError("no prompt: there is nothing to continue")
    for number, prompt in enumerate(prompts, 1):
        if not prompt:
            raise ValueError(f"prompt {number} is empty: it must hold one token at least, BOS")
        if max(prompt) >= model.shape.vocabulary or min(prompt) < 0:
            raise ValueError(
                f"prompt {number} holds an id outside the model's vocabulary of {model.shape.vocabulary}: "
                "it is another tokenizer's"
            )
        if len(prompt) + new_tokens > model.shape.positions:
            raise ValueError(
                f"prompt {number} has {len(prompt)} tokens; with {new_tokens} new ones that is more than the "
                f"{model.shape.positions} positions of the model: shorten the prompt or ask for fewer tokens"
            )
