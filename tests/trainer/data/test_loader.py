from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from lauter.trainer.batch import Batch
from lauter.trainer.config.sections import StageSection
from lauter.trainer.data.corpus import DataError, open_corpora
from lauter.trainer.data.loader import Loader
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import section, shards, write_corpus

STAGES = (
    StageSection(name="first", tokens=16 * 50, streams={"main": 3, "web": 1}),
    StageSection(name="second", tokens=16 * 45, streams={"main": 1, "web": 2}),
)
STEPS = [(first, 16) for first in range(0, 48, 16)] + [(48, 8), (56, 24)]
"""A step that spans two stages, and a batch size that changes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), {"main": shards(1), "web": shards(2, rows=9)})


def samples(folder: Path, packing: str) -> Samples:
    data = section(folder, sequence_length=16, stages=STAGES, packing=packing)
    return Samples(open_corpora(data), data, 7)


def digest(batches: Iterable[Batch]) -> str:
    """Of the windows as one sequence."""
    found = [hashlib.sha256() for _ in range(4)]
    for batch in batches:
        for part, column in zip(found, (batch.tokens, batch.labels, batch.positions, batch.languages), strict=True):
            part.update(column.numpy().tobytes())
    return "".join(part.hexdigest() for part in found)


def read(
    folder: Path, packing: str, ranks: int, micro: int, prefetch: int, first: int = 0, end: int = len(STEPS)
) -> list[list[Batch]]:
    """The steps [first, end): all ranks' batches in order. The loaders expect what comes behind the end, too."""
    loaders = [
        Loader(samples(folder, packing), rank=rank, ranks=ranks, micro=micro, prefetch=prefetch)
        for rank in range(ranks)
    ]
    steps = STEPS[first:]
    found = []
    for number, step in enumerate(steps[: end - first]):
        for loader in loaders:
            for ahead in steps[number + 1 : number + 4]:
                loader.expect(*ahead)
        found.append([batch for loader in loaders for batch in loader.step(*step)])
    for loader in loaders:
        loader.close()
    return found


@pytest.mark.parametrize("packing", ["concatenate", "best-fit"])
def test_any_number_of_ranks_reads_the_same_and_a_resumed_run_too(folder: Path, packing: str) -> None:
    expected = [digest(step) for step in read(folder, packing, 1, 8, 0)]
    assert len(set(expected)) == len(STEPS)
    for ranks in (2, 4, 8):
        assert [digest(step) for step in read(folder, packing, ranks, 1, 2)] == expected
    for first in range(1, len(STEPS)):
        assert [digest(step) for step in read(folder, packing, 2, 2, 1, first)] == expected[first:]


def pieces(generator: random.Random) -> list[tuple[int, int, int, int, int]]:
    """A run that is stopped and goes on with other ranks: (first step, end, ranks, micro, prefetch) of each piece."""
    found, first = [], 0
    while first < len(STEPS):
        end = generator.randint(first + 1, len(STEPS))
        ranks = generator.choice([1, 2, 4, 8])
        # Every step has a multiple of 8 samples.
        micro = generator.choice([size for size in (1, 2, 4, 8) if size * ranks <= 8])
        found.append((first, end, ranks, micro, generator.randint(0, 3)))
        first = end
    return found


@pytest.mark.parametrize("packing", ["concatenate", "best-fit"])
def test_any_stops_and_restarts_read_one_sequence(folder: Path, packing: str) -> None:
    """Twenty random plans; what a piece expected of the steps behind its end is read again by the next."""
    expected = digest(batch for step in read(folder, packing, 1, 8, 0) for batch in step)
    generator = random.Random(packing)
    plans = [pieces(generator) for _ in range(20)]
    assert len({str(plan) for plan in plans}) == 20 and max(map(len, plans)) > 2
    for plan in plans:
        parts = [
            read(folder, packing, ranks, micro, prefetch, first, end) for first, end, ranks, micro, prefetch in plan
        ]
        assert digest(batch for part in parts for step in part for batch in step) == expected, plan


def test_micro_batches_are_of_micro_windows(folder: Path) -> None:
    loader = Loader(samples(folder, "concatenate"), rank=1, ranks=2, micro=2, prefetch=0)
    batches = loader.step(8, 12)
    assert [len(batch.tokens) for batch in batches] == [32, 32, 32]
    assert torch.equal(batches[0].tokens, samples(folder, "concatenate").batch([14, 15]).tokens)
    loader.close()


@pytest.mark.parametrize(("count", "micro"), [(7, 1), (6, 2)])
def test_a_step_that_ranks_cannot_share_is_refused(folder: Path, count: int, micro: int) -> None:
    loader = Loader(samples(folder, "concatenate"), rank=0, ranks=2, micro=micro, prefetch=0)
    with pytest.raises(ValueError, match=f"a step of {count} samples can't be shared by 2 ranks in micro-batches"):
        loader.step(0, count)
    loader.close()


def test_an_error_of_a_step_read_ahead_comes_with_that_step(folder: Path) -> None:
    loader = Loader(samples(folder, "concatenate"), rank=0, ranks=1, micro=1, prefetch=2)
    loader.expect(94, 2)
    assert len(loader.step(90, 4)) == 4
    with pytest.raises(DataError, match="sample 95 is asked for"):
        loader.step(94, 2)
    loader.close()


def test_a_step_that_did_not_come_is_forgotten(folder: Path) -> None:
    """After a rollback the loop goes elsewhere: reading ahead goes on from there."""
    loader = Loader(samples(folder, "concatenate"), rank=0, ranks=1, micro=4, prefetch=1)
    loader.expect(16, 8)
    assert digest(loader.step(40, 8)) == digest(samples(folder, "concatenate").batch([n]) for n in range(40, 48))
    loader.expect(48, 4)
    assert digest(loader.step(48, 4)) == digest([samples(folder, "concatenate").batch(range(48, 52))])
    loader.close()
