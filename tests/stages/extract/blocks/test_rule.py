from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.blocks.features import FEATURES
from lauter.stages.extract.blocks.rule import EMBEDDED, Judgement, Rule, judge, load, save
from tests.stages.extract.blocks.made_pages import made_page, sentence


@pytest.fixture(scope="module")
def rule() -> Rule:
    return load(EMBEDDED)


def judged(rule: Rule, html: bytes) -> tuple[list[bytes], Judgement]:
    blocks = cut(html, max_nodes=len(html), max_depth=64)[1]
    judgement = judge(rule, blocks, keep_above=-600)
    return [html[start:stop] for start, stop, block in blocks.pieces.tolist() if judgement.keep[block]], judgement


def test_the_shipped_file_is_the_one_on_its_card(rule: Rule) -> None:
    card = json.loads(EMBEDDED.with_name("card.json").read_text())
    assert hashlib.sha256(EMBEDDED.read_bytes()).hexdigest() == card["sha256"]
    assert rule.first.feature.max() < FEATURES <= rule.second.feature.max()


def test_what_is_saved_is_loaded_and_has_the_same_bytes(rule: Rule, tmp_path: Path) -> None:
    save(rule, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == EMBEDDED.read_bytes()


def test_a_file_that_is_no_rule_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(ValueError, match="is no rule"):
        load(tmp_path / "no.npz")


def test_prose_stays_and_menus_go(rule: Rule) -> None:
    page = made_page(5)
    found, judgement = judged(rule, page.html)
    assert [line for line in page.truth.encode().split(b"\n") if line not in found] == []
    assert not [each for each in found if b"Menu" in each or b"Copyright" in each]
    assert 0.9 < judgement.expected_f1 <= 1


def test_code_between_kept_blocks_stays(rule: Rule) -> None:
    page = made_page(6).html.replace(b"</p></div>", b"</p><pre>x = {1: 2}</pre></div>")
    assert b"x = {1: 2}" in judged(rule, page)[0]


def test_a_second_copy_under_another_parent_goes_and_a_repetition_stays(rule: Rule) -> None:
    page = made_page(7).html.decode()
    body = page[page.index("<div") : page.index("<footer")]
    found = judged(rule, page.replace(body, body + body).encode())[0]
    assert [found.count(line) for line in made_page(7).truth.encode().split(b"\n")] == [1] * 5
    line = f"<p>{sentence(70, 12)}</p>"
    assert judged(rule, page.replace(line, 2 * line).encode())[0].count(sentence(70, 12).encode()) == 2


def test_a_page_without_text_keeps_nothing(rule: Rule) -> None:
    keep, expected = judged(rule, b"<body><script>var a</script></body>")[1]
    assert len(keep) == 0 and expected == 0.0


def test_expected_f1_is_that_of_the_likelihoods(rule: Rule) -> None:
    # Sure of every block: the expectation is 1 but for what the last thousandths say.
    blocks = cut(b"<p>one two three", max_nodes=9, max_depth=8)[1]
    keep, expected = judge(rule, blocks, keep_above=-(1 << 30))
    assert keep.tolist() == [True] and 0 <= expected <= 1 and np.isfinite(expected)
