"""What a completion is worth: a number for a conversation and the text that answers it."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lauter.chat.conversation import Conversation

Reward = Callable[[Conversation, Sequence[str]], list[float]]
"""A number for each answer to one conversation."""


class RewardError(Exception):
    """Nothing gives the rewards, or what it gives is no number; the message says what and where."""


def by_function(name: str) -> Reward:
    """`module:name` or `file.py:name`: called as name(conversation, text), it gives a number.

    Raises:
        RewardError: there is no such function; when it is called, that it failed or gave no finite number.
    """
    function = _found(name)

    def reward(conversation: Conversation, answers: Sequence[str]) -> list[float]:
        found = []
        for answer in answers:
            try:
                found.append(checked(function(conversation, answer), name))
            except RewardError:
                raise
            except Exception as error:  # It is the user's, and may raise what it likes.
                raise RewardError(f"{name}: {type(error).__name__}: {error}, for the answer {answer[:80]!r}") from error
        return found

    return reward


def checked(value: object, what: str) -> float:
    """A finite number, as a float. Raises `RewardError` where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RewardError(f"{what} gave {value!r} for a reward, which is no finite number")
    return float(value)


def _found(name: str) -> Callable[[Conversation, str], Any]:
    place, _, attribute = name.rpartition(":")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        function: Callable[[Conversation, str], Any] = getattr(module, attribute)
    except Exception as error:  # Importing runs the user's code.
        raise RewardError(
            f"preference.reward.function: {name} can't be had ({type(error).__name__}: {error})"
        ) from error
    if not callable(function):
        raise RewardError(f"preference.reward.function: {name} is no function")
    return function
