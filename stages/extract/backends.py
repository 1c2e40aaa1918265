"""The extractors for the child: each loader imports its library and returns a function from HTML to text."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

Extractor = Callable[[str], str]
Backend = Literal["trafilatura", "resiliparse"]

LOADERS: dict[Backend, str] = {
    "trafilatura": f"{__name__}:load_trafilatura",
    "resiliparse": f"{__name__}:load_resiliparse",
}
"""Where the child finds the loader of a backend."""


def load_trafilatura() -> Extractor:
    """Main text by trafilatura's own rules alone (`fast`), precision before recall as FineWeb-2 has it, no comments.

    `deduplicate` stays off: it is a cache over the whole process, so a page's text would depend on the pages before it.
    """
    from trafilatura import extract

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

    def run(html: str) -> str:
        text: str | None = extract(
            html, fast=True, favor_precision=True, include_comments=False, include_tables=True, deduplicate=False
        )
        return text or ""

    return run


def load_resiliparse() -> Extractor:
    """Main content by resiliparse's rules: about ten times as fast, with more of the page around the text."""
    from resiliparse.extract.html2text import extract_plain_text

    def run(html: str) -> str:
        text: str = extract_plain_text(html, main_content=True)
        return text

    return run
