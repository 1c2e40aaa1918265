"""What labels mean: the table of lid.176 against the model and the code standard, and labels of the other form."""

from __future__ import annotations

import pytest

from lauter.stages.language.labels import LABEL, Meaning, is_unidentified, meanings, wikipedia_labels
from lauter.stages.language.script import scripts


def test_every_row_has_one_meaning_of_its_own() -> None:
    table = wikipedia_labels()
    assert len(table) == 176
    assert len({meaning.language for meaning in table.values()}) == 176
    for code, meaning in table.items():
        assert meaning.scripts, code
        assert set(meaning.scripts) <= set(scripts().codes), code
        assert all(LABEL.fullmatch(f"{meaning.language}_{script}") for script in meaning.scripts), code


@pytest.mark.parametrize(
    ("code", "language", "script"),
    [("de", "deu", "Latn"), ("als", "gsw", "Latn"), ("sq", "als", "Latn"), ("zh", "cmn", "Hani"), ("ja", "jpn", "Jpan"),
     ("ar", "arb", "Arab"), ("no", "nob", "Latn"), ("yi", "ydd", "Hebr"), ("tl", "fil", "Latn"), ("bh", "bho", "Deva")],
)  # fmt: skip
def test_codes_that_are_easily_taken_for_another(code: str, language: str, script: str) -> None:
    assert wikipedia_labels()[code] == Meaning(language, (script,))


def test_a_full_label_is_taken_at_its_word() -> None:
    assert meanings(["__label__deu_Latn", "__label__und_Cher"]) == {
        "__label__deu_Latn": Meaning("deu_Latn", ()),
        "__label__und_Cher": Meaning("und_Cher", ()),
    }


@pytest.mark.parametrize("label", ["__label__", "__label__deu", "__label__toxic", "__label__DEU_Latn"])
def test_a_label_without_a_meaning_is_an_error(label: str) -> None:
    with pytest.raises(ValueError, match=r"neither like deu_Latn nor one of lid\.176"):
        meanings(["__label__de", label])


def test_unidentified() -> None:
    assert [is_unidentified(label) for label in ("und_Latn", "zxx_Zzzz", "mul_Latn", "undu_Latn", "deu_Latn")] == [
        True, True, True, False, False,
    ]  # fmt: skip
