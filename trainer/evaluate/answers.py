"""Are questions answered? A base model is asked to go on; one that chats gets the question as a user's turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lauter.chat.control import INNER_PREFIX
from lauter.chat.conversation import Conversation, UserTurn
from lauter.chat.encode import encode
from lauter.chat.pieces import pieces
from lauter.trainer.evaluate.likelihood import likelihoods, request
from lauter.trainer.evaluate.questions import Question
from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus

SEQUENCES = 32
"""Answers that are generated at a time."""
ROOM = 8
"""Tokens that a chat may say beyond twice the answer's."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Of all questions of one task and language."""

    questions: int
    right: float

    def to_json(self) -> dict[str, Any]:
        """As the result holds it."""
        return {"exact": self.right, "questions": self.questions}


def answers(
    model: Apertus, tokenizer: TextTokenizer, asked: Sequence[Question], *, chat: bool = False
) -> dict[str, dict[str, Answered]]:
    """Task -> language -> share of right answers.

    Without `chat` an answer is right where each of its ids is the likeliest after the right ones before it: what greedy
    generation would say, in one forward pass. With `chat` it is generated greedily, and right where it begins with the
    answer.

    Raises:
        TokenizerError: a question can't become ids.
        ValueError: with `chat`, the tokenizer lacks the chat's control tokens, or a question and its answer are more
            than the model's positions.
    """
    if not chat:
        requests = [request(tokenizer, one.text, one.answer) for one in asked]
        right = [one.greedy for one in likelihoods(model, requests)]
    else:
        right = [*_said_right(model, tokenizer, asked)]
    found: dict[str, dict[str, list[bool]]] = {}
    for one, yes in zip(asked, right, strict=True):
        found.setdefault(one.task, {}).setdefault(one.language, []).append(yes)
    return {
        task: {language: Answered(len(some), sum(some) / len(some)) for language, some in by_language.items()}
        for task, by_language in found.items()
    }


def _said_right(model: Apertus, tokenizer: TextTokenizer, asked: Sequence[Question]) -> Iterator[bool]:
    if not tokenizer.chat:
        raise ValueError("the tokenizer has no control tokens of the chat format: ask without --chat")
    # What it thinks is no answer: a model that begins to is asked for nothing here, so it ends there.
    ends = tokenizer.ends | {tokenizer.chat[INNER_PREFIX]}
    for first in range(0, len(asked), SEQUENCES):
        group = asked[first : first + SEQUENCES]
        prompts = [
            encode(
                pieces(Conversation((UserTurn(one.text),)), open_answer=True),
                tokenizer.plain,
                tokenizer.chat,
                bos=tokenizer.bos,
            ).ids
            for one in group
        ]
        room = ROOM + 2 * max(len(tokenizer.encode(one.answer)) for one in group)
        said: list[list[int]] = [[] for _ in group]
        for sequence, token in generate(model, prompts, new_tokens=room, temperature=0, top_p=1, seed=0, eos=ends):
            if token not in ends:
                said[sequence].append(token)
        for one, ids in zip(group, said, strict=True):
            yield begins_with(tokenizer.decode(ids), one.answer)


def begins_with(said: str, answer: str) -> bool:
    """Whether a text begins with an answer's words, and with no more of its last one.

    >>> begins_with(" 12, I think", " 12."), begins_with("120.", " 12.")
    (True, False)
    """
    return re.match(rf"\s*{re.escape(answer.strip().rstrip('.'))}(?!\w)", said) is not None
