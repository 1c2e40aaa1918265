from __future__ import annotations

from lauter.stages.extract.blocks.training.truth import FOLDS, LICENCES, fold, read_pages
from tests.stages.extract.pages import public_folder


def test_a_domain_is_in_one_fold_and_folds_are_alike() -> None:
    counts = [0] * FOLDS
    for number in range(2000):
        counts[fold(f"site{number}.example", FOLDS)] += 1
    assert min(counts) > 340
    assert fold("site1.example", FOLDS, seed=1) in range(FOLDS)


def test_pages_have_html_and_a_text() -> None:
    pages = list(read_pages(public_folder(), ["newspaper4k", "readability"]))
    assert {page.dataset for page in pages} == {"newspaper4k", "readability"} <= {*LICENCES}
    assert all(page.truth.strip() and b"<" in page.html for page in pages)
    assert len({page.id for page in pages}) == len(pages)
