"""The backend `cascade`: the learned rule first, trafilatura where the rule expects that its own text is not good.

The rule runs in the process of the stage: it is one linear pass and can neither hang nor grow beyond the page, and so
is the writing of what it kept. Where that takes a parser (formulas above all) its HTML, a few percent of the page, goes
to the sandbox, where resiliparse makes text of it; a doubtful page goes there whole. The first byte of what is sent
says which (`wire`).
"""

from __future__ import annotations

from lauter.stages.extract.blocks.cutting import Blocks
from lauter.stages.extract.blocks.gaps import drop_gutters, fill_gaps
from lauter.stages.extract.blocks.kept import kept_html
from lauter.stages.extract.blocks.rule import Rule, judge
from lauter.stages.extract.blocks.writing import text_of
from lauter.stages.extract.wire import KEPT, WHOLE

KEEP_ABOVE = -600
"""Log-odds of -.15: F1 gains a little more by a block that is wanted than it loses by one that is not. Word F1 of AEB,
Fundus and WCXB by cross-validation: .9605, .9543, .8797 at -1200; .9619, .9558, .8782 at -600; .9620, .9574, .8764 at 0
(all without trafilatura)."""
_MOST_BLOCKS = 50_000
"""A page with more goes to trafilatura: its features would take 20 MB and more. The largest of 4,143 has 8,000."""


def extracted(rule: Rule, html: bytes, blocks: Blocks, *, confidence: float) -> str | bytes:
    """The text of a page (UTF-8) that has these blocks, or what the sandbox is to be sent for it.

    That is the HTML of its main text where a parser is needed, or all of it after `WHOLE` where the rule expects a word
    F1 below `confidence`, or finds nothing.
    """
    if not 0 < len(blocks.rows) <= _MOST_BLOCKS:
        return WHOLE + html
    judgement = judge(rule, blocks, keep_above=KEEP_ABOVE)
    if not judgement.keep.any() or judgement.expected_f1 < confidence:
        return WHOLE + html
    fill_gaps(html, blocks, judgement.keep)
    drop_gutters(blocks, judgement.keep)
    text = text_of(html, blocks, judgement.keep)
    return text if text is not None else KEPT + kept_html(html, blocks, judgement.keep)
