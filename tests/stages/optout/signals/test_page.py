"""Raw statements of pages: what is found, what only looks like one, and real pages against another parser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from lauter.stages.optout.signals.page import LICENCE_LIMIT, page_signals
from lauter.stages.optout.signals.raw import PAGE_SIGNAL, VALUE_LIMIT

Row = tuple[str, str, str]


def batch(pages: list[bytes | None], headers: bytes | None = None, media_type: str | None = None) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "http_headers": pa.array([headers] * len(pages), pa.binary()),
            "payload": pa.array(pages, pa.large_binary()),
            "media_type": pa.array([media_type] * len(pages), pa.string()),
        }
    )


def found(page: str | bytes | None, headers: bytes | None = None, media_type: str | None = None) -> list[Row]:
    payload = page.encode() if isinstance(page, str) else page
    rows = page_signals(batch([payload], headers, media_type)).to_pylist()
    return [(row["place"], row["name"], row["value"]) for row in rows]


@pytest.mark.parametrize(
    ("tag", "row"),
    [
        ('<meta name="robots" content="noai, noimageai">', ("meta", "robots", "noai, noimageai")),
        ("<META CONTENT=noai NAME=Robots>", ("meta", "robots", "noai")),
        ("<meta\n name = 'robots'\n\tcontent = 'index,\n NOAI'\n/>", ("meta", "robots", "index,\n NOAI")),
        ("<meta name=gptbot content='noindex'>", ("meta", "gptbot", "noindex")),
        ('<meta http-equiv="X-Robots-Tag" content="noai">', ("meta", "x-robots-tag", "noai")),
        ('<meta name="robots" content="no&#97;i" content="index">', ("meta", "robots", "noai")),
        (f'<meta name="robots" content="no&#{"0" * 5000}97;i">', ("meta", "robots", "noai")),
        ('<meta name="r&#x6f;bots" content="none">', ("meta", "robots", "none")),
        ('<meta name="tdm-reservation" content="1">', ("meta", "tdm-reservation", "1")),
        ('<meta property="tdm-policy" content="/p?a=1&amp;b&copy=3">', ("meta", "tdm-policy", "/p?a=1&b&copy=3")),
        ('<meta name="DCTERMS.rights" content="© me">', ("meta", "dcterms.rights", "© me")),
        ('<meta http-equiv=content-usage content="train-ai=n">', ("meta", "content-usage", "train-ai=n")),
        ('<link rel="license" href="/l">', ("link", "license", "/l")),
        (
            '<link href=/l.xml type=application/rsl+xml rel="x LICENSE">',
            ("link", "license", '</l.xml>; type="application/rsl+xml"'),
        ),
        ("<a rel='nofollow license' href='https://cc.example/'>cc</a>", ("anchor", "license", "https://cc.example/")),
        ("<meta name=“robots” content=“noai, noindex”>", ("meta", "robots", "“noai,")),
        ("<area rel=license href=x>", ("anchor", "license", "x")),
        ('<meta name="robots" content="noai', ("meta", "robots", "noai")),
        ('<p title="<!--"><meta name=robots content=noai><b class="-->">', ("meta", "robots", "noai")),
        ("<svg><title/></svg><meta name=robots content=noai>", ("meta", "robots", "noai")),
        ("<noscript><meta name=robots content=noai></noscript>", ("meta", "robots", "noai")),
        ("<script>'<!-- '</script><meta name=robots content=noai>", ("meta", "robots", "noai")),
    ],
)  # fmt: skip
def test_found(tag: str, row: Row) -> None:
    page = f"<!doctype html><title>x</title>{tag}"
    assert found(page) == [row]
    assert found(page.encode("utf-16")) == [row]
    assert found(page.encode("utf-16-be")) == [row]


@pytest.mark.parametrize(
    "page",
    [
        "<!-- <meta name=robots content=noai> -->",
        "<script>document.write('<meta name=robots content=noai>')</script>",
        "<style><meta name=robots content=noai></style>",
        "<textarea><meta name=robots content=noai></textarea>",
        "<title><meta name=robots content=noai></title>",
        "<template><template></template><meta name=robots content=noai></template>",
        "<p title='<meta name=robots content=noai>'>",
        "<?x <meta name=robots content=noai>",
        "&lt;meta name=robots content=noai>",
        "<metadata name=robots content=noai>",
        "<meta name=robots content='index, noarchive'>",
        "<meta name=description content='none of noai'>",
        "<meta name=msapplication-config content=none>",
        "<meta content=noai>",
        "<a href=/license rel=nofollow>",
        "<link rel=licensed href=x>",
        "<script type=application/ld+json>{'x': 1}</script>",
        "<script>{\"license\": \"x\"}</script>",
    ],
)  # fmt: skip
def test_only_looks_like_one(page: str) -> None:
    assert found(page) == []


def test_json_ld() -> None:
    script = """{"@graph": [{"license": "https:\\/\\/a.example\\/l"}, {"license": {"@id": "b"}}, {"license": [
        {"url": "c"}, "d"]}, {"license": null}, {"License" : "a&amp;b"}, {"license": "b"}], "license": """
    page = f"<script type='application/ld+json;charset=utf-8'>{script}"
    rows = page_signals(batch([page.encode()])).to_pylist()
    assert [row["value"] for row in rows] == ["https://a.example/l", "b", "c", "d", "a&amp;b"]
    assert {(row["place"], row["name"]) for row in rows} == {("json-ld", "license")}
    assert all(page[row["position"] :].lower().startswith('"license"') for row in rows)


HEADERS = b"""HTTP/1.1 200 OK\r
Server: x\r
X-Robots-Tag: googlebot: noindex,\r
 noai\r
TDM-Reservation : 1\r
X-Link: <a>; rel=license\r
Link: <https://a.example/l,1.xml>; rel="license x"; type="application/rsl+xml", <b>; rel=next\r
content-usage: train-ai=n\r
tdm-policy: caf\xe9\r
\r
"""


def test_headers() -> None:
    rows = page_signals(batch([None, b""], HEADERS)).to_pylist()
    assert [(row["row"], row["place"], row["name"], row["value"], row["position"]) for row in rows[:5]] == [
        (0, "header", "x-robots-tag", "googlebot: noindex, noai", 3),
        (0, "header", "tdm-reservation", "1", 5),
        (0, "header", "license", '<https://a.example/l,1.xml>; rel="license x"; type="application/rsl+xml"', 7),
        (0, "header", "content-usage", "train-ai=n", 8),
        (0, "header", "tdm-policy", "caf\ufffd", 9),
    ]
    assert [row["row"] for row in rows] == [0] * 5 + [1] * 5
    assert len(found(None, HEADERS.partition(b"\r\n")[2])) == 5


def test_only_html_is_read() -> None:
    page = "<meta name=robots content=noai>"
    read = {
        kind: bool(found(page, None, kind)) for kind in (None, "", "text/html", "TEXT/HTML; x", "application/xhtml+xml")
    }
    assert all(read.values())
    assert not any(found(page, None, kind) for kind in ("text/plain", "application/pdf", "image/svg+xml"))


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-be", "utf-8-sig"])
def test_position_is_the_byte_of_the_tag(codec: str) -> None:
    page = "<p>ä€𝄞</p><meta name=robots content=noai>"
    payload = page.encode(codec)
    (row,) = page_signals(batch([b"<p>", payload]).slice(1)).to_pylist()
    assert payload[row["position"] :].startswith("<meta".encode(codec.partition("-sig")[0])[-10:])
    assert row["position"] == len(page[: page.index("<meta")].encode(codec))


def test_values_are_cut_and_licences_are_bounded() -> None:
    long = f"<meta name=tdm-policy content='{'é' * 2_000}'>"
    licences = "".join(f"<a rel=license href={i}>" for i in range(2 * LICENCE_LIMIT))
    rows = found(f"{licences}<meta name=robots content=noai>{long}{long}")
    assert rows[-2:] == [("meta", "robots", "noai"), ("meta", "tdm-policy", "é" * VALUE_LIMIT)]
    assert len(rows) == LICENCE_LIMIT + 2


PIECES = st.sampled_from(
    [
        *(
            b"<meta ",
            b"name=robots ",
            b"content='noai' ",
            b">",
            b"<a rel=license href=",
            b"&#x110000;",
            b"&#97;",
            b"\xff",
        ),
        *(b"'", b'"', b"=", b"\0", b"\xff\xfe<\0m\0", b"<\0"),
        *(b"<script type=ld+json>", b'"license": ', b'"\\ud800"', b"[[", b"</script>"),
    ]
)


def test_half_a_surrogate_pair_is_a_value_all_the_same() -> None:
    (row,) = found('<script type="application/ld+json">{"license": "https://cc.example/\\ud800"}</script>')
    assert row == ("json-ld", "license", "https://cc.example/?")


@given(st.lists(st.lists(PIECES, max_size=12).map(b"".join) | st.none(), max_size=4), st.binary(max_size=40))
def test_no_bytes_raise(pages: list[bytes | None], noise: bytes) -> None:
    rows = page_signals(batch(pages, b"Link: <" + noise + b"\nX-Robots-Tag:" + noise))
    assert rows.schema == PAGE_SIGNAL
    rows.validate(full=True)


@pytest.mark.parametrize(
    "page",
    [
        ("<meta name=robots content=noai>" * 8_000).encode("utf-16"),
        b"<meta noai " + b"a " * 100_000,
        b"<meta noai" + b" " * 500_000,
        b"<script type=ld+json>" + b'"license":[' * 50_000,
        b"<a rel=license href=" * 50_000,
    ],
)
def test_hostile_pages_end(page: bytes) -> None:
    page_signals(batch([page]))


@pytest.mark.parametrize(
    "field", [b"<" * 250_000, b"<a>;b=" * 40_000, b'<a>;b="' * 35_000, b"\n " * 100_000, b"a: " * 80_000]
)
def test_hostile_headers_end(field: bytes) -> None:
    page_signals(batch([None], b"Link: " + field + b"\nX-Robots-Tag: " + field))


def test_no_rows() -> None:
    assert page_signals(batch([])).num_rows == 0
    assert page_signals(batch([None])).schema == PAGE_SIGNAL


MAY_SAY = (b"noai", b"noindex", b"tdm-", b'license"', b"license'", b"=license", b'"dc.', b"dcterms.", b"content-usage")


def real_pages(data: Path) -> Iterator[bytes]:
    """Pages in which a word of a statement stands anywhere; another parser finds none in the others but `none`."""
    for path in sorted((data / "warc").glob("*.warc.gz")):
        if path.name.startswith("robots"):
            continue
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                page = record.reader.read()
                low = page.lower()
                if any(word in low for word in MAY_SAY):
                    yield page


def by_lexbor(page: bytes) -> set[Row]:
    """The same statements read from the DOM of an HTML5 parser, without the rules about names in meta."""
    rows: set[Row] = set()
    document = HTMLTree.parse(page.decode("utf-8", "replace")).document
    assert document is not None
    for element in document.query_selector_all("meta, link[rel], a[rel], area[rel]"):
        given = {
            name: element.getattr(name) or ""
            for name in ("name", "http-equiv", "property", "content", "rel", "href", "type")
        }
        if element.closest("template") is not None:
            continue
        if element.tag == "meta":
            name = (given["name"] or given["http-equiv"] or given["property"]).strip().strip('\\"').lower()
            rows.add(("meta", name, given["content"].strip()[:VALUE_LIMIT]))
        elif "license" in given["rel"].lower().split():
            href, kind = given["href"].strip(), given["type"].strip()
            value = f'<{href}>; type="{kind}"' if kind else href
            rows.add(("link" if element.tag == "link" else "anchor", "license", value[:VALUE_LIMIT]))
    for script in document.query_selector_all("script[type]"):
        if "ld+json" in (script.getattr("type") or "").lower():
            try:
                rows.update(
                    ("json-ld", "license", value) for value in licences(json.loads(script.text or "", strict=False))
                )
            except ValueError:
                continue
    return rows


def licences(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from licences(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "license" and isinstance(value, str):
                yield value.strip()
            else:
                yield from licences(value)


def is_statement(name: str, content: str) -> bool:
    """Whether a meta element found by the other parser should have been found here."""
    opt_out = re.search(r"\b(?:noai|noimageai|noindex|none)\b", content) is not None
    kept = ("tdm-reservation", "tdm-policy", "dc.rights", "dcterms.rights", "dc.license", "content-usage")
    return name in kept or (name == "robots" and opt_out) or ("bot" in name and "noindex" in content)


@pytest.mark.slow
def test_real_pages_say_what_another_parser_finds(data: Path) -> None:
    # Over all 4,154 pages, 382 MB, the two differ only in names between odd quotes, which are trimmed here.
    counts: dict[tuple[str, str], int] = {}
    pages: list[bytes | None] = list(real_pages(data))
    rows = page_signals(batch(pages)).to_pylist()
    ours: dict[int, set[Row]] = {}
    for row in rows:
        ours.setdefault(row["row"], set()).add((row["place"], row["name"], row["value"]))
        counts[row["place"], row["name"]] = counts.get((row["place"], row["name"]), 0) + 1
    for index, page in enumerate(pages):
        theirs = by_lexbor(page or b"")
        mine = ours.get(index, set())
        assert mine <= theirs, index
        missed = [row for row in theirs - mine if row[0] != "meta" or is_statement(row[1], row[2].lower())]
        assert missed == [], index
    assert counts["meta", "tdm-reservation"] == 6
    assert counts["meta", "tdm-policy"] == 3
    assert counts["anchor", "license"] >= 39
    assert sum(1 for row in rows if row["name"] == "robots" and "noai" in row["value"]) >= 4
