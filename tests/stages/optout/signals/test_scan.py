"""The kernel against a twin made of regular expressions, on soups of markup."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.stages.optout.signals.scan import ANCHOR, JSON_LD, LINK, META, candidates

RAW = {b"iframe", b"noembed", b"noframes", b"script", b"style", b"textarea", b"title", b"xmp"}
IN_META = rb"noai|noimageai|noindex|none|tdm-|rights|licen|content-usage|content-sig|&#"
ATTRIBUTES = re.compile(rb"""(?:=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))|[^>])*+""")
COMMENT = re.compile(rb"<!--(?:>|->|.*?(?:--!?>|\Z))", re.DOTALL)
Found = list[tuple[int, int, int, int]]


def holds(words: bytes, text: bytes) -> bool:
    return re.search(words, text, re.IGNORECASE) is not None


def kind_of(name: bytes, text: bytes) -> int:
    if name == b"meta" and holds(IN_META, text):
        return META
    if name == b"link" and holds(b"licen|&#", text):
        return LINK
    return ANCHOR if name in (b"a", b"area") and holds(b"rel", text) and holds(b"licen|&#", text) else 0


def twin(page: bytes) -> Found:
    """(kind, start, end, tag) of every candidate."""
    found: Found = []
    at = template = foreign = 0
    while (at := page.find(b"<", at)) >= 0:
        comment = COMMENT.match(page, at)
        tag = re.compile(rb"<(/?)([A-Za-z][^\s/>]*)").match(page, at)
        if comment:
            at = comment.end()
        elif tag:
            name, start = tag[2].lower(), tag.end()
            attributes = ATTRIBUTES.match(page, start)
            assert attributes is not None
            end = attributes.end()
            at, tag_at = end + 1, at
            if tag[1]:
                template -= name == b"template" and template > 0
                foreign -= name in (b"svg", b"math") and foreign > 0
                continue
            slash = re.search(rb"(?<![=\s])\s*/\s*\Z", attributes[0]) is not None
            kind = kind_of(name, attributes[0]) if not template else 0
            if name == b"template":
                template += 1
            elif name in (b"svg", b"math"):
                foreign += not slash
            elif name in RAW and not (slash and foreign):
                close = re.compile(rb"</%s(?=[\s/>]|\Z)" % name, re.IGNORECASE).search(page, at)
                at, content = (close.start() if close else max(len(page), at)), at
                if name == b"script" and not template and holds(rb"ld\+json", attributes[0]):
                    start, end = content, at
                    kind = JSON_LD if holds(b'"license"', page[start:end]) else 0
            if kind:
                found.append((kind, start, end, tag_at))
        elif page[at + 1 : at + 2] in (b"!", b"/", b"?"):
            end = page.find(b">", at + 1)
            at = end + 1 if end >= 0 else len(page)
        else:
            at += 1
    return found


def scanned(*pages: bytes) -> list[Found]:
    data = np.frombuffer(b"".join(pages), np.uint8)
    offsets = np.concatenate(([0], np.cumsum([len(page) for page in pages]))).astype(np.int64)
    found = candidates(data, offsets, np.ones(len(pages), bool))
    rows: list[Found] = [[] for _ in pages]
    for row, kind, start, end, tag in zip(*(column.tolist() for column in found), strict=True):
        base = int(offsets[row])
        rows[row].append((kind, start - base, end - base, tag - base))
    return rows


PIECES = st.sampled_from(
    [
        *(b"<meta name=robots content='noai'>", b'<META CONTENT="a > noindex" >', b"<meta none", b"<link rel=license>"),
        *(b"<a rel='x license'>", b"<area rel=&#108;>", b'<script type="application/ld+json">', b'{"License": 1}'),
        *(
            b"</script>",
            b"</SCRIPT x>",
            b"</scripts>",
            b"<style/>",
            b"</style>",
            b"<textarea>",
            b"</textarea\n>",
            b"<title/>",
        ),
        *(b"</title", b"<template>", b"</template>", b"<svg>", b"<svg/>", b"</svg>", b"<math>", b"</math>", b"<!--"),
        *(
            b"-->",
            b"--!>",
            b"<!-->",
            b"<!--->",
            b"<!x",
            b"</ ",
            b"<?",
            b"<",
            b">",
            b"/",
            b"=",
            b'"',
            b"'",
            b" ",
            b"\n",
            b"-",
        ),
        *(b"<p title=", b"<noframes>", b"</noframes>", b"tdm-", b"<templates>", b"<xmp>", b"</xmp>", b"= /"),
    ]
)
PAGES = st.lists(PIECES, max_size=20).map(b"".join)


@given(st.lists(PAGES, max_size=4))
def test_kernel_finds_what_its_twin_finds(pages: list[bytes]) -> None:
    assert scanned(*pages) == [twin(page) for page in pages]


def test_more_candidates_than_room() -> None:
    page = b"<meta noai>" * 1_000
    assert scanned(page, page) == [twin(page)] * 2
    assert len(twin(page)) == 1_000


def test_rows_that_are_not_wanted() -> None:
    data = np.frombuffer(b"<meta noai>" * 3, np.uint8)
    found = candidates(data, np.array([0, 11, 22, 33]), np.array([True, False, True]))
    assert found.row.tolist() == [0, 2]
