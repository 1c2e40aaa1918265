from __future__ import annotations

import numpy as np

from lauter.stages.extract.blocks import text_run as run
from lauter.stages.extract.blocks.context import CONTEXT, context
from lauter.stages.extract.blocks.cutting import Blocks, cut
from lauter.stages.extract.blocks.features import FEATURES, features
from lauter.stages.extract.blocks.odds import table
from lauter.stages.extract.markup import name_hash
from tests.stages.extract.blocks.made_pages import made_page

NO_ODDS = table(np.zeros(0, np.uint64), np.zeros(0, np.int32))


def blocks_of(html: bytes) -> Blocks:
    return cut(html, max_nodes=len(html), max_depth=64)[1]


def test_text_and_elements_are_told() -> None:
    blocks = blocks_of(made_page(3).html)
    words = table(np.array([name_hash("content"), name_hash("menu")], np.uint64), np.array([150, -90], np.int32))
    told, surroundings = features(blocks, words, NO_ODDS)
    assert told.shape == (len(blocks.rows), FEATURES) and np.isfinite(told).all()
    assert (told[:, 0] == blocks.rows[:, run.CHARS]).all()
    nav, prose = 0, int(np.argmax(blocks.rows[:, run.STOPS] > 0))
    share = told[:, 2]
    assert share[nav] == 1 and share[prose] == 0
    above = told[:, 22:35]  # article main nav aside header footer form table blockquote figure p li dl
    assert above[nav].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert above[prose].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    # Odds: highest and lowest of all elements around.
    assert told[prose, 40] == 150 and told[nav, 39] == -90
    assert (told[:, -1] == 5).all()  # blocks of prose
    # The eight lines of the menu stand in elements of one kind; so do the five paragraphs.
    groups, counts = np.unique(surroundings.group, return_counts=True)
    assert sorted(counts.tolist())[-2:] == [5, 8] and len(groups) >= 4


def test_features_do_not_depend_on_what_else_was_asked() -> None:
    pages = [blocks_of(made_page(number).html) for number in range(4)]
    alone = [features(blocks, NO_ODDS, NO_ODDS)[0].tobytes() for blocks in pages]
    assert [features(blocks, NO_ODDS, NO_ODDS)[0].tobytes() for blocks in pages[::-1]] == alone[::-1]


def test_context_is_sums_of_scores_by_characters() -> None:
    blocks = blocks_of(b"<body><div><p>aaaa<p>bb</div><p>" + b"c" * 30)
    _, surroundings = features(blocks, NO_ODDS, NO_ODDS)
    found = context(np.array([100, -50, 300], np.int32), blocks, surroundings)
    assert found.shape == (3, CONTEXT)
    assert found[:, 0].tolist() == [100, -50, 300]
    assert found[0, 1:7].tolist() == [-30_000, -30_000, -30_000, -50, 300, -30_000]
    # The first two stand in one <div>: (100 * 4 - 50 * 2) / 6; the page: (300 + 300 * 30) / 36.
    assert found[0, 7] == 50 and found[1, 7] == 50 and found[2, 7] == np.float32(9300 / 36)
    assert found[:, 12].tolist() == [np.float32(34 / 36)] * 3 and found[:, 13].tolist() == [34] * 3
    assert found[:, 14].tolist() == [200, 350, 0]
    # One block is as long as where main text may begin or end.
    assert found[:, 15].tolist() == [-2, -1, 0] and found[:, 16].tolist() == [2, 1, 0]
    assert found[:, 17].tolist() == [np.float32(9300 / 36)] * 3
    assert found[2, 19] == np.float32((100 * 0.7 - 50) * 0.7 + 300)
    assert found[0, 20] == np.float32((300 * 0.7 - 50) * 0.7 + 100)


def test_an_empty_page_has_no_rows() -> None:
    blocks = blocks_of(b"<p></p>")
    told, surroundings = features(blocks, NO_ODDS, NO_ODDS)
    assert told.shape == (0, FEATURES)
    assert context(np.zeros(0, np.int32), blocks, surroundings).shape == (0, CONTEXT)
