"""Texts in, continuations out: printed while they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from lauter.trainer.generate.decode import Continuation
from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus


@dataclass(frozen=True, slots=True)
class Wish:
    """How to continue; see `generate.generate` for the numbers."""

    new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 28
    stops: tuple[str, ...] = ()
    """Texts before which a continuation ends."""


@dataclass(frozen=True, slots=True)
class Continued:
    """A prompt and what came after it."""

    prompt: str
    text: str
    tokens: tuple[int, ...]
    """All that was generated, EOS and the tokens of a stop included."""
    end: Literal["eos", "stop", "length"]

    def to_json(self) -> dict[str, Any]:
        """As `lauter generate --json` shows it."""
        return {"prompt": self.prompt, "text": self.text, "tokens": list(self.tokens), "end": self.end}


def continue_texts(
    model: Apertus,
    tokenizer: TextTokenizer,
    prompts: Sequence[str],
    wish: Wish,
    write: Callable[[int, str], None],
) -> list[Continued]:
    """Continue every prompt, all of them in one batch.

    `write(prompt, text)` gets the text of each continuation in pieces, as soon as it is certain, those of one prompt
    after those of the prompt before: what comes early for a later prompt waits.

    Raises:
        TokenizerError: a prompt holds a control token.
        ValueError: see `generate.generate`.
    """
    found = [Continuation(tokenizer, wish.stops) for _ in prompts]
    told = _InOrder(len(prompts), write)
    ended: set[int] = set()
    for sequence, token in generate(
        model,
        [tokenizer.encode(prompt) for prompt in prompts],
        new_tokens=wish.new_tokens,
        temperature=wish.temperature,
        top_p=wish.top_p,
        seed=wish.seed,
        eos=tokenizer.ends,
        ended=ended,
    ):
        one = found[sequence]
        text = one.push(token)
        if one.stopped:
            ended.add(sequence)
        last = one.stopped or token in tokenizer.ends or len(one.tokens) == wish.new_tokens
        told.put(sequence, text + (one.finish() if last else ""), last=last)
    return [
        Continued(prompt, one.text, tuple(one.tokens), _end(one, tokenizer.ends))
        for prompt, one in zip(prompts, found, strict=True)
    ]


def _end(one: Continuation, ends: Set[int]) -> Literal["eos", "stop", "length"]:
    if one.stopped:
        return "stop"
    return "eos" if one.tokens[-1] in ends else "length"


class _InOrder:
    """Writes pieces of several texts one text after the other, each piece as early as that allows."""

    def __init__(self, texts: int, write: Callable[[int, str], None]) -> None:
        self._write = write
        self._waiting = [""] * texts
        self._complete = [False] * texts
        self._at = 0

    def put(self, text: int, piece: str, *, last: bool) -> None:
        self._waiting[text] += piece
        self._complete[text] = last
        while self._at < len(self._waiting):
            self._write(self._at, self._waiting[self._at])
            self._waiting[self._at] = ""
            if not self._complete[self._at]:
                return
            self._at += 1
