"""The names and ids of a chat's control tokens."""

from __future__ import annotations

import datetime
import json

import pytest

from lauter.chat.control import NAMES, chat_ids, default_system
from lauter.chat.conversation import ChatError
from lauter.stages.tokens import apertus


def test_apertus_has_them_at_61_to_72() -> None:
    sidecar = json.loads(apertus.SIDECAR.canonical())
    assert chat_ids(sidecar) == {name: 61 + place for place, name in enumerate(NAMES)}


def test_a_tokenizer_without_them_is_told_so() -> None:
    with pytest.raises(ChatError, match=r"no <\|system_start\|> and no <\|system_end\|> \(12 of 12 missing\)"):
        chat_ids({"bos": {"id": 1, "token": "<s>"}})
    with pytest.raises(ChatError, match=r"no <\|tools_suffix\|>:"):
        chat_ids({"added": {name: place for place, name in enumerate(NAMES[:-1])}})


def test_the_day_is_told_only_where_it_is_given() -> None:
    assert default_system(datetime.date(2026, 3, 1)) == f"{default_system(None)}\nCurrent date: 2026-03-01"
