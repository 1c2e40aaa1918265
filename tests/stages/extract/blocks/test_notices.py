from __future__ import annotations

import numpy as np
import pytest

from lauter.stages.extract.banners import words_for_cookies
from lauter.stages.extract.blocks.notices import may_hold_notice


def told(text: str) -> bool:
    return may_hold_notice(np.frombuffer(text.encode(), np.uint8))


@pytest.mark.parametrize("around", ["{}", "Ein Satz mit {}, der weitergeht.", "\n{}\n", "日本{}日本"])
def test_every_word_is_found_as_it_is_written(around: str) -> None:
    for word in words_for_cookies():
        for form in (word, word.upper(), word.capitalize()):
            assert told(around.format(form)), form


def test_other_texts_are_not_taken_for_one() -> None:
    for text in ("", "coo", "cook", "Cook the rye, and inform the kuk.", "Печенье и кук", "كوك", "cooki es"):
        assert not told(text)
