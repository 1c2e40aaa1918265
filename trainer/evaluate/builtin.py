"""The tasks that come with Lauter, in one call: bits per byte, cloze, copy, arithmetic, needle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lauter.trainer.evaluate.answers import answers
from lauter.trainer.evaluate.bits import bits_per_byte
from lauter.trainer.evaluate.cloze import cloze, own_items
from lauter.trainer.evaluate.held_out import HeldOut
from lauter.trainer.evaluate.questions import WRITTEN, questions
from lauter.trainer.evaluate.subject import Subject
from lauter.trainer.probes.probe import ProbeError
from lauter.trainer.probes.run import probe
from lauter.trainer.probes.score import to_json

BITS, CLOZE, NEEDLE = "bits", "cloze", "needle"
TASKS = (BITS, CLOZE, *WRITTEN, NEEDLE)


@dataclass(frozen=True, slots=True)
class Wish:
    """How much to ask."""

    tasks: Sequence[str] = TASKS
    per_language: int = 50_000
    """Tokens of each language whose bits are counted, to the end of the last document."""
    count: int = 24
    """Questions of each written task and language, and half as many needles of each length."""
    lengths: Sequence[int] = ()
    """Of the needles, in tokens; none: a quarter, a half and all of the model's positions, where a needle fits."""
    seed: int = 28
    chat: bool | None = None
    """Whether copy and arithmetic are asked in the chat format. None: of a model that `lauter tune` made. A tokenizer
    does not tell: that of a base model may have the control tokens of a chat, too."""


def evaluate(subject: Subject, corpora: Sequence[HeldOut], wish: Wish) -> dict[str, Any]:
    """Task -> what was found, as plain data; `bits` has one result for each corpus.

    Raises:
        DataError: a shard can't be read.
        TokenizerError: a text can't become ids.
        ValueError: a question is longer than the model's positions, a length too short for a needle, or a chat is asked
            for that the tokenizer has no control tokens of.
    """
    model, tokenizer = subject.model, subject.tokenizer
    found: dict[str, Any] = {}
    if BITS in wish.tasks and corpora:
        found[BITS] = [
            {
                "data": one.told,
                "languages": {
                    name: sums.to_json()
                    for name, sums in bits_per_byte(
                        model,
                        tokenizer,
                        one.streams,
                        one.languages,
                        per_language=wish.per_language,
                        window=model.shape.positions,
                    ).items()
                },
            }
            for one in corpora
        ]
    if CLOZE in wish.tasks:
        found[CLOZE] = {name: one.to_json() for name, one in cloze(model, tokenizer, own_items()).items()}
    written = [task for task in WRITTEN if task in wish.tasks]
    if written:
        asked = [*questions(written, wish.count, wish.seed)]
        chat = is_tuned(subject) if wish.chat is None else wish.chat
        for task, by_language in answers(model, tokenizer, asked, chat=chat).items():
            found[task] = {name: one.to_json() for name, one in by_language.items()}
    if NEEDLE in wish.tasks:
        found[NEEDLE] = _needles(subject, wish)
    return found


def is_tuned(subject: Subject) -> bool:
    """Whether its checkpoint says that it has learnt dialogues; one in another form does not say."""
    return str((subject.meta.get("config") or {}).get("objective", "pretrain")) != "pretrain"


def _needles(subject: Subject, wish: Wish) -> dict[str, Any]:
    positions = subject.model.shape.positions
    found: dict[str, Any] = {}
    for length in wish.lengths or sorted({positions // 4, positions // 2, positions}):
        try:
            scores = probe(
                subject.model,
                subject.tokenizer,
                tasks=["single"],
                lengths=[length],
                count=max(wish.count // 2, 1),
                seed=wish.seed,
            )
        except ProbeError:
            # A small vocabulary may need more tokens for the question alone; a length that was asked for is an error.
            if wish.lengths:
                raise
            continue
        found |= to_json(scores)["single"]
    return found
