"""The tokens that stand in place of removed personal data: one id for each type of span that the stage `pii` writes."""

from __future__ import annotations

from lauter.stages.tokens.sidecar import Control

PERSONAL_DATA = ("iban", "email", "ip", "card", "crypto", "phone", "id", "secret", "mac", "coordinates", "name")
"""Types of the spans (`schema.SPAN`); the first three in Apertus's order."""

_APERTUS, _FREE = 36, 73
"""Apertus's own ids are 36 to 38; the others are the first that neither Apertus nor tekken has a use for."""

PLACEHOLDERS = {
    kind: Control(id=(_APERTUS if place < 3 else _FREE - 3) + place, token=f"<{kind}-pii>")
    for place, kind in enumerate(PERSONAL_DATA)
}
"""Type -> its token in both embedded tokenizers."""
