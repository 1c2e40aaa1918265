from __future__ import annotations

import html as entities
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.html.node import Node

from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.markup import _FLAGS, _GROUPS, Markup, after_attributes, after_declaration, scan
from tests.stages.extract.pages import warc

# The scan once more, by regular expressions and lists of names.
VOID, RAW, CLOSES_P, LIST_SCOPE, TABLE_SCOPE, FOREIGN, *_ = ({*line.split()} for line in _FLAGS.values())
GROUP = {name: group for group, line in _GROUPS.items() for name in line.split()}
P, CELL, ROWS = GROUP["p"], GROUP["td"], GROUP["tbody"]
TAG = re.compile(rb"<(/?)([A-Za-z][^>/\t-\r ]*)")
VALUE = re.compile(rb"=[\t-\r ]*(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))", re.DOTALL)


def lower(name: bytes) -> str:
    return "".join(chr(byte + 32) if 65 <= byte <= 90 else chr(byte) for byte in name)


def end_of_tag(page: bytes, at: int) -> tuple[int, bool]:
    slash = False
    while at < len(page):
        if page[at : at + 1] == b">":
            return at + 1, slash
        value = VALUE.match(page, at)
        if value:
            at, slash = value.end(), False
            continue
        if page[at : at + 1] == b"=":
            gap = re.compile(rb"=[\t-\r ]*/?").match(page, at)
            assert gap
            at, slash = gap.end(), False
            continue
        if not page[at : at + 1].isspace():
            slash = page[at : at + 1] == b"/"
        at += 1
    return at, slash


def remaining(opened: list[str], name: str) -> int:
    group = GROUP.get(name)
    if group is None or group == P:
        return len(opened) - (name in CLOSES_P and bool(opened) and opened[-1] == "p")
    table = CELL <= group <= ROWS
    keep = len(opened)
    for index in reversed(range(len(opened))):
        other = GROUP.get(opened[index])
        if table and other is not None and CELL <= other <= group:
            keep = index
        if not table and other == group:
            return index
        if opened[index] in (TABLE_SCOPE if table else LIST_SCOPE):
            break
    return keep


def slow_scan(page: bytes, max_depth: int) -> Markup:
    opened: list[str] = []
    at = elements = depth = 0
    title = None
    while (at := page.find(b"<", at)) >= 0 and at + 1 < len(page):
        tag = TAG.match(page, at)
        if page.startswith(b"<!--", at):
            end = page.find(b"-->", at + 2)
            at = len(page) if end < 0 else end + 3
        elif page[at + 1 : at + 2] in (b"!", b"?") or (page[at + 1 : at + 2] == b"/" and not tag):
            end = page.find(b">", at + 1)
            at = len(page) if end < 0 else end + 1
        elif not tag:
            at += 1
        elif tag[1]:
            at, _ = end_of_tag(page, tag.end())
            name = lower(tag[2])
            if name in opened:
                del opened[len(opened) - 1 - opened[::-1].index(name) :]
        else:
            at, slash = end_of_tag(page, tag.end())
            name = lower(tag[2])
            elements += 1
            foreign = any(other in FOREIGN for other in opened)
            if not foreign:
                del opened[remaining(opened, name) :]
            depth = max(depth, len(opened) + 1)
            if not foreign and name in RAW:
                closing = [m.start() for m in TAG.finditer(page, at) if m[1] and lower(m[2]) == name]
                # overlapping starts: the expression skips a tag inside a tag, the scan does not
                closing += [
                    i for i in range(at, len(page)) if (m := TAG.match(page, i)) and m[1] and lower(m[2]) == name
                ]
                end = min(closing, default=len(page))
                if name == "title" and title is None:
                    title = (at, end)
                at = end
            elif name not in VOID and not (slash and (foreign or name in FOREIGN)):
                if len(opened) >= max_depth:
                    return Markup(elements, max_depth + 1, title)
                opened.append(name)
    return Markup(elements, depth, title)


