"""Rewards of the demonstration."""

from __future__ import annotations

import pytest

from lauter.chat.conversation import Conversation, UserTurn
from quickstart.preferences import length, polite, prompts, without

ASKED = Conversation((UserTurn("q"),))


@pytest.mark.parametrize(
    ("answer", "calls_old"),
    [
        ("The tree is old.", True),
        ("Old trees.", True),
        ("Das ist alt: Baum.", True),
        ("Das ist kalt.", False),
        ("", False),
    ],
)
def test_a_forbidden_word_is_a_whole_word(answer: str, calls_old: bool) -> None:  # noqa: FBT001
    assert (without(ASKED, answer) < 1) is calls_old


def test_what_is_longer_or_politer_is_better() -> None:
    assert length(ASKED, "four") == 4.0
    assert polite(ASKED, "The tree. Thank you.") > 1 > polite(ASKED, "Thank you. The tree.")


def test_no_prompt_is_both_learnt_from_and_held_out() -> None:
    learnt, held_out = ({task.prompt for task in some} for some in prompts())
    assert learnt
    assert held_out
    assert learnt.isdisjoint(held_out)
