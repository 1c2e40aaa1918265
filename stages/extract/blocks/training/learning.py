"""From labelled pages to a rule.

What a look is told by an earlier step is always from pages of other domains, or it would trust it more than it may: the
odds of words are counted without the domain's quarter of all domains, and the first scores that the second look learns
from are those of trees grown without the domain's half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lauter.stages.extract.blocks.context import context
from lauter.stages.extract.blocks.cutting import FIRST_WORD, PARENT
from lauter.stages.extract.blocks.features import Surroundings, features
from lauter.stages.extract.blocks.odds import Odds, table
from lauter.stages.extract.blocks.rule import Rule
from lauter.stages.extract.blocks.text_run import ELEMENT, MAX_TERMS, TERMS
from lauter.stages.extract.blocks.training.growing import Recipe, grow
from lauter.stages.extract.blocks.training.labels import Example
from lauter.stages.extract.blocks.training.truth import fold
from lauter.stages.extract.blocks.trees import Trees, scores

FIRST, SECOND = Recipe(trees=60), Recipe(trees=100)
_QUARTERS = 4
_QUARTER_SEED = 7
_PRIOR = 1.5
"""Pages that a word's odds are drawn to even by."""
_LEAST_ODDS = 20
"""Hundredths of log-odds below which a word says nothing and is left out."""
_DOMAINS_OF_WORD, _DOMAINS_OF_TERM = 3, 4
"""A word of fewer domains is a site's own."""

Told = tuple[NDArray[np.float32], Surroundings]
Counts = tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.float64]]


def learn(examples: Sequence[Example]) -> Rule:
    """The rule of all examples, the same for the same examples in the same order."""
    words, terms = [_word_counts(each) for each in examples], [_term_counts(each) for each in examples]
    quarters = [fold(each.page.domain, _QUARTERS, seed=_QUARTER_SEED) for each in examples]

    def odds_of(chosen: Sequence[int]) -> tuple[Odds, Odds]:
        domains = [examples[index].page.domain for index in chosen]
        return (
            _odds([words[index] for index in chosen], domains, _DOMAINS_OF_WORD),
            _odds([terms[index] for index in chosen], domains, _DOMAINS_OF_TERM),
        )

    told: dict[int, Told] = {}
    for quarter in range(_QUARTERS):
        tables = odds_of([index for index in range(len(examples)) if quarters[index] != quarter])
        for index, each in enumerate(examples):
            if quarters[index] == quarter:
                told[index] = features(each.blocks, *tables)
    wanted = np.concatenate([each.wanted for each in examples])
    weight = np.concatenate([each.weight for each in examples])
    half = np.repeat([quarter % 2 for quarter in quarters], [len(each.wanted) for each in examples])
    known = np.concatenate([told[index][0] for index in range(len(examples))])

    def grown(columns: NDArray[np.float32], chosen: NDArray[np.bool_], recipe: Recipe) -> Trees:
        chosen = chosen & (weight > 0)
        return grow(columns[chosen], wanted[chosen], weight[chosen], recipe)

    halves = [grown(known, half != number, FIRST) for number in range(2)]
    seen = [scores(halves[quarters[index] % 2], told[index][0]) for index in range(len(examples))]
    near = np.concatenate(
        [context(seen[index], each.blocks, told[index][1]) for index, each in enumerate(examples) if len(each.wanted)]
    )
    everything = np.ones(len(wanted), np.bool_)
    return Rule(
        *odds_of(range(len(examples))),
        grown(known, everything, FIRST),
        grown(np.hstack((known, near)), everything, SECOND),
    )


def _counts(keys: NDArray[np.uint64], wanted: NDArray[np.float64], other: NDArray[np.float64], most: float) -> Counts:
    # Sums by key; one page counts at most `most` for a key.
    distinct, place = np.unique(keys, return_inverse=True)
    sums = np.bincount(place, wanted, len(distinct)), np.bincount(place, other, len(distinct))
    total = np.maximum(sums[0] + sums[1], 1e-9)
    share = np.minimum(total, most) / total
    return distinct, sums[0] * share, sums[1] * share


def _word_counts(each: Example) -> Counts:
    # A word of a class counts with the text below its element.
    elements = each.blocks.elements
    wanted, other = np.zeros(len(elements)), np.zeros(len(elements))
    owner = each.blocks.rows[:, ELEMENT]
    np.add.at(wanted, owner[each.wanted], each.weight[each.wanted])
    np.add.at(other, owner[~each.wanted], each.weight[~each.wanted])
    for element in range(len(elements) - 1, 0, -1):
        wanted[elements[element, PARENT]] += wanted[element]
        other[elements[element, PARENT]] += other[element]
    first = elements[:, FIRST_WORD].astype(np.int64)
    held = np.diff(np.append(first, len(each.blocks.words)))
    of_word = np.repeat(np.arange(len(elements)), held)
    return _counts(each.blocks.words, wanted[of_word], other[of_word], 1.0)


def _term_counts(each: Example) -> Counts:
    there = np.arange(MAX_TERMS)[None, :] < each.blocks.rows[:, TERMS][:, None]
    wanted = np.broadcast_to(each.wanted[:, None], there.shape)[there]
    return _counts(each.blocks.terms[there], wanted.astype(np.float64), (~wanted).astype(np.float64), 3.0)


def _odds(counts: Sequence[Counts], domains: Sequence[str], least_domains: int) -> Odds:
    number = {domain: index for index, domain in enumerate(dict.fromkeys(domains))}
    keys, wanted, other = (np.concatenate([each[part] for each in counts]) for part in range(3))
    domain = np.repeat([number[each] for each in domains], [len(each[0]) for each in counts])
    distinct, place = np.unique(keys, return_inverse=True)
    a, b = np.bincount(place, wanted, len(distinct)), np.bincount(place, other, len(distinct))
    pairs = np.unique(place.astype(np.int64) * len(number) + domain)
    of_domains = np.bincount(pairs // len(number), minlength=len(distinct))
    share = a.sum() / (a.sum() + b.sum())
    odds = np.log((a + _PRIOR * share) / (b + _PRIOR * (1 - share)) * (1 - share) / share)
    value = np.rint(100 * odds).astype(np.int32)
    kept = (of_domains >= least_domains) & (np.abs(value) >= _LEAST_ODDS) & (distinct != 0)
    return table(distinct[kept], value[kept])


def cross_validate(examples: Sequence[Example], folds: int, seen: Callable[[Example, Rule], None]) -> None:
    """Calls `seen` once for every example, with a rule learned from the domains of the other folds."""
    for held_out in range(folds):
        rule = learn([each for each in examples if each.page.fold != held_out])
        for each in examples:
            if each.page.fold == held_out:
                seen(each, rule)
