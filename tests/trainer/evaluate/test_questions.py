from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from lauter.chat.conversation import Conversation, UserTurn
from lauter.chat.encode import encode
from lauter.chat.pieces import pieces
from lauter.trainer.evaluate.answers import answers, begins_with
from lauter.trainer.evaluate.cloze import Item, cloze, own_items
from lauter.trainer.evaluate.questions import Question, questions
from lauter.trainer.generate.generate import generate
from lauter.trainer.model.apertus import Apertus
from tests.trainer.generate.byte_tokenizer import byte_tokenizer
from tests.trainer.huggingface.small import SHAPE, model


@pytest.fixture(scope="module")
def small() -> Apertus:
    """It says small letters: the largest of 26 random logits is above the 0 of all other ids."""
    made = model().requires_grad_(requires_grad=False)
    letters = [byte_tokenizer().encode(letter)[-1] for letter in "abcdefghijklmnopqrstuvwxyz"]
    others = torch.ones(SHAPE.vocabulary, dtype=torch.bool)
    others[letters] = False
    made.lm_head.weight[others] = 0
    return made


def said_after(small: Apertus, text: str, count: int) -> str:
    tokenizer = byte_tokenizer()
    found = generate(small, [tokenizer.encode(text)], new_tokens=count, temperature=0, top_p=1, seed=0, eos=frozenset())
    return tokenizer.decode([one.token for one in found])


def test_questions_have_the_answers_that_they_ask_for() -> None:
    some = [*questions(["copy", "arithmetic"], 3, 5)]
    assert some == [*questions(["copy", "arithmetic"], 3, 5)]
    assert len(some) == 2 * 8 * 3
    assert len({one.text for one in some}) == len(some)
    for one in some:
        *examples, asked = one.text.split("\n")
        if one.task == "copy":
            assert examples == [f"{asked}{one.answer}"]
            continue
        assert len(examples) == 4
        for line in [*examples, asked + one.answer]:
            a, b, result = map(int, re.findall(r"\d+", line))
            assert result in (a + b, a - b)
            assert result >= 0


def test_what_the_model_would_say_is_right_and_nothing_else(small: Apertus) -> None:
    said = said_after(small, "7 plus 5 is", 4)
    good, bad = Question("t", "eng_Latn", "7 plus 5 is", said), Question("t", "deu_Latn", "7 plus 5 is", said + "!?")
    found = answers(small, byte_tokenizer(), [good, good, bad])
    assert {name: (one.questions, one.right) for name, one in found["t"].items()} == {
        "eng_Latn": (2, 1.0),
        "deu_Latn": (1, 0.0),
    }


def test_a_chat_is_asked_in_its_own_format(small: Apertus) -> None:
    tokenizer = byte_tokenizer()
    asked = Question("t", "eng_Latn", "7 plus 5 is", " 12.")
    conversation = pieces(Conversation((UserTurn(asked.text),)), open_answer=True)
    prompt = encode(conversation, tokenizer.plain, tokenizer.chat, bos=tokenizer.bos).ids
    found = generate(small, [prompt], new_tokens=2, temperature=0, top_p=1, seed=0, eos=tokenizer.ends)
    *word, last = [one.token for one in found]
    # In place of its second letter the model says a space, so that a word ends there.
    spaced = deepcopy(small)
    spaced.lm_head.weight[tokenizer.plain(" ")] = 1.001 * spaced.lm_head.weight[last]
    said = replace(asked, answer=f" {tokenizer.decode(word)}.")
    right = answers(spaced, tokenizer, [said, asked], chat=True)
    assert right["t"]["eng_Latn"].right == 0.5
    with pytest.raises(ValueError, match="no control tokens of the chat format"):
        answers(small, replace(tokenizer, chat={}), [asked], chat=True)


def test_an_answer_is_what_is_said_first() -> None:
    assert begins_with("12", " 12.")
    assert not begins_with("It is 12", " 12.")
    assert not begins_with("123", " 12.")


def test_cloze_takes_the_likeliest_end_for_its_length(small: Apertus) -> None:
    tokenizer = byte_tokenizer()
    likely = said_after(small, "The end is", 3)
    items = {
        "a": [Item("The end is", (likely, " qqqqqq", " \x7f\x7f"))],
        "b": [Item("The end is", (" qqqqqq", likely))],
    }
    found = cloze(small, tokenizer, items)
    assert (found["a"].right, found["b"].right) == (1.0, 0.0)
    assert found["a"].chance == pytest.approx(1 / 3)
    assert found["b"].chance == 0.5


def test_own_items_are_whole() -> None:
    items = own_items()
    assert list(items) == ["eng_Latn", "deu_Latn", "fra_Latn", "ita_Latn", "spa_Latn"]
    for some in items.values():
        assert len(some) >= 10
        for item in some:
            assert len(set(item.choices)) == 4
            assert all(choice[0] == " " for choice in item.choices)
            assert not item.text.endswith(" ")
