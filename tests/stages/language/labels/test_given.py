"""Which label a record's own words stand for."""

from __future__ import annotations

from typing import Any

import pytest

from lauter.stages.language.labels.given import label_of
from lauter.stages.language.labels.registry import languages
from lauter.stages.language.labels.support import embedded

GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"language": "deu_Latn"}, "deu_Latn"),
        ({"lang": "de"}, "deu_Latn"),
        ({"lang": " EN "}, "eng_Latn"),
        ({"lang": "deu"}, "deu_Latn"),
        ({"lang": "de-CH"}, "deu_Latn"),
        ({"lang": "pt_BR"}, "por_Latn"),
        ({"lang": "zh"}, "cmn_Hani"),
        ({"lang": "zh-Hant-TW"}, "cmn_Hani"),
        ({"lang": "ar"}, "arb_Arab"),
        ({"lang": "sr-Latn"}, "srp_Latn"),
        ({"lang": "sr", "text": "Сва људска бића рађају се слободна"}, "srp_Cyrl"),
        ({"lang": "sr", "text": "Sva ljudska bića rađaju se slobodna"}, "srp_Latn"),
        ({"lang": "hi", "text": "sabhi manushya janm se swatantra hain"}, "hin_Latn"),
        ({"lang": "hi"}, "hin_Deva"),
        ({"language": "", "lang": "fr"}, "fra_Latn"),
        ({"language": None, "lang": 3}, None),
        ({"lang": "xx"}, None),
        ({"lang": "no such"}, None),
        ({"lang": "en", "text": "\ud800" * 3}, "eng_Latn"),
        ({}, None),
    ],
)
def test_labels(fields: dict[str, Any], label: str | None) -> None:
    assert label_of(fields) == label


def test_every_two_letter_code_of_a_known_language_is_a_label_of_the_model() -> None:
    codes = {code for code, language in languages().items() if language.alpha2}
    known = {label[:3] for label in embedded()}
    found = {
        language.alpha2: label_of({"lang": language.alpha2}) for language in languages().values() if language.alpha2
    }
    assert all(label is None or label in embedded() for label in found.values())
    assert all(found[languages()[code].alpha2] for code in codes & known)
