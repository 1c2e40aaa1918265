from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.batch import IGNORE
from lauter.trainer.data.corpus import open_corpora
from lauter.trainer.data.packing import plan_windows
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import EOS, PAD, documents, section, write_corpus
from tests.trainer.data.plain_samples import Window, windows


def plain_best_fit(lengths: list[int], size: int) -> list[list[int]]:
    """Each length, from the longest on, into the open window with the least room that takes it."""
    found: list[list[int]] = []
    for length in sorted(lengths, reverse=True):
        fitting = [window for window in found if size - sum(window) >= length]
        if fitting:
            max(fitting, key=sum).append(length)
        else:
            found.append([length])
    return found


@given(lengths=st.lists(st.integers(1, 300), max_size=60), size=st.sampled_from([2, 7, 63, 64, 65, 100, 128, 250]))
def test_a_plan_holds_every_token_once_and_cuts_nothing_that_fits(lengths: list[int], size: int) -> None:
    plan = plan_windows(np.array(lengths, np.int64), size, "key")
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(int).tolist()
    parts = list(zip(plan.starts.tolist(), plan.ends.tolist(), strict=True))
    places = sorted(place for start, end in parts for place in range(start, end))
    assert places == list(range(offsets[-1]))
    for start, end in pairwise(offsets):
        own = sorted(part for part in parts if start <= part[0] < end)
        assert own == [(at, min(at + size, end)) for at in range(start, end, size)]
    rests = []
    for window in range(plan.windows):
        own = parts[plan.first[window] : plan.first[window + 1]]
        used = [end - start for start, end in own]
        assert own == sorted(own) and 0 < sum(used) <= size
        if used != [size]:
            rests.append(sorted(used))
    expected = plain_best_fit([length % size for length in lengths if length % size], size)
    # Equal fits may be chosen differently, and then no window more is needed.
    assert len(rests) <= len(expected) or sorted(map(sum, rests)) == sorted(map(sum, expected))


def test_plans_are_the_same_every_time_and_shuffled() -> None:
    lengths = np.random.default_rng(1).integers(2, 400, 500)
    plan = plan_windows(lengths, 256, "key")
    again, other = plan_windows(lengths, 256, "key"), plan_windows(lengths, 256, "other")
    assert np.array_equal(plan.starts, again.starts) and np.array_equal(plan.first, again.first)
    assert not np.array_equal(plan.starts, other.starts)
    assert lengths.sum() / (plan.windows * 256) > 0.97
    # Windows come out of the packing by length; were they not shuffled, the full ones would come first.
    count = np.diff(plan.first)
    assert abs(count[: len(count) // 2].mean() - count[len(count) // 2 :].mean()) < 0.5


def test_windows_of_a_stream(tmp_path: Path) -> None:
    generator = random.Random(4)
    stream = [[documents(generator, 12, 40) for _ in range(2)] for _ in range(2)]
    data = section(write_corpus(tmp_path, {"main": stream}), sequence_length=24, packing="best-fit")
    samples = Samples(open_corpora(data), data, 9)
    groups = [group for shard in stream for group in shard]
    total = sum(len(document.tokens) for group in groups for document in group)
    used, number = 0, 0
    epoch: list[Window] = []
    while used < total:
        epoch += windows(samples.batch([number]), 24)
        used += 24 - epoch[-1].tokens.count(PAD)
        number += 1
    assert used == total and samples.utilisation["main"] == total / (number * 24)
    found = []
    for window in epoch:
        at = 0
        for length in window.lengths:
            tokens, labels = window.tokens[at : at + length], window.labels[at : at + length]
            at += length
            if tokens[0] == PAD:
                assert set(labels) == {IGNORE} and at == 24
                continue
            found.append(tokens)
            last = tokens[-1] == EOS
            assert labels[:-1] == tokens[1:] and (labels[-1] == IGNORE) == last
            assert last or length == 24, "only a document that does not fit is cut"
    expected = [
        document.tokens[at : at + 24]
        for group in groups
        for document in group
        for at in range(0, len(document.tokens), 24)
    ]
    assert sorted(found) == sorted(expected)
