"""Functions of the user: found by name, and held to giving a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.chat.conversation import Conversation, UserTurn
from lauter.trainer.preference.rewards import RewardError, by_function

ASKED = Conversation((UserTurn("hi"),))


def test_a_function_of_a_module_or_of_a_file(tmp_path: Path) -> None:
    assert by_function("tests.trainer.preference.world:reward")(ASKED, ["abc", "xyz"]) == [3.0, 0.0]
    file = tmp_path / "mine.py"
    file.write_text("def turns(conversation, answer):\n    return len(conversation.turns) + len(answer)\n")
    assert by_function(f"{file}:turns")(ASKED, ["", "ab"]) == [1.0, 3.0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(c, a): return 'good'", "gave 'good' for a reward"),
        ("def f(c, a): return True", "gave True for a reward"),
        ("def f(c, a): return float('inf')", "gave inf for a reward"),
        ("def f(c, a): return 1 / 0", "ZeroDivisionError: division by zero, for the answer 'abc'"),
    ],
)
def test_what_is_no_number_is_told(tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(RewardError, match=said):
        by_function(f"{tmp_path}/mine.py:f")(ASKED, ["abc"])


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such", "json:__doc__", "{folder}/none.py:f"])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(RewardError, match=r"preference.reward.function: "):
        by_function(name.format(folder=tmp_path))
