"""Rows with two answers, in the usual public forms."""

from __future__ import annotations

from typing import Any

import pytest

from lauter.chat.conversation import AssistantTurn, ChatError, Conversation, Response, UserTurn
from lauter.chat.formats.preference import preference

ASKED = {"role": "user", "content": "Warm?"}
YES, NO = AssistantTurn((Response("Yes."),)), AssistantTurn((Response("No."),))


def _says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Warm?", "chosen": "Yes.", "rejected": "No."},
        {"question": "Warm?", "system": "", "chosen": "Yes.", "rejected": "No."},
        {"prompt": [ASKED], "chosen": [_says("Yes.")], "rejected": [_says("No.")]},
        {"prompt": "Warm?", "chosen": [ASKED, _says("Yes.")], "rejected": [ASKED, _says("No.")]},
        {"chosen": "\n\nHuman: Warm?\n\nAssistant: Yes.", "rejected": "\n\nHuman: Warm?\n\nAssistant: No."},
        {"prompt": [ASKED], "chosen": _says("Yes."), "rejected": _says("No.")},
    ],
)
def test_every_form_is_read(row: dict[str, Any]) -> None:
    found = preference(row)
    assert (found.prompt, found.chosen, found.rejected) == (Conversation((UserTurn("Warm?"),)), YES, NO)
    assert found.chosen_score is found.rejected_score is None


def test_a_system_text_and_scores_come_along() -> None:
    row = {"question": "Warm?", "system": "Short.", "chosen": "Yes.", "rejected": "No."}
    found = preference({**row, "score_chosen": 9, "score_rejected": 1.5})
    assert found.prompt.system == "Short."
    # Its place is the same where the answers repeat the prompt; a message of that kind comes first.
    whole = {"chosen": [ASKED, _says("Yes.")], "rejected": [ASKED, _says("No.")], "system": "Short."}
    assert preference(whole) == preference(row)
    own = {name: [{"role": "developer", "content": "Long."}, *whole[name]] for name in ("chosen", "rejected")}
    assert preference({**own, "system": "Short."}).prompt.system == "Long."
    assert (found.chosen_score, found.rejected_score) == (9.0, 1.5)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a", "chosen": "b"}, "no field rejected"),
        ({"chosen": "a", "rejected": "b"}, "begins with the assistant"),
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, "are the same"),
        ({"prompt": "a", "chosen": "b", "rejected": ""}, "is empty"),
        ({"chosen": [ASKED, _says("a")], "rejected": [ASKED]}, "does not end with the assistant"),
        ({"chosen": [ASKED, _says("a")], "rejected": [ASKED, ASKED, _says("b")]}, "answer two prompts"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": "9"}, "score_chosen is no number but str"),
    ],
)
def test_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ChatError, match=message):
        preference(row)
