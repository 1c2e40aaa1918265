from __future__ import annotations

import random

import pytest
from rouge_score.rouge_scorer import RougeScorer

from lauter.trainer.memorisation.likeness import likeness


def test_rouge_l_is_that_of_the_reference_implementation() -> None:
    scorer = RougeScorer(["rougeL"], split_summaries=False)
    generator = random.Random(3)
    for _ in range(60):
        # Words that its tokenizer leaves whole, in place of ids.
        said, reference = ([generator.randrange(9) for _ in range(generator.randrange(1, 30))] for _ in range(2))
        words = [" ".join(f"w{index}" for index in ids) for ids in (reference, said)]
        assert likeness(said, reference).rouge_l == pytest.approx(scorer.score(*words)["rougeL"].fmeasure)


def test_the_other_figures_by_hand() -> None:
    one = likeness([5, 1, 2, 3, 5, 5], [1, 2, 3, 9])
    assert (one.run, one.variety, one.exact) == (3 / 4, 4 / 6, False)
    assert likeness([1, 2], [1, 2]).exact
    assert likeness([], [1]).rouge_l == 0
    with pytest.raises(ValueError, match="empty"):
        likeness([1], [])
