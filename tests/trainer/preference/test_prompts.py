"""Prompts from JSON Lines and Parquet: conversations and pairs, and all that is wrong with a file at once."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.chat.conversation import AssistantTurn, Conversation, Response, UserTurn
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.preference.prompts import TOLD, Prompt, read_prompts

USER, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
ASKED = Conversation((UserTurn("a"),))


def said(text: str) -> AssistantTurn:
    return AssistantTurn((Response(text),))


def test_what_answers_the_last_question_is_offered(tmp_path: Path) -> None:
    rows = [
        {"messages": [USER]},
        {"messages": [USER, ANSWER]},
        {"prompt": "a", "chosen": "better", "rejected": "worse"},
        {"messages": [USER, ANSWER, USER]},
    ]
    (tmp_path / "some.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "more.parquet")
    found = list(read_prompts([str(tmp_path / "some.jsonl"), str(tmp_path / "more.parquet")]))
    assert found == [
        Prompt(ASKED, ()),
        Prompt(ASKED, (said("b"),)),
        Prompt(ASKED, (said("better"), said("worse"))),
        Prompt(Conversation((UserTurn("a"), said("b"), UserTurn("a"))), ()),
        Prompt(ASKED, ()),
        Prompt(ASKED, (said("b"),)),
    ]


def test_every_row_that_is_none_is_told_up_to_a_number(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f"[1]\n{'[' * 100_000}\n" + '{"messages": [{"role": "king", "content": "x"}]}\n' * (TOLD + 3))
    with pytest.raises(UnfitError) as caught:
        list(read_prompts([str(path)]))
    assert len(caught.value.problems) == TOLD + 1
    assert caught.value.problems[2].startswith(f"{path}: line 3: ")
    assert caught.value.problems[-1] == "and 5 more rows"


@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet", "folder.jsonl", "text.parquet", "latin.jsonl"])
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "text.parquet").write_text("text")
    (tmp_path / "latin.jsonl").write_bytes(b'{"messages": "\xe4"}')
    with pytest.raises(UnfitError, match=f"{name}: can't be read as prompts"):
        list(read_prompts([str(tmp_path / name)]))
