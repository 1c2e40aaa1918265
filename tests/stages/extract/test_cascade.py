from __future__ import annotations

from lauter.pipeline.contract import StageContext
from lauter.stages.extract.blocks.rule import EMBEDDED, load
from lauter.stages.extract.cascade import to_extract
from lauter.stages.extract.markup import scan
from lauter.stages.extract.stage import Extract, ExtractConfig
from lauter.stages.extract.wire import KEPT, WHOLE
from tests.stages.extract.blocks.made_pages import made_page
from tests.stages.extract.pages import records


def sent(html: bytes, confidence: float) -> bytes:
    return to_extract(load(EMBEDDED), html, scan(html, max_depth=64), max_depth=64, confidence=confidence)


def test_a_clear_page_is_sent_as_its_blocks() -> None:
    html = made_page(4).html
    found = sent(html, 0.7)
    assert found.startswith(KEPT) and len(found) < len(html) and b"Menu" not in found


def test_a_doubtful_page_is_sent_whole() -> None:
    html = made_page(4).html
    assert sent(html, 1.0) == WHOLE + html
    for empty in (b"", b"<p>&nbsp;</p>"):
        assert sent(empty, 0.0) == WHOLE + empty
    assert sent(b"<body><script>x</script>", 0.0) == WHOLE + b"<body><script>x</script>"


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
