"""Which tokens a rank has, and what of its documents lies elsewhere."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.trainer.batch import Part
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.parallel.context.split import by_rank, in_order, part_of, require_shares, runs, take
from tests.trainer.parallel.context_cases import batch_of
from tests.trainer.parallel.proof import SHAPE, windows


@st.composite
def shared(draw: st.DrawFn) -> tuple[list[int], int]:
    """Documents that fill 2 x count equal chunks, and count."""
    count = draw(st.integers(2, 5))
    tokens = 2 * count * draw(st.integers(1, 8))
    cuts = draw(st.sets(st.integers(1, tokens - 1), max_size=12))
    ends = [0, *sorted(cuts), tokens]
    return [end - start for start, end in pairwise(ends)], count


@settings(max_examples=100, deadline=None)
@given(shared())
def test_every_token_sees_its_document_up_to_itself_and_no_more(case: tuple[list[int], int]) -> None:
    lengths, count = case
    tokens = sum(lengths)
    starts = torch.repeat_interleave(torch.tensor([0, *accumulate(lengths)][:-1]), torch.tensor(lengths))
    crossings = set()
    for rank in range(count):
        part = part_of(batch_of(lengths), rank, count).bounds.part
        assert part is not None
        here = take(torch.arange(tokens), rank, count)
        seen = seen_of(part, here)
        assert seen == [set(range(int(starts[place]), int(place) + 1)) for place in here]
        assert here.tolist() == [place for start, end in runs(tokens, rank, count) for place in range(start, end)]
        crossings.add(part.crossing)
        assert part.crossing or not part.earlier
    assert len(crossings) == 1


def seen_of(part: Part, here: torch.Tensor) -> list[set[int]]:
    """Places among all tokens that each of a rank's tokens attends to; none twice."""
    seen: list[list[int]] = [[] for _ in here]
    ends = part.own.cu_seqlens.tolist()
    assert part.own.longest == max(end - start for start, end in pairwise(ends))
    for start, end in pairwise(ends):
        for place in range(start, end):
            seen[place] += here[start : place + 1].tolist()
    for one in part.earlier:
        for place in range(one.queries.start, one.queries.stop):
            seen[place] += range(one.keys.start, one.keys.stop)
    assert all(len(set(places)) == len(places) for places in seen)
    return [set(places) for places in seen]


@settings(max_examples=30, deadline=None)
@given(shared())
def test_parts_make_up_the_batch(case: tuple[list[int], int]) -> None:
    lengths, count = case
    batch = batch_of(lengths)
    parts = [part_of(batch, rank, count) for rank in range(count)]
    for name in ("tokens", "labels", "positions", "languages"):
        whole, together = getattr(batch, name), torch.stack([getattr(part, name) for part in parts])
        assert together.dtype == whole.dtype
        assert torch.equal(in_order(together), whole)
        assert torch.equal(by_rank(whole, count), together)
    assert sum(part.targets for part in parts) == batch.targets
    assert sum(part.goldfish_dropped for part in parts) == batch.goldfish_dropped
    for part in parts:
        assert torch.equal(part.bounds.cu_seqlens, batch.bounds.cu_seqlens)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("held", [1, 2, 3, 5])
def test_ranks_have_equal_shares_of_causal_attention(count: int, held: int) -> None:
    length = 48
    scores = torch.arange(1, length + 1).repeat(held)
    assert len({int(take(scores, rank, count).sum()) for rank in range(count)}) == 1


def test_a_single_rank_has_the_batch_as_it_is() -> None:
    batch = windows(range(2))
    assert part_of(batch, 0, 1) is batch


def test_a_part_moves_with_its_batch() -> None:
    part = part_of(windows(range(2)), 1, 2).to(torch.device("meta")).bounds.part
    assert part is not None
    assert part.own.cu_seqlens.device.type == "meta"


def test_tokens_that_make_no_equal_chunks_are_refused() -> None:
    with pytest.raises(ValueError, match="10 tokens can't be cut into 2 x 2 equal chunks"):
        part_of(batch_of([7, 3]), 0, 2)


@pytest.mark.parametrize(
    ("section", "tokens", "said"),
    [
        (ParallelSection(context=4), 20, r"20 tokens of a micro-batch .* no multiple of 2 x context \(4\) = 8"),
        (ParallelSection(context=2, tensor=2), 12, r"no multiple of 2 x context \(2\) x tensor \(2\) = 8"),
        (
            ParallelSection(context=3, context_kind="ulysses"),
            12,
            "4 heads over 2 of keys can't be dealt out to 3 ranks",
        ),
        (
            ParallelSection(context=4, tensor=2, context_kind="ulysses"),
            64,
            "2 heads over 1 of keys a rank of parallel.tensor=2 can't be dealt out to 4 ranks",
        ),
    ],
)
def test_what_can_not_be_shared_is_refused_before_a_run(section: ParallelSection, tokens: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        require_shares(section, SHAPE, tokens)


@pytest.mark.parametrize(
    "section",
    [
        ParallelSection(),
        ParallelSection(context=4, context_kind="ulysses"),
        ParallelSection(context=2, tensor=2, context_kind="ulysses"),
        ParallelSection(context=2, tensor=2, sequence=False),
        ParallelSection(context=1, tensor=4, context_kind="ulysses"),
        ParallelSection(context=8, context_kind="ring"),
    ],
    ids=str,
)
def test_what_can_be_shared_is_not(section: ParallelSection) -> None:
    require_shares(section, SHAPE, 16 if section.tensor == 1 else 8)
