from __future__ import annotations

import html
import json
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lauter.pipeline.contract import StageContext
from lauter.stages.extract import Extract, ExtractConfig
from lauter.stages.extract.backends import Backend
from lauter.stages.extract.invisible import without_controls
from tests.stages.extract.pages import records

PERSIAN = "باغ ایرانی با آب آغاز می\u200cشود و درخت\u200cها را در کنار جوی\u200cها می\u200cکارند."
HINDI = "विद्\u200dया और ज्ञान\u200dपीठ के क्\u200dष और श्री\u200cमान् में जोड़ने वाले चिह्न रहते हैं।"
KHMER = "មនុស្ស\u200bទាំងអស់\u200bកើត\u200bមក\u200bមាន\u200bសេរីភាព\u200bនិង\u200bសមភាព។"
SCOTLAND = "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct\x7f")
EMOJI = f"The family 👨\u200d👩\u200d👧 met the pilot 👩🏽\u200d✈️ under {SCOTLAND}."
HEBREW = "המחיר הוא 5\u200f-10 שקלים (C++\u200e) בכל יום."
TEXTS = (PERSIAN, HINDI, KHMER, EMOJI, HEBREW)
BACKENDS: tuple[Backend, ...] = ("trafilatura", "trafilatura-precision", "resiliparse")


@pytest.fixture(scope="module", params=BACKENDS)
def stage(request: pytest.FixtureRequest) -> Iterator[Extract]:
    running = Extract(ExtractConfig(backend=request.param), StageContext())
    yield running
    running.close()


def text_of(stage: Extract, page: str) -> str:
    found: str | None = stage.apply(records([page.encode()])).columns["text"][0].as_py()
    return found or ""


def decimal(text: str) -> str:
    return "".join(f"&#{ord(char):04};" if not char.isprintable() else char for char in text)


def hexadecimal(text: str) -> str:
    return "".join(f"&#x{ord(char):X};" if not char.isprintable() else char for char in text)


def named(text: str) -> str:
    names = {"\u200c": "&zwnj;", "\u200d": "&zwj;", "\u200e": "&lrm;", "\u200f": "&rlm;", "\u200b": "&ZeroWidthSpace;"}
    return "".join(names.get(char, char) for char in text)


@pytest.mark.parametrize("form", [str, decimal, hexadecimal, named])
def test_invisible_characters_stay_in_every_form(stage: Extract, form: type[str]) -> None:
    page = "<html><body><article>" + "".join(f"<p>{form(text)}</p>" for text in TEXTS * 3) + "</article></body></html>"
    found = text_of(stage, page)
    for text in TEXTS:
        assert text in found


@pytest.mark.parametrize(("backend", "kept"), [("trafilatura", 4), ("trafilatura-precision", 4), ("resiliparse", 1)])
def test_joiners_between_and_inside_inline_elements(backend: Backend, kept: int) -> None:
    # resiliparse takes a joiner that is all of a text node for white space.
    filling = "".join(f"<p>Sentence number {row} fills the page with words.</p>" for row in range(20))
    inline = "<p>می<b>&zwnj;</b>شود و <b>می</b>&zwnj;<b>شود</b> و می<span>\u200c</span>شود و می\u200c<i>شود</i></p>"
    running = Extract(ExtractConfig(backend=backend), StageContext())
    found = text_of(running, f"<html><body><article>{filling}{inline}{filling}</article></body></html>")
    running.close()
    assert found.count("می\u200cشود") == kept


@pytest.mark.parametrize("backend", BACKENDS[:2])
def test_joiners_in_embedded_json(backend: Backend) -> None:
    # A page whose text is in its JSON only; precision mode does not read that.
    body = json.dumps({"@type": "Article", "articleBody": " ".join((PERSIAN, HINDI, EMOJI))})
    page = f'<html><head><script type="application/ld+json">{body}</script></head><body><div>Wait</div></body></html>'
    running = Extract(ExtractConfig(backend=backend), StageContext())
    found = text_of(running, page)
    running.close()
    assert "\\u200c" in body
    assert (PERSIAN in found and HINDI in found and EMOJI in found) == (backend == "trafilatura")


@pytest.mark.parametrize("backend", BACKENDS[:2])
@pytest.mark.parametrize("control", ["&#12;", "&#28;", "\f", "\x01"])
def test_a_control_character_does_not_cost_the_page(backend: Backend, control: str) -> None:
    running = Extract(ExtractConfig(backend=backend), StageContext())
    found = text_of(running, f"<html><body><article>{f'<p>Tea {control}and bread at noon.</p>' * 9}</article>")
    running.close()
    assert "and bread at noon." in found


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\u200b\u200c\u200d\xa0 \f\x1c\ue000"), max_size=30))
@example("\u200c\xa0\u200c ")
@example("a\x0bb\ufffe")
def test_only_controls_are_removed(text: str) -> None:
    found = without_controls(text)
    assert without_controls(found) == found
    refused = {*map(chr, range(32)), *map(chr, range(127, 160)), "\ufffe", "\uffff"} - {*"\t\n\r\x85"}
    assert not refused & set(found)
    expected = [char for char in text if char not in refused]
    if any(char.isprintable() and not char.isspace() for char in expected):
        assert [char for char in found if not char.isspace()] == [char for char in expected if not char.isspace()]
    if not text.strip("\u200b\u200c\u200d \xa0"):
        assert found == "".join(char for char in text if char in " \xa0")


def test_empty_paragraphs_stay_empty(stage: Extract) -> None:
    page = "<html><body><article>" + "<p>\u200d</p><p>\u200b</p><p>Words of a text that goes on and on.</p>" * 9
    found = text_of(stage, page + "</article></body></html>")
    assert "Words of a text" in found
    assert [line for line in found.splitlines() if line in {"\u200d", "\u200b"}] == []


def test_escaped_names_are_text(stage: Extract) -> None:
    shown = "Write &zwnj; or &#8204; between the letters"
    found = text_of(
        stage, "<html><body><article>" + f"<p>{html.escape(shown)} of it.</p>" * 9 + "</article></body></html>"
    )
    assert "between the letters" in found
