"""When trafilatura's own rules alone (`fast`) have left too much behind, it is asked again with its slower rivals.

The fast rules take the first `<article>` of a page if it has 250 characters, whatever stands beside it: 49 of 532
pages of the Universal Declaration of Human Rights, an article each for its articles, lost 97 % of their text. Other
layouts lose as much, and all of them show in the share of the visible text that was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Protocol

Effort = Literal["fast", "rivals", "recall"]
"""Own rules alone; with readability and justext beside them; the same, recall before precision."""


class Tree(Protocol):
    """An element of lxml with all below it; lxml has no types of its own."""

    def xpath(self, path: str) -> list[Tree]:
        """The elements that an expression selects."""

    def text_content(self) -> str:
        """All text below."""


Attempt = Callable[["str | Tree", Effort], str]
"""The text of a page, which is a string or its parsed tree, by that much effort."""

_SHARE = 0.2
"""Less of the visible text than this is doubtful. On 862 pages with truth mean F1 is .874 at 0, .893 at .1, .896 at
.15, .898 at .2, .895 at .25, .896 at .4, .893 at 1."""
_SHARE_OF_ARTICLES = 0.7
"""Less than this of several similar articles is doubtful, too. It must be above a half: of two articles of one length
readability brings no more than the own rules, since it replaces a text only by one that is twice as long."""
_SIMILAR = 2
"""Articles this many times shorter than the longest are teasers."""
_ARTICLE = re.compile(r"<article[\s/>]", re.IGNORECASE)


def best_text(html: str, attempt: Attempt, *, recall: bool) -> str:
    """The text by the fast rules unless it is doubtful, else the rivals'; `recall` allows the third effort.

    On 862 pages with truth the rivals are asked for 101, and recall for 5; of the 532 for 49 and none.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from trafilatura import load_html

    text = attempt(html, "fast")
    visible = len(extract_plain_text(html, main_content=False))
    doubtful = len(text) < _SHARE * visible
    # No articles are longer than the page, so most pages need no tree here.
    several = len(text) < _SHARE_OF_ARTICLES * visible and len(_ARTICLE.findall(html)) > 1
    tree = load_html(html) if doubtful or several else None
    if tree is None:
        return text
    enough = _SHARE_OF_ARTICLES * similar_articles(tree)
    if doubtful or len(text) < enough:
        text = attempt(tree, "rivals")
        if recall and len(text) < enough:
            text = max(text, attempt(tree, "recall"), key=len)
    return text


def similar_articles(tree: Tree) -> int:
    """Characters in those outermost articles that are at least half as long as the longest; 0 if there is one only."""
    articles = tree.xpath("//article[not(ancestor::article)]")
    lengths = [len(" ".join(article.text_content().split())) for article in articles]
    longest = max(lengths, default=0)
    similar = [length for length in lengths if length * _SIMILAR >= longest]
    return sum(similar) if len(similar) > 1 else 0
