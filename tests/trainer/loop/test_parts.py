"""Batch sizes that do not fit the ranks, before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.parts import check_batches
from tests.trainer.loop.language import section


@pytest.mark.parametrize(
    ("sequences", "micro", "ranks", "said"),
    [
        (16, 16, 2, r"16 is no multiple of batch.micro \(16\) x 2 ranks; batch.micro=8 fits"),
        (12, 5, 1, r"12 is no multiple of batch.micro \(5\) x 1 rank; batch.micro=4 fits"),
        (16, 1, 3, "x 3 ranks; no batch.micro fits, 3 does not divide it"),
    ],
)
def test_the_largest_micro_batch_that_fits_is_named(sequences: int, micro: int, ranks: int, said: str) -> None:
    run = section(Path("/nowhere"), 1, batch={"sequences": sequences, "micro": micro})
    with pytest.raises(ConfigError, match=said):
        check_batches(run, ranks)


def test_ranks_that_read_the_same_are_not_counted_twice() -> None:
    run = section(Path("/nowhere"), 1, batch={"sequences": 6, "micro": 2}, parallel={"tensor": 2, "context": 2})
    with pytest.raises(ConfigError, match=r"\(2\) x 2 ranks that read data \(parallel.replicate x parallel.shard\);"):
        check_batches(run, 2)


def test_it_fits_the_ramp_too() -> None:
    batch = {"sequences": 16, "micro": 8, "ramp": [{"from_tokens": 9, "sequences": 20}]}
    with pytest.raises(ConfigError, match=r"batch.ramp.0.sequences: 20 is no multiple .* batch.micro=4 fits"):
        check_batches(section(Path("/nowhere"), 1, batch=batch), 1)


def test_a_pipeline_needs_micro_batches_enough() -> None:
    run = section(Path("/nowhere"), 1, batch={"sequences": 8, "micro": 2}, parallel={"pipeline": 4, "shard": 2})
    with pytest.raises(ConfigError, match=r"batch.sequences: .* '1f1b' can't run 2 micro-batch.* 4 would"):
        check_batches(run, 2)
