"""The page as its readers meet it: parsed strictly, held against report.json, and fed with hostile names."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lauter.pipeline.report.funnel import print_funnel, print_nothing_kept
from lauter.pipeline.report.inputs import TOP_FILES
from lauter.pipeline.report.page import FILES, render, report_data
from lauter.pipeline.report.sections import ROWS
from tests.pipeline.report.hand_made import HOSTILE, Page, Row, corpus, page_of
from tests.pipeline.small_run import build, write_manifest


def _number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def made(once: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(once)


@pytest.fixture(scope="module")
def benign(once: dict[str, Any]) -> Page:
    return page_of(once)


def test_the_numbers_on_the_page_are_those_of_the_report(made: dict[str, Any]) -> None:
    data = report_data(made)
    page = page_of(made)
    words = " ".join(page.sections[""].split())
    assert "13 records in = 4 kept + 6 dropped + 1 duplicate + 1 error + 1 removed" in words
    assert data["conservation"]["records_in"] == data["conservation"]["ledger_rows"] == 13
    rows = page.tables["funnel", "Records by stage"][1:]
    assert [(row[0], _number(row[2]), _number(row[3]), _number(row[5])) for row in rows] == [
        (row["stage"], row["records"], row["ended"], row["records"] - row["ended"]) for row in data["funnel"]
    ]
    assert rows[-1][0] == "takedown" and rows[-1][5] == "4"
    for row in data["funnel"]:
        if row["ended"]:
            table = page.tables["funnel", f"{row['stage']} ended {row['ended']}"][1:]
            assert {cells[0].split(": ")[1]: _number(cells[1]) for cells in table} == row["reasons"]
    assert [row[:5] + row[6:] for row in page.tables["languages", "Languages of kept documents"][1:]] == [
        ["deu_Latn", "5", "2", "1,234", "79.9 %", "5.67"],
        ["roh_Latn", "1", "1", "300", "19.4 %", "3.00"],
        ["eng_Latn", "1", "1", "10", "0.6 %", "5.00"],
    ]
    assert "Nothing was kept of gsw_Latn (1)" in page.sections["languages"]
    assert "5 records ended before a language" in " ".join(page.sections["languages"].split())
    assert page.tables["sources", "Sources"][1:] == [
        ["books", "warc", "1", "1,234,567", "1", "0", "1", "10"],
        ["web", "warc", "1", "1,234,567", "11", "1", "3", "1,534"],
        ["all", "", "2", "2,469,134", "12", "1", "4", "1,544"],
    ]
    assert page.tables["sources", "Files with corrupt ranges"][1:] == [
        ["web.warc.gz", "web", "11", "1", "request 12, warcinfo 1", "1,234,567", "abababababab"]
    ]
    for title, key in (("Kept", "hosts"), ("Not kept", "dropped_hosts")):
        table = page.tables["hosts", title][1:]
        assert {row[0]: _number(row[1]) for row in table[:-1]} == data["summary"][key]
        assert table[-1][0] == "all others, or without a host" and table[-1][1] == "1"


def test_the_evidence_section_shows_what_stages_told(made: dict[str, Any]) -> None:
    page = page_of(made)
    assert "12 pages were checked for opt-outs, 4 of them ended there." in page.sections["evidence"]
    assert page.tables["evidence", "Opt-out: settings"] == [["policy", "careful"], ["hosts always refused", "3"]]
    reasons = [row[:2] for row in page.tables["evidence", "Pages ended, by reason"][1:]]
    assert reasons == [["robots-disallow", "3"], ["robots-lost", "0"]]
    assert len(page.tables["evidence", "Agents"]) + len(page.tables["evidence", "Agents, continued"]) == 1 + ROWS
    assert f"{ROWS - 12} more; 10 are left out" in page.sections["evidence"]
    assert page.tables["evidence", "Records ended by a rule"][1:] == [
        ["optout", "robots-disallow", "robots.txt", "GPTBot", "2"],
        ["optout", "robots-disallow", "robots.txt", "*", "1"],
        ["optout", "robots-unparsable", "robots.txt", "-", "1"],
    ]
    by_signal = page.tables["evidence", "Records ended by signal, with files that could not be read"]
    assert [row[:2] for row in by_signal[1:]] == [["robots.txt", "4"]]
    assert [row[:2] for row in page.tables["duplicates", "Clusters by size"][1:]] == [
        ["2", "3"],
        ["3–4", "1"],
        ["5–8", "1"],
    ]
    without = made | {"order": ["read", "quality", "dedup"], "sections": [], "clusters": None}
    page = page_of(without)
    assert "No stage of this corpus reports evidence" in page.sections["evidence"]
    assert "built without a deduplication stage" in page.sections["duplicates"]


def test_a_loss_is_said_in_so_many_words(made: dict[str, Any]) -> None:
    made["inputs"][0]["counted"]["records"] += 1
    page = page_of(made)
    assert "must not be used" in page.sections[""]
    assert "≠" in page.sections[""]


def _loads_nothing(page: Page) -> None:
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "video", "audio"}
    for tag, name, value in page.attributes:
        assert name not in ("src", "srcset", "data", "action", "poster", "background", "xlink:href"), (tag, name)
        assert not name.startswith("on"), (tag, name)
        assert name != "href" or value.startswith("#") or value in FILES, (tag, value)
        assert "url(" not in value
    assert not re.search(r"url\(|@import|//", page.style)
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def _is_accessible(page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for _, name, value in page.attributes:
        if name == "aria-labelledby":
            assert value in ids
        if name == "href" and value.startswith("#"):
            assert value[1:] in ids
        if name == "scope":
            assert value in ("row", "col")
    assert ("html", "lang", "en") in page.attributes
    assert {"main", "nav", "header", "h1", "h2", "caption", "th"} <= page.tags


def test_the_page_is_sound_html_and_loads_nothing(made: dict[str, Any]) -> None:
    page = page_of(made)
    _loads_nothing(page)
    _is_accessible(page)
    assert "://" not in page.source
    assert page.source.startswith("<!doctype html>\n")
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(page.source)
    assert tree.title == "by hand – corpus report"
    assert tree.body is not None
    assert len(tree.body.get_elements_by_tag_name("table")) == len(page.tables)


def _swapped(value: Any, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {_swapped(key, old, new): _swapped(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_swapped(item, old, new) for item in value]
    return new if value == old else value


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "plain",
    (
        *("by hand", "web", "warc", "web.warc.gz", "request", "takedown", "few-words", "a.example", "d.example"),
        *("GPTBot", "deu_Latn", "gsw_Latn", "near-duplicate", "careful", "bot-05"),
    ),
)
def test_any_name_may_be_hostile(made: dict[str, Any], benign: Page, plain: str, hostile: str) -> None:
    page = page_of(_swapped(made, plain, hostile))
    assert plain in "".join(benign.sections.values())
    _loads_nothing(page)
    assert page.tags == benign.tags
    assert len(page.attributes) == len(benign.attributes)
    assert page.style == benign.style
    shown = "".join(page.sections.values())
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069]", shown)
    if hostile.isprintable():
        assert hostile in shown


def test_hostile_names_come_through_a_build(tmp_path: Path) -> None:
    name = "a<script>alert('1')\u202e&.txt"
    lines = "".join(f"{host}\tsome words here {place}\n" for place, host in enumerate(HOSTILE[:5]))
    build(write_manifest(tmp_path, {name: lines}), tmp_path / "out")
    page = Page((tmp_path / "out/report/index.html").read_text())
    _loads_nothing(page)
    _is_accessible(page)
    assert page.tables["sources", "Input files"][1][0] == "a<script>alert('1')⟨U+202E⟩&.txt"
    hosts = [row[0] for row in page.tables["hosts", "Kept"][1:]]
    assert "<script>alert(1)<" in hosts


def test_the_report_of_a_build_is_its_corpus_and_equal_every_time(tmp_path: Path) -> None:
    text = "one\tAlpha beta\ntwo\tforbidden fruit\nthree\tsingle\nfour\talpha BETA\nbroken\none\tanything\nfive\t"
    outs = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        build(write_manifest(folder, {"a.txt": text, "b.txt": "six\tgamma delta"}), folder / "out")
        outs.append(folder / "out")
    for name in ("index.html", *FILES):
        assert (outs[0] / "report" / name).read_bytes() == (outs[1] / "report" / name).read_bytes()
        assert str(tmp_path) not in (outs[0] / "report" / name).read_text()
    data = json.loads((outs[0] / "report/report.json").read_text())
    found = json.loads((outs[0] / "corpus.json").read_text())
    assert data == report_data(found)
    assert render(data) == (outs[0] / "report/index.html").read_text(), "the page is drawn from report.json alone"
    assert data["summary"] == found["summary"]
    assert data["conservation"]["records_in"] == 8
    assert str(tmp_path) not in json.dumps(data), "where the inputs lay is nobody's business"


@pytest.mark.parametrize("stages", [None, ["words"]])
def test_an_empty_corpus_has_a_page(tmp_path: Path, stages: list[object] | None) -> None:
    build(write_manifest(tmp_path, {"a.txt": "# nothing but a comment\n"}, stages), tmp_path / "out")
    page = Page((tmp_path / "out/report/index.html").read_text())
    _loads_nothing(page)
    _is_accessible(page)
    assert "0 records in" in page.sections[""]
    assert "No stage ended a record." in page.sections["funnel"]
    assert "No document was kept." in page.sections["languages"]
    assert page.tables["hosts", "Kept"][1] == ["None."]


@pytest.mark.slow
def test_a_huge_corpus_has_a_small_report(tmp_path: Path) -> None:
    rows = [Row("web", f"{'x' * 200}{n}.example", "kept", None, None, f"l{n % 300:03}_Latn", 9, 5) for n in range(600)]
    made = corpus(tmp_path, rows)
    one = made["inputs"][0]
    made["inputs"] = [one | {"file": f"part-{n:06}.warc.gz"} for n in range(20_000)]
    data = report_data(made)
    assert len(data["inputs"]["largest"]) == TOP_FILES
    assert data["inputs"]["files"] == 20_000
    assert len(json.dumps(data)) < 120_000
    page = page_of(made)
    assert len(page.source) < 250_000
    assert "19,960 are in corpus.json" in page.sections["sources"]
    assert "276 more languages" in page.sections["languages"]
    assert len(page.tables["hosts", "Kept, continued"]) == 35 + 1


@pytest.mark.parametrize("edit", [lambda name: name, lambda name: f"[red]{name}[/nope]"])
def test_the_terminal_shows_the_same_numbers(made: dict[str, Any], edit: Callable[[str], str]) -> None:
    out = io.StringIO()
    name = edit(made["name"])
    print_funnel(Console(file=out, width=160), made | {"name": name})
    text = out.getvalue()
    assert f"{name}: 13 records" in text
    assert "robots-disallow 3, robots-unparsable 1" in text
    assert "1,544 tokens" in text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "nothing was kept: no record was read\n"),
        (
            [
                Row("web", "a.example", "dropped", "quality", "too-short"),
                *[Row("web", "a.example", "dropped", "optout", "robots-disallow")] * 2,
                Row("web", "b.example", "dropped", "optout", "robots-unparsable"),
            ],
            "nothing was kept: of 4 records, optout ended 3 first (robots-disallow 2, robots-unparsable 1)\n",
        ),
        ([Row("web", "a.example", "kept", tokens=5)], ""),
    ],
)
def test_a_corpus_of_nothing_is_said_so(tmp_path: Path, rows: list[Row], said: str) -> None:
    out = io.StringIO()
    print_nothing_kept(Console(file=out, width=160), corpus(tmp_path, rows))
    assert out.getvalue() == said


def test_a_page_says_where_removed_records_went(tmp_path: Path) -> None:
    rows = [Row("web", "a.example", "kept", tokens=5), Row("web", "a.example", "removed", "takedown", "url")]
    made = corpus(tmp_path, rows)
    assert "how they had ended is forgotten" in page_of(made).sections["funnel"]
    out = io.StringIO()
    print_funnel(Console(file=out, width=160), made)
    assert "takedown (not kept): removed records of which it is forgotten" in out.getvalue()
