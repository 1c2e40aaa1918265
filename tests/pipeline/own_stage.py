"""A user's module, as the manifest names it with `use:`."""

from __future__ import annotations

from lauter.pipeline.per_document import per_document


@per_document("text")
def exclamations(text: str) -> float:
    """Share of exclamation marks."""
    return text.count("!") / max(len(text), 1)
