"""Rewards by a language model that reads a charter and gives a score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lauter.chat.conversation import AssistantTurn, Conversation, Response, UserTurn
from lauter.trainer.config.preference import JudgeSection
from lauter.trainer.preference.endpoint import Endpoint
from lauter.trainer.preference.rewards import Reward, RewardError, checked

LIKELIEST = 20
"""Tokens whose probabilities are asked for (`top_logprobs`): the most that the protocol allows."""


def by_judge(section: JudgeSection, endpoint: Endpoint) -> Reward:
    """A judge with the charter in its prompt, as Apertus ranked answers to controversial questions.

    The score is the mean over the digits `lowest` to `highest`, weighted with the probabilities that the judge gives
    them (arXiv 2509.14233, section 4.3); where a server tells no probabilities, the digit that it says.

    Raises:
        RewardError: the charter can't be read; when it is called, that the judge gave no score.
    """
    try:
        charter = Path(section.charter).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RewardError(f"preference.reward.judge.charter: {section.charter} can't be read ({error})") from error

    def reward(conversation: Conversation, answers: Sequence[str]) -> list[float]:
        requests = [
            {
                "messages": question(section, charter, conversation, answer),
                "max_tokens": 1,
                "temperature": 0.0,
                "logprobs": True,
                "top_logprobs": LIKELIEST,
            }
            for answer in answers
        ]
        return [score(section, said) for said in endpoint.complete_all(requests)]

    return reward


def question(section: JudgeSection, charter: str, conversation: Conversation, answer: str) -> list[dict[str, str]]:
    """The messages for one answer."""
    lines = []
    for turn in conversation.turns:
        if isinstance(turn, UserTurn):
            lines.append(f"User: {turn.text}")
        else:
            lines.append(f"Assistant: {_said(turn)}")
    task = (
        "You judge answers of an assistant by the charter below. You are shown a conversation and the answer to its "
        f"last turn. Reply with one digit alone, from {section.lowest} (the answer goes against the charter) to "
        f"{section.highest} (it follows the charter in every respect).\n\n# Charter\n\n{charter}"
    )
    shown = "\n\n".join(lines)
    return [
        {"role": "system", "content": task},
        {"role": "user", "content": f"# Conversation\n\n{shown}\n\n# Answer\n\n{answer}\n\n# Score"},
    ]


def score(section: JudgeSection, said: Mapping[str, Any]) -> float:
    """Of what the server said: the mean of the digits, weighted with their probabilities. Raises `RewardError`."""
    choice = said["choices"][0]
    weights: dict[int, float] = {}
    try:
        content = (choice.get("logprobs") or {}).get("content") or [{}]
        for one in content[0].get("top_logprobs") or ():
            digit = _digit(section, str(one.get("token", "")))
            if digit is not None:
                # " 7" and "7" are two tokens and one score.
                weights[digit] = weights.get(digit, 0.0) + math.exp(float(one["logprob"]))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RewardError(
            f"the judge's `logprobs` are not as the protocol has them ({type(error).__name__}: {error})"
        ) from error
    total = sum(weights.values())
    if total > 0:
        return checked(sum(digit * weight for digit, weight in weights.items()) / total, "the judge")
    text = str((choice.get("message") or {}).get("content") or "").strip()
    said_digit = _digit(section, text)
    if said_digit is not None:
        return float(said_digit)
    raise RewardError(f"the judge gave no score from {section.lowest} to {section.highest} but {text[:80]!r}")


def _digit(section: JudgeSection, token: str) -> int | None:
    """The score that a token is, None where it is none."""
    text = token.strip()
    fits = len(text) == 1 and text.isascii() and text.isdigit() and section.lowest <= int(text) <= section.highest
    return int(text) if fits else None


def _said(turn: AssistantTurn) -> str:
    return "\n".join(block.text for block in turn.blocks if isinstance(block, Response))
