"""Labels that a manifest names: known ones pass, others are refused with the one that was meant."""

from __future__ import annotations

import pytest

from lauter.stages.language.labels.named import check_named, wikipedia_answers

KNOWN = {"deu_Latn", "cmn_Hani", "fas_Arab", "ekk_Latn", "srp_Cyrl", "srp_Latn", "zxx_Zzzz"}


def test_known_and_unidentified_ones_pass() -> None:
    check_named([*sorted(KNOWN), "und_Cher", "zxx_Latn", "mul_Latn"], KNOWN, "m")
    check_named([], KNOWN, "m")


@pytest.mark.parametrize(
    ("label", "mend"),
    [
        ("zho_Hani", "it calls it cmn_Hani"),
        ("pes_Arab", "it calls it fas_Arab"),
        ("est_Latn", "it calls it ekk_Latn"),
        ("srp_Arab", "it has srp_Cyrl, srp_Latn"),
        ("zho_Hans", "it has cmn_Hani"),
        ("hbs_Latn", "it has srp_Cyrl, srp_Latn"),
        ("tlh_Latn", "`lauter lang list`"),
    ],
)
def test_others_are_refused_with_what_was_meant(label: str, mend: str) -> None:
    with pytest.raises(ValueError, match="the model m has no label") as caught:
        check_named(["deu_Latn", label], KNOWN, "m")
    assert label in str(caught.value)
    assert mend in str(caught.value)


def test_what_lid_176_answers_with() -> None:
    answers = wikipedia_answers()
    assert {"deu_Latn", "srp_Latn", "srp_Cyrl", "jpn_Jpan", "gsw_Latn"} <= answers
    assert "zho_Hani" not in answers
