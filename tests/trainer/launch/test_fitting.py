from __future__ import annotations

from pathlib import Path

import pytest

from lauter.trainer.launch.fitting import most_ranks, require_ranks
from lauter.trainer.loop.errors import ConfigError
from tests.trainer.loop.language import section


def test_a_smaller_cluster_gets_the_largest_number_that_fits() -> None:
    run = section(Path(), 4, batch={"sequences": 24, "micro": 2})
    assert [most_ranks(run, count) for count in (1, 4, 5, 7, 11, 12, 30)] == [1, 4, 4, 6, 6, 12, 12]
    wide = section(Path(), 4, batch={"sequences": 24, "micro": 2}, parallel={"tensor": 4})
    assert [most_ranks(wide, count) for count in (3, 4, 15, 40)] == [None, 4, 12, 24]
    firm = section(Path(), 4, batch={"sequences": 24, "micro": 2}, parallel={"shard": 2})
    assert [most_ranks(firm, count) for count in (1, 2, 9)] == [None, 2, 2]


@pytest.mark.parametrize(
    ("changes", "count", "said"),
    [
        ({"batch": {"sequences": 24, "micro": 2}}, 5, "24 is no multiple of batch.micro"),
        ({"parallel": {"tensor": 4}}, 6, "can't be split into tensor 4"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_starts(changes: dict[str, object], count: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        require_ranks(section(Path(), 4, **changes), count)
