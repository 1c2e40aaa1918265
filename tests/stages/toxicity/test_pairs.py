"""Pairs of kinds: features against a plain-Python twin, logits, and training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.stages.classifier.model import read_only
from lauter.stages.toxicity.kinds import KINDS, Kinds
from lauter.stages.toxicity.pairs import FEATURES, KindModel, kind_logits
from lauter.stages.toxicity.training.pairs import features_of, train_pairs

N = len(KINDS)
WORDS = st.lists(st.sampled_from([0, 0, 1, 2, 4, 5, 1 << 24, (1 << 21) | 1]), max_size=30)


def kinds_from(texts: Sequence[Sequence[int]]) -> Kinds:
    bounds = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return Kinds(np.array([word for text in texts for word in text], np.uint32), bounds)


def twin(words: Sequence[int]) -> set[int]:
    """The features in plain Python."""
    known = [(place, [kind for kind in range(N) if bits >> kind & 1]) for place, bits in enumerate(words) if bits]
    of_kind = [kind for _, own in known for kind in own]
    found = set(of_kind) | {N + kind for kind in of_kind if of_kind.count(kind) > 1}
    for number, (place, own) in enumerate(known):
        for other, theirs in known[number + 1 : number + 9]:
            far = [0] + [1] * (other - place <= 5) + [2] * (other - place <= 2)
            found |= {2 * N + (step * N + left) * N + right for step in far for left in own for right in theirs}
    if known:
        found |= {2 * N + 3 * N * N + kind for kind in known[0][1]}
        found |= {2 * N + 3 * N * N + N + kind for kind in known[-1][1]}
    return found | {
        4 * N + 3 * N * N + min(len(words).bit_length(), 5),
        4 * N + 3 * N * N + 6 + min(len(known), 6),
    }


@given(st.lists(WORDS, min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_features_are_those_of_the_twin(texts: list[list[int]]) -> None:
    features, bounds = features_of(kinds_from(texts))
    own = [features[bounds[text] : bounds[text + 1]].tolist() for text in range(len(texts))]
    assert [sorted(row) for row in own] == [sorted(twin(text)) for text in texts]


def test_a_model_tells_the_order_of_two_kinds() -> None:
    generator = np.random.default_rng(3)
    first = generator.random(400) < 0.5
    texts = [[int(1 << kind) for kind in generator.integers(4, 20, 3)] for _ in first]
    texts = [[1, *text[:1], 2] if one else [2, *text[:1], 1] for one, text in zip(first, texts, strict=True)]
    found = kinds_from(texts)
    features, bounds = features_of(found)
    weights = np.where(np.arange(400) < 300, 1.0, 0.0)
    model = train_pairs(features, bounds, first, weights, 10, 7)
    assert ((kind_logits(model, found) > 0) == first)[300:].all()
    again = KindModel.of_notes(model.noted())
    assert kind_logits(again, found).tolist() == kind_logits(model, found).tolist()
    unseen = train_pairs(features, bounds, np.where(weights > 0, first, ~first), weights, 10, 7)
    assert unseen.weights.tolist() == model.weights.tolist()


def test_a_logit_is_bias_and_the_weighed_share_of_rarities() -> None:
    rarities, weights = np.arange(FEATURES, dtype=np.int16) % 7 + 1, np.arange(FEATURES, dtype=np.int16) % 11 - 5
    model = KindModel(read_only(rarities), read_only(weights), 0.25, 0.5)
    words = [1, 0, 6, 1 << 24]
    own = sorted(twin(words))
    total = sum(int(weights[place]) * int(rarities[place]) for place in own)
    length = sum(int(rarities[place]) ** 2 for place in own) ** 0.5
    assert kind_logits(model, kinds_from([words, []]))[0] == pytest.approx(0.5 + 0.25 * total / length, rel=1e-15)
