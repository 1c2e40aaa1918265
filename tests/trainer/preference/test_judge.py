"""Scores of a judge: the mean over the digits' probabilities, or the digit that was said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lauter.chat.conversation import AssistantTurn, Conversation, Response, UserTurn
from lauter.trainer.config.preference import EndpointSection, JudgeSection
from lauter.trainer.preference.endpoint import Endpoint
from lauter.trainer.preference.judge import by_judge, score
from lauter.trainer.preference.rewards import RewardError
from tests.trainer.preference.server import choice, serving


def section(url: str = "http://127.0.0.1:1/v1", charter: str = "none") -> JudgeSection:
    return JudgeSection(endpoint=EndpointSection(url=url, model="judge"), charter=charter)


def logprobs(shares: dict[str, float]) -> dict[str, Any]:
    tokens = [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]
    return {"content": [{**tokens[0], "top_logprobs": tokens}]}


def test_the_score_is_the_mean_over_the_digits() -> None:
    said = choice("8", logprobs=logprobs({"8": 0.5, "2": 0.2, " 8": 0.1, "The": 0.1, "0": 0.05, "10": 0.05}))
    # 0.8 of the probability is on scores: 8 with 0.6 of it, 2 with 0.2.
    assert score(section(), said) == pytest.approx((8 * 0.6 + 2 * 0.2) / 0.8)


def test_without_probabilities_the_digit_counts() -> None:
    assert score(section(), choice(" 7\n")) == 7.0
    assert score(section(), choice("3", logprobs=logprobs({"Well": 0.9}))) == 3.0


@pytest.mark.parametrize("text", ["", "good", "0", "10", "7 of 9", "³"])
def test_what_is_no_score_is_an_error(text: str) -> None:
    with pytest.raises(RewardError, match="gave no score from 1 to 9"):
        score(section(), choice(text))


@pytest.mark.parametrize(
    "logprobs",
    [
        "none",
        {"content": ["9"]},
        {"content": [{"top_logprobs": [{"token": "9"}]}]},
        {"content": [{"top_logprobs": [{"token": "9", "logprob": None}]}]},
        {"content": [{"top_logprobs": [{"token": "9", "logprob": 1e6}]}]},
    ],
)
def test_probabilities_of_another_form_are_an_error(logprobs: Any) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(RewardError, match="`logprobs` are not as the protocol has them"):
        score(section(), choice("9", logprobs=logprobs))


def test_the_judge_is_shown_charter_conversation_and_answer(tmp_path: Path) -> None:
    (tmp_path / "charter.md").write_text("Be kind.")
    bodies: list[dict[str, Any]] = []

    def answer(body: dict[str, Any], _: dict[str, str]) -> tuple[int, Any]:
        bodies.append(body)
        return 200, choice("9" if "thank" in body["messages"][1]["content"].partition("# Answer")[2] else "2")

    asked = Conversation((UserTurn("hello"), AssistantTurn((Response("hi"),)), UserTurn("bye")))
    with serving(answer) as url:
        wanted = section(url, str(tmp_path / "charter.md"))
        found = by_judge(wanted, Endpoint(wanted.endpoint))(asked, ["go", "thank you"])
    assert found == [2.0, 9.0]
    system, user = (message["content"] for message in bodies[0]["messages"])
    assert "Be kind." in system
    assert "from 1 " in system
    assert "User: hello\n\nAssistant: hi\n\nUser: bye" in user
    assert (bodies[0]["max_tokens"], bodies[0]["logprobs"]) == (1, True)


def test_a_charter_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    wanted = section(charter=str(tmp_path / "none.md"))
    with pytest.raises(RewardError, match=r"judge.charter: .*none.md can't be read"):
        by_judge(wanted, Endpoint(wanted.endpoint))
