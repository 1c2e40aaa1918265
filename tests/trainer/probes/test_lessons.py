from __future__ import annotations

import random
import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.probes.lessons import PLACES, facts, pairs
from lauter.trainer.probes.words import KEYS, VALUES
from tests.trainer.generate.byte_tokenizer import byte_tokenizer

TOKENIZER = byte_tokenizer()


def _encode(text: str) -> list[int]:
    return TOKENIZER.encode(text)[1:]


FILLER = _encode("~")
"""No fact has a letter of it; a byte is a token, so lengths are bytes."""


def _words(words: int, seed: int) -> list[str]:
    return TOKENIZER.decode(pairs(_encode, words, random.Random(seed))).split()


def _facts(length: int, seed: int) -> str:
    return TOKENIZER.decode(facts(_encode, FILLER, length, 64, random.Random(seed)))


@given(st.sampled_from([2, 8, 64]), st.integers(0, 10_000))
def test_words_come_again_in_their_order_or_in_pairs_that_are_shuffled(words: int, seed: int) -> None:
    shown = _words(words, seed)
    assert set(shown) <= {*KEYS[:words], *VALUES[:words]}
    assert PLACES // 2 < len(shown) <= 2 * PLACES
    over = any(shown == (shown[:size] * PLACES)[: len(shown)] for size in range(2, len(shown) // 2 + 1))
    goes_with = Counter(zip(shown[::2], shown[1::2], strict=True))
    once_each = len({key for key, _ in goes_with}) == len(goes_with) and len(set(goes_with.values())) == 1
    assert over or (once_each and min(goes_with.values()) > 1)


@given(st.integers(80, 4000), st.integers(0, 10_000))
def test_each_fact_is_asked_for_once_behind_all_of_them(length: int, seed: int) -> None:
    text = _facts(length, seed)
    assert len(text) <= length
    found = re.findall(r"(Which word goes with (\w+)\? )?Remember: (\w+) (\w+)\.", text)
    half = len(found) // 2
    assert half
    assert sorted(one[2:] for one in found[:half]) == sorted(one[2:] for one in found[half:])
    assert not any(one[0] for one in found[:half])
    assert all(one[1] in ("", one[2]) for one in found)
    assert len({one[2] for one in found[:half]}) == half
    behind = text[[one.start() for one in re.finditer("Remember", text)][half] :]
    assert "~" not in behind


def test_filler_mostly_fills_the_length_and_sometimes_is_not_there() -> None:
    texts = [_facts(2000, seed) for seed in range(200)]
    assert sum(len(text) == 2000 for text in texts) > 80
    assert 20 < sum("~" not in text for text in texts) < 90
    assert any("~" in text and len(text) < 2000 for text in texts)


def test_the_same_chance_gives_the_same_lessons() -> None:
    assert (_words(8, 1), _facts(500, 1)) == (_words(8, 1), _facts(500, 1))
    assert (_words(8, 1), _facts(500, 1)) != (_words(8, 2), _facts(500, 2))
