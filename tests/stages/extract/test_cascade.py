from __future__ import annotations

from lauter.pipeline.contract import StageContext
from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.blocks.rule import EMBEDDED, load
from lauter.stages.extract.cascade import extracted
from lauter.stages.extract.stage import Extract, ExtractConfig
from lauter.stages.extract.wire import KEPT, WHOLE
from tests.stages.extract.blocks.made_pages import made_page
from tests.stages.extract.pages import records


def found(html: bytes, confidence: float) -> str | bytes:
    _, blocks = cut(html, max_nodes=len(html), max_depth=64)
    return extracted(load(EMBEDDED), html, blocks, confidence=confidence)


def test_a_clear_page_is_written_at_once() -> None:
    page = made_page(4)
    text = found(page.html, 0.7)
    assert isinstance(text, str) and "Menu" not in text
    assert all(line in text for line in page.truth.split("\n"))


def test_a_clear_page_that_takes_a_parser_is_sent_as_its_blocks() -> None:
    html = made_page(4).html.replace(b"</p>", b" by <math><mi>x</mi></math></p>")
    sent = found(html, 0.7)
    assert isinstance(sent, bytes)
    assert sent.startswith(KEPT) and len(sent) < len(html) and b"Menu" not in sent


def test_a_doubtful_page_is_sent_whole() -> None:
    html = made_page(4).html
    assert found(html, 1.0) == WHOLE + html
    for empty in (b"", b"<p>&nbsp;</p>"):
        assert found(empty, 0.0) == WHOLE + empty
    assert found(b"<body><script>x</script>", 0.0) == WHOLE + b"<body><script>x</script>"


def test_the_stage_gives_the_text_by_either_way() -> None:
    pages = [made_page(number) for number in range(6)]
    for confidence in (0.7, 1.0):
        stage = Extract(ExtractConfig(backend="cascade", confidence=confidence), StageContext())
        verdict = stage.apply(records([page.html for page in pages]))
        stage.close()
        assert verdict.reason.tolist() == [0] * 6
        for text, page in zip(verdict.columns["text"].to_pylist(), pages, strict=True):
            assert all(line in text for line in page.truth.split("\n"))
            assert "Menu" not in text and "Imprint" not in text
