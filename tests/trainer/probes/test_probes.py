from __future__ import annotations

import random
import re

import numpy as np
import pytest

from lauter.trainer.probes.probe import Probe, ProbeError
from lauter.trainer.probes.source import source
from lauter.trainer.probes.tasks import TASKS, probes
from lauter.trainer.probes.words import KEYS, VALUES, made_up
from tests.trainer.generate.byte_tokenizer import byte_tokenizer

TOKENIZER = byte_tokenizer()
SOURCE = source(TOKENIZER, "~" * 50)
"""Filler that no fact has a letter of; a byte is a token, so lengths are bytes."""


def _read(one: Probe) -> tuple[str, str]:
    """Text up to where the answer begins, and the answer."""
    ids = [int(index) for index in one.ids]
    assert ids[0] == TOKENIZER.bos
    return TOKENIZER.decode(ids[1 : -one.answer]), TOKENIZER.decode(ids[-one.answer :])


def _one(task: str, depth: float = 0.5, length: int = 700) -> tuple[str, str]:
    (found,) = probes(SOURCE, tasks=[task], lengths=[length], depths=[depth], count=1, seed=3)
    assert (len(found.ids), found.length, found.depth) == (length + 1, length, depth)
    return _read(found)


@pytest.mark.parametrize("depth", [0.0, 0.3, 1.0])
def test_a_needle_stands_at_its_depth_and_is_what_is_asked_for(depth: float) -> None:
    text, answer = _one("single", depth)
    fact = re.search(r" Remember: (\w+) (\w+)\.", text)
    assert fact is not None
    assert text.endswith(f"\nWhich word goes with {fact[1]}? Remember: {fact[1]}")
    assert answer == f" {fact[2]}"
    assert fact[1] in KEYS
    assert fact[2] in VALUES
    assert fact.start() == round(depth * text.count("~"))


def test_one_of_several_keys_is_asked_for() -> None:
    text, answer = _one("multi-key")
    facts = dict(re.findall(r" Remember: (\w+) (\w+)\.", text))
    assert len(facts) == 4
    (asked,) = re.findall(r"Which word goes with (\w+)\?", text)
    assert answer == f" {facts[asked]}"


def test_all_values_of_a_key_are_asked_for_in_their_order() -> None:
    text, answer = _one("multi-value", 0.25)
    facts = re.findall(r" Remember: (\w+) (\w+)\.", text)
    assert len({key for key, _ in facts}) == 1
    first, second, third, fourth = (value for _, value in facts)
    assert answer == f" {first}, {second}, {third} and {fourth}"


def test_several_keys_are_asked_for() -> None:
    text, answer = _one("multi-query")
    facts = dict(re.findall(r" Remember: (\w+) (\w+)\.", text))
    (asked,) = re.findall(r"Which words go with ([\w, ]+)\?", text)
    assert re.findall(r"\w+", answer.replace(" and ", " ")) == [
        facts[key] for key in re.findall(r"\w+", asked.replace(" and ", " "))
    ]


def test_variables_are_a_chain_in_the_order_of_the_text() -> None:
    text, answer = _one("variable-tracking", 0.1)
    assigned = re.findall(r" VAR (\w+) = (?:VAR )?(\w+)\.", text)
    assert len(assigned) == 5
    value = re.findall(r"have the value (\d{5})\?", text)
    assert [given for _, given in assigned] == [*value, *(name for name, _ in assigned[:-1])]
    assert answer == f" {', '.join(name for name, _ in assigned)}"


@pytest.mark.parametrize(("length", "often", "seldom"), [(2000, 10, 1), (6000, 30, 3)])
def test_ten_words_are_ten_times_as_common_as_all_others(length: int, often: int, seldom: int) -> None:
    text, answer = _one("common-words", length=length)
    words = text.split("\n", maxsplit=1)[0].replace("~", "").split()
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    common = [word for word, count in counts.items() if count == often]
    assert len(common) == 10
    assert {count for word, count in counts.items() if word not in common} == {seldom}
    assert answer == f" {', '.join(common)}"
    # The list fills the length: what is left would not hold another word as often.
    assert text.count("~") < 7 * seldom + 10


def test_probes_depend_on_the_seed_and_on_nothing_that_is_asked_for_beside_them() -> None:
    def some(tasks: list[str], seed: int) -> dict[tuple[str, float], list[int]]:
        found = probes(SOURCE, tasks=tasks, lengths=[700], depths=[0.2, 0.9], count=1, seed=seed)
        return {(one.task, one.depth): [int(index) for index in one.ids] for one in found}

    every, alone = some([name for name in TASKS if name != "common-words"], 5), some(["multi-value"], 5)
    assert len(every) == 10
    assert all(every[place] == ids for place, ids in alone.items())
    assert alone != some(["multi-value"], 6)


def test_a_length_that_does_not_hold_the_task_is_refused() -> None:
    with pytest.raises(ProbeError, match=r"task 'multi-key' takes \d+ tokens with this tokenizer, more than"):
        _one("multi-key", length=64)
    with pytest.raises(ProbeError, match="common-words"):
        _one("common-words", length=256)


def test_made_up_words_are_all_different() -> None:
    found = made_up(random.Random(1), 5000)
    assert len(set(found)) == 5000
    assert np.unique([len(word) for word in found]).tolist() == [6]
