"""A conversation line by line."""

from __future__ import annotations

import datetime

import pytest

from lauter.chat.conversation import AssistantTurn, Response, UserTurn
from lauter.chat.encode import encode
from lauter.chat.formats.messages import of_messages
from lauter.chat.pieces import pieces
from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.stream import Wish
from lauter.trainer.serve.answer import Answer
from lauter.trainer.serve.terminal import HELP, Talk, talk
from tests.trainer.serve.small_talker import TOKENIZER, model

DAY = datetime.date(2026, 11, 26)
WISH = Wish(12, 1.0, 0.9, 3)


def _talk() -> tuple[Talk, list[str], list[str]]:
    said, aside = list[str](), list[str]()
    return Talk(model(), TOKENIZER, WISH, said.append, aside.append, today=DAY), said, aside


def _expected(*texts: str, system: str | None = None) -> str:
    messages = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]
    asked = of_messages([{"role": "system", "content": system}, *messages] if system else messages)
    prompt = encode(pieces(asked, open_answer=True, date=DAY), TOKENIZER.plain, TOKENIZER.chat, bos=1).ids
    answer, text = Answer(TOKENIZER, (), None), ""
    for _, token in generate(model(), [prompt], new_tokens=12, temperature=1.0, top_p=0.9, seed=3, eos=TOKENIZER.ends):
        text += answer.push(token).response
    return text + answer.finish().response


def test_lines_are_answered_with_what_was_said_before_in_mind() -> None:
    conversation, said, aside = _talk()
    talk(["Grüezi\n", "\n", "你好 <|user_end|>\n", "/quit\n", "never\n"], conversation)
    first, second = "".join(said).split("\n", 1)
    assert first == _expected("Grüezi")
    assert second == _expected("Grüezi", first, "你好 <|user_end|>") + "\n"
    assert not any(aside)
    assert [type(turn) for turn in conversation.turns] == [UserTurn, AssistantTurn] * 2


@pytest.mark.parametrize("end", [("</s>",), ("<|assistant_end|>",), ("<|tools_suffix|>", "</s>")])
def test_the_model_finds_only_what_was_seen_of_its_answer(end: tuple[str, ...]) -> None:
    conversation, _, _ = _talk()
    ids = {**TOKENIZER.chat, "</s>": 2, "<pad>": 3}
    answer = Answer(TOKENIZER, (), None)
    for token in [*TOKENIZER.plain("Hoi"), ids["<pad>"], *(ids[name] for name in end)]:
        answer.push(token)
    assert conversation.heard(answer) == AssistantTurn((Response("Hoi"),))


def test_commands() -> None:
    conversation, said, aside = _talk()
    talk(["a", "/system Short.", "Grüezi"], conversation)
    assert "".join(said).endswith(_expected("Grüezi", system="Short.") + "\n")
    assert len(conversation.turns) == 2
    talk(["/think", "/reset", "/system", "/poem"], conversation)
    assert (conversation.turns, conversation.system, conversation.deliberation) == ([], None, True)
    assert aside[-1] == f"{HELP}\n"


def test_what_cannot_be_read_is_told_and_forgotten() -> None:
    conversation, said, aside = _talk()
    talk(["\udcff", "x" * 2048], conversation)
    assert said == []
    assert "no valid UTF-8 at character 0" in aside[0]
    assert "more than the model can read: /reset" in aside[1]
    assert conversation.turns == []
