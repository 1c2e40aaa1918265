from __future__ import annotations

import pytest

from lauter.stages.extract.blocks.rule import judge, save
from lauter.stages.extract.blocks.training.labels import Example, example
from lauter.stages.extract.blocks.training.learning import cross_validate, learn
from tests.stages.extract.blocks.made_pages import made_page


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [example(made_page(number)) for number in range(40)]


def test_a_rule_of_some_sites_knows_the_text_of_others(examples: list[Example]) -> None:
    rule = learn(examples[:30])
    for each in examples[30:]:
        assert judge(rule, each.blocks, keep_above=0).keep.tolist() == each.wanted.tolist()


def test_the_same_pages_give_the_same_bytes(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rules")
    for name in ("one.npz", "two.npz"):
        save(learn(examples[:12]), folder / name)
    assert (folder / "one.npz").read_bytes() == (folder / "two.npz").read_bytes()


def test_cross_validation_sees_each_page_once_by_a_rule_of_others(examples: list[Example]) -> None:
    seen: list[str] = []
    cross_validate(examples[:12], 2, lambda each, rule: seen.append(each.page.id) if rule.first.base.size else None)
    # Folds are of FOLDS; here the pages of folds beyond the second are learned from and never asked.
    assert sorted(seen) == sorted(each.page.id for each in examples[:12] if each.page.fold < 2)