PIECES = st.sampled_from(
    [
        "<div>",
        "</div>",
        "<p>",
        "</p>",
        "<li>",
        "<ul>",
        "</ul>",
        "<td>",
        "<tr>",
        "<table>",
        "</table>",
        "<tbody>",
        "<dd>",
        "<dt>",
        "<a>",
        "</a>",
        "<svg>",
        "<path/>",
        "</svg>",
        "<br>",
        "<br/>",
        "<div/>",
        "<title>",
        "</title>",
        "<script>",
        "</script>",
        "<textarea></textarea>",
        "<!--",
        "-->",
        "<!-->",
        "<!->",
        "<?",
        "</>",
        "</1",
        "<x-y",
        "<option>",
        "<select>",
        "<b",
        "class='>'>",
        "<b",
        'id="/"/>',
        "<i",
        "x=/>",
        "<i",
        "/",
        ">",
        "<",
        ">",
        "=",
        '"',
        "'",
        "a",
        "<P",
        "<TITLE/",
        "</TABLE",
        ">",
        "<math>",
        "<template>",
    ]
)


@settings(deadline=None)  # the first call compiles
@given(st.lists(PIECES, max_size=40).map("".join) | st.text("<>/!-'\"= atdrpsvgcl", max_size=60), st.integers(1, 12))
def test_kernel_equals_twin(text: str, max_depth: int) -> None:
    page = text.encode()
    assert scan(page, max_depth=max_depth) == slow_scan(page, max_depth)
    # The pass that cuts blocks finds the same.
    assert cut(page, max_nodes=200, max_depth=max_depth)[0] == scan(page, max_depth=max_depth)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_scanned(page: bytes) -> None:
    assert scan(page, max_depth=50) == slow_scan(page, 50)


@pytest.mark.parametrize(
    ("page", "elements", "depth"),
    [
        (b"", 0, 0),
        (b"text < 3 <", 0, 0),
        (b"<ul>" + b"<li>item" * 1000 + b"</ul>", 1001, 2),
        (b"<p>one" * 1000, 1000, 1),
        (b"<table>" + b"<tr><td>a<td>b" * 500, 1501, 3),
        (b"<table><tr><td>" * 20, 60, 60),
        (b"<script>" + b"if (a<b) '<div>';" * 100 + b"</script><p>", 2, 1),
        (b"<!-- " + b"<div>" * 100 + b" --><p>", 1, 1),
        (b"<svg>" + b"<path d='M0'/>" * 400 + b"</svg>", 401, 2),
        (b"<img src=a>" * 400, 400, 1),
        (b'<a title="</a><div><div>">x</a>', 1, 1),
        (b"<div>" * 5000, 257, 257),
    ],
)
def test_depth_and_elements(page: bytes, elements: int, depth: int) -> None:
    markup = scan(page, max_depth=256)
    assert (markup.elements, markup.depth) == (elements, depth)


@pytest.mark.parametrize("page", [b"<a b='c", b'<a b="', b"<a b", b"<a b=", b"<a/", b"<!x", b"<!--x-", b"<?", b"</"])
def test_what_the_page_cuts_off_ends_where_the_page_does(page: bytes) -> None:
    html = np.frombuffer(page, np.uint8)
    assert after_attributes(html, 2)[0] == len(page)
    assert after_declaration(html, 1) == len(page)


def test_real_titles_and_depths_agree_with_a_parser() -> None:
    exact = 0
    pages = warc("mini.warc.gz")[::8]
    for page in pages:
        text = page.payload.decode("utf-8", "replace")
        tree = HTMLTree.parse(text)
        utf8 = text.encode()
        markup = scan(utf8, max_depth=1000)
        start, end = markup.title or (0, 0)
        assert entities.unescape(utf8[start:end].decode()).split() == (tree.title or "").split(), page.url
        exact += abs(markup.depth - parsed_depth(tree)) <= 1
    assert exact >= 0.95 * len(pages)


def parsed_depth(tree: HTMLTree) -> int:
    deepest = 0
    waiting: list[tuple[Node | None, int]] = [(tree.document, -1)]
    while waiting:
        node, depth = waiting.pop()
        if node is None or node.tag in ("#text", "#comment"):
            continue
        deepest = max(deepest, depth + 1)
        waiting.extend((child, depth + 1) for child in node.child_nodes)
    return deepest
