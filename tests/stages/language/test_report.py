"""The languages part of the report: sentences and sums of a corpus's own numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.stages.language import Language, LanguageConfig
from lauter.stages.language.labels.support import Support
from lauter.stages.language.report import language_report

LANGUAGES = {
    "deu_Latn": {"records": 9, "kept": 6, "tokens": 600, "chars": 0},
    "roh_Latn": {"records": 3, "kept": 2, "tokens": 300, "chars": 0},
    "rus_Cyrl": {"records": 3, "kept": 1, "tokens": 50, "chars": 0},
    "eus_Latn": {"records": 1, "kept": 1, "tokens": 40, "chars": 0},
    "und_Latn": {"records": 4, "kept": 1, "tokens": 7, "chars": 0},
    "fra_Latn": {"records": 4, "kept": 0, "tokens": 0, "chars": 0},
    "-": {"records": 10, "kept": 0, "tokens": 0, "chars": 0},
}
SUPPORT = {
    "deu_Latn": Support("deu_Latn", "well", "running-text", 0.5, "", {}),
    "rus_Cyrl": Support("rus_Cyrl", "well", "running-text", 0.5, "", {}),
    "roh_Latn": Support("roh_Latn", "weak", "running-text", 0.5, "", {}),
    "eus_Latn": Support("eus_Latn", "words", "word-types", 0.5, "", {}),
    "fra_Latn": Support("fra_Latn", "well", "running-text", 0.5, "", {}),
}


def test_numbers_are_those_of_kept_documents() -> None:
    section = language_report(LANGUAGES, SUPPORT)
    assert section.topic == "languages"
    assert section.sentences == (
        "Labels with a kept document: 4, in 2 scripts and of 2 families.",
        "7 of 11 kept documents (63.6 %) are in 2 labels that the embedded model supports well, 2 in 1 of the level "
        "“weakly supported”, 1 in 1 of the level “word list only”, 1 in none of its languages.",
    )
    by_script, by_family = section.tables
    assert by_script.rows == (("Latin", 4, 10, 947), ("Cyrillic", 1, 1, 50))
    assert by_family.rows == (
        ("Indo-European", 3, 9, 950),
        ("Isolate", 1, 1, 40),
        ("Family not known", 1, 1, 7),
    )
    assert section.whole is not None
    assert {part.name: (part.group, part.kind, part.value) for part in section.whole.parts} == {
        "deu_Latn": ("Indo-European", "well", 600),
        "roh_Latn": ("Indo-European", "weak", 300),
        "rus_Cyrl": ("Indo-European", "well", 50),
        "eus_Latn": ("Isolate", "words", 40),
        "und_Latn": ("Family not known", "other", 7),
    }
    assert len(section.whole.kinds) <= 5
    assert {part.kind for part in section.whole.parts} <= {kind for kind, _ in section.whole.kinds}
    assert section.glossary["roh_Latn"] == "Romansh"


def test_almost_all_is_not_all() -> None:
    many = {"deu_Latn": {"kept": 99_999, "tokens": 9}, "roh_Latn": {"kept": 1, "tokens": 1}}
    assert "(99.9 %)" in language_report(many, SUPPORT).sentences[1]


def test_what_is_no_language_is_not_supported_well() -> None:
    noise = {"zxx_Zzzz": Support("zxx_Zzzz", "well", "running-text", 0.5, "", {})}
    section = language_report({"zxx_Zzzz": {"kept": 2, "tokens": 5}}, SUPPORT | noise)
    assert section.sentences[1].startswith("0 of 2 kept documents (0.0 %) are in 0 labels")
    assert section.whole is not None
    assert [part.kind for part in section.whole.parts] == ["other"]


def test_another_model_has_no_levels() -> None:
    section = language_report(LANGUAGES, {})
    assert len(section.sentences) == 1
    assert section.whole is not None
    assert section.whole.kinds == (("other", "identified"),)


def test_a_corpus_of_nothing() -> None:
    section = language_report({"-": LANGUAGES["-"]}, SUPPORT)
    assert section.whole is not None
    assert section.whole.parts == ()
    assert "0 of 0 kept documents (0.0 %)" in section.sentences[1]


@pytest.mark.parametrize(
    ("made_for", "used", "warned"),
    [
        ("glotlid", "embedded", True),
        ("glotlid", "glotlid", False),
        ("glotlid", "mine.bin", False),
        (None, "embedded", False),
    ],
)
def test_thresholds_for_scores_of_another_model_are_warned_of(
    tmp_path: Path, made_for: str | None, used: str, *, warned: bool
) -> None:
    path = tmp_path / "limits.yaml"
    named = f"model: {made_for}\n" if made_for else ""
    path.write_text(f"format: 1\n{named}labels: {{deu_Latn: {{language_score: 0.7}}}}\n", "utf-8")
    section = Language.report({"languages": LANGUAGES}, {}, LanguageConfig(model=used, languages_file=str(path)))
    assert bool(section.warnings) is warned
    if warned:
        assert "limits.yaml are for scores of glotlid, and the language stage used embedded" in section.warnings[0]
    # A file of limits of quality alone has no scores that could be another model's.
    path.write_text(f"format: 1\n{named}labels: {{deu_Latn: {{quality: {{}}}}}}\n", "utf-8")
    assert not Language.report(
        {"languages": LANGUAGES}, {}, LanguageConfig(model=used, languages_file=str(path))
    ).warnings
