r"""What is never merged across: tekken's pattern, and that of Apertus, which cuts four LaTeX pieces out first.

Apertus gives `\begin{`, `\end{`, `\text{` and `\boxed{` an id each, wherever they stand. Tekken's pattern parts the
letters from the bracket, so no merge could make them; a pattern that leaves them whole can, since a piece that is an
entry of the vocabulary is not merged (`ignore_merges`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

SPLIT = "|".join(
    (
        # A word, and one character before it: capitals first, then small letters; marks and caseless letters are both.
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""The expression of Tekken, Apertus's tokenizer (arXiv 2509.14233 section 2.2), which is GPT-4o's (`o200k_base` of
tiktoken) without English contractions and with each digit alone."""

LATEX = {r"\begin{": 14, r"\end{": 15, r"\text{": 16, r"\boxed{": 17}
"""Pieces of ordinary text whose ids lie among the control tokens' of Apertus."""

PIECE = r"\\(?:begin|end|text|boxed)\{"
"""One of them."""

LATEX_SPLIT = "|".join(
    (
        PIECE,
        *SPLIT.split("|")[:3],
        # A run of punctuation ends before a piece, as does a run of white space, as if the text ended there.
        rf" ?(?:(?!{PIECE})[^\s\p{{L}}\p{{N}}])+[\r\n/]*",
        r"\s*[\r\n]+",
        rf"\s+(?!(?!{PIECE})\S)",
        r"\s+",
    )
)
"""`SPLIT` with the pieces first: it cuts a text as `SPLIT` cuts what lies between its pieces, each part for itself."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A tokenizer with `LATEX_SPLIT`, taken apart: a text is cut at its pieces, and `tokenizer` encodes the rest."""

    tokenizer: str
    """JSON of the same tokenizer with `SPLIT`."""
    ids: Mapping[str, int]
    """Of the pieces."""

    def apart(self, text: str) -> list[str]:
        """Text and pieces in turn, text first and last: what is joined is the text again."""
        # Almost no text has one, and this test is twenty times as fast as the search.
        return _PIECES.split(text) if "\\" in text else [text]


_PIECES = re.compile(f"({PIECE})")


def cut_of(tokenizer: str) -> Cut | None:
    """The tokenizer taken apart, or None where its pattern is another, or a piece no entry; `tokenizer` is its JSON."""
    if json.dumps(LATEX_SPLIT)[1:-1] not in tokenizer:
        return None
    document = json.loads(tokenizer)
    split = document["pre_tokenizer"]["pretokenizers"][0]
    if split["pattern"] != {"Regex": LATEX_SPLIT} or split["behavior"] != "Isolated":
        return None
    vocabulary = document["model"]["vocab"]
    if not LATEX.keys() <= vocabulary.keys():
        return None
    split["pattern"] = {"Regex": SPLIT}
    return Cut(json.dumps(document, ensure_ascii=False), {piece: vocabulary[piece] for piece in LATEX})
