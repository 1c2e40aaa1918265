"""The tables of languages, scripts, families, macrolanguages: whole, consistent, right where it is easy to err."""

from __future__ import annotations

from importlib import resources

import pytest

from lauter.stages.language.labels import LABEL, wikipedia_labels
from lauter.stages.language.labels.registry import (
    LIVE,
    describe,
    families,
    languages,
    macrolanguage_of,
    members,
    predominant,
    resolve,
    script_names,
)
from lauter.stages.language.script import scripts

TABLES = ("languages.tsv", "scripts.tsv", "families.tsv", "macrolanguages.tsv")


def test_every_table_names_its_source_and_licence_and_all_are_small() -> None:
    folder = resources.files("lauter.stages.language.labels")
    size = 0
    for table in TABLES:
        text = folder.joinpath(table).read_text("utf-8")
        size += len(text.encode())
        head = "".join(line for line in text.splitlines() if line.startswith("#"))
        assert "Source: " in head, table
        assert any(licence in head for licence in ("CC0-1.0", "CC-BY-4.0", "Unicode-3.0")), table
    assert size < 1_000_000


def test_codes_are_well_formed_and_refer_to_one_another() -> None:
    table = languages()
    assert sum(language.scope in LIVE for language in table.values()) > 7_900  # ISO 639-3 has some 7,900 codes
    alpha2 = [language.alpha2 for language in table.values() if language.alpha2]
    assert len(alpha2) == len(set(alpha2)) >= 180  # ISO 639-1 has 183
    for code, language in table.items():
        assert LABEL.fullmatch(f"{code}_Latn"), code
        assert language.names[0], code
        assert not language.macrolanguage or table[language.macrolanguage].scope == "M", code
        assert not language.replacement or table[language.replacement].scope in LIVE, code
        assert not language.replacement or language.scope == "R", code
        assert not language.alpha2 or language.scope in LIVE, code


def test_a_predominant_member_is_a_member() -> None:
    for macrolanguage, code in predominant().items():
        assert code in members(macrolanguage), macrolanguage


def test_families_are_of_known_languages_each_once() -> None:
    assert set(families()) <= set(languages())
    rows = sum(1 for language in languages().values() if language.scope in LIVE and language.code in families())
    assert rows > 7_500
    assert all(families()[code] for code in families())


def test_every_script_that_is_detected_has_a_name() -> None:
    assert set(scripts().codes) <= set(script_names())


def test_every_label_of_lid_176_is_described() -> None:
    for meaning in wikipedia_labels().values():
        for script in meaning.scripts:
            found = describe(f"{meaning.language}_{script}")
            assert found.name != meaning.language, meaning
            assert script in script_names(), meaning


@pytest.mark.parametrize(
    ("label", "name", "family", "script"),
    [
        ("deu_Latn", "German", "Indo-European", "Latin"),
        ("gsw_Latn", "Swiss German", "Indo-European", "Latin"),
        ("roh_Latn", "Romansh", "Indo-European", "Latin"),
        ("cmn_Hani", "Mandarin Chinese", "Sino-Tibetan", "Han"),
        ("eus_Latn", "Basque", "Isolate", "Latin"),
        ("fas_Arab", "Persian", "Indo-European", "Arabic"),
        ("swh_Latn", "Swahili", "Atlantic-Congo", "Latin"),
        ("epo_Latn", "Esperanto", "Artificial Language", "Latin"),
        ("zxx_Zzzz", "No linguistic content", "", "Code for uncoded script"),
        ("xyq_Xyzw", "xyq", "", "Xyzw"),
    ],
)
def test_describe(label: str, name: str, family: str, script: str) -> None:
    found = describe(label)
    assert (found.label, found.name, found.family, found.script) == (label, name, family, script)


@pytest.mark.parametrize(
    ("codes", "macrolanguage"),
    [
        ("quy quz qvi", "que"), ("fuv fuc fuf", "ful"), ("kng ldi kwy", "kon"), ("zsm ind min", "msa"),
        ("hrv srp bos", "hbs"), ("nob nno", "nor"), ("cmn yue", "zho"), ("pes prs", "fas"), ("ekk vro", "est"),
    ],
)  # fmt: skip
def test_members_of_macrolanguages(codes: str, macrolanguage: str) -> None:
    for code in codes.split():
        assert macrolanguage_of(code) == macrolanguage
        assert code in members(macrolanguage)


def test_a_language_alone_has_no_macrolanguage() -> None:
    assert macrolanguage_of("deu") is None
    assert macrolanguage_of("no code") is None
    assert members("deu") == ()


@pytest.mark.parametrize(
    ("code", "known", "found"),
    [
        ("de", "deu", "deu"), ("zh", "cmn yue", "cmn"), ("zho", "cmn yue", "cmn"), ("pes", "fas", "fas"),
        ("prs", "fas", "fas"), ("fas", "pes prs", "pes"), ("fa", "fas pes", "fas"), ("est", "ekk", "ekk"),
        ("ekk", "est", "est"), ("no", "nob nno", "nob"), ("nor", "nob nno", "nob"), ("ajp", "apc", "apc"),
        ("tw", "twi", "twi"), ("aka", "twi", "twi"), ("kmr", "kur", "kur"), ("quz", "quy", None), ("hbs", "hrv", None),
        ("hbs", "hbs", "hbs"), ("xx", "deu", None), ("deu", "", None),
    ],
)  # fmt: skip
def test_codes_that_mean_the_same(code: str, known: str, found: str | None) -> None:
    assert resolve(code, set(known.split())) == found
