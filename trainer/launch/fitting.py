"""How many ranks a config runs on."""

from __future__ import annotations

from lauter.trainer.config.sections import RunSection
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.parts import check_batches
from lauter.trainer.parallel.axes import AXES, REPLICATE, SHARD, shape_of


def require_ranks(section: RunSection, count: int) -> None:
    """The same checks of axes and batch sizes that the ranks themselves make, before any is started.

    Raises:
        ConfigError: a config does not go with so many ranks.
    """
    try:
        shape = dict(zip(AXES, shape_of(count, section.parallel), strict=True))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    check_batches(section, shape[REPLICATE] * shape[SHARD])


def most_ranks(section: RunSection, available: int) -> int | None:
    """The largest number of ranks, at most `available`, that a config runs on; None where there is none."""
    for count in range(available, 0, -1):
        try:
            require_ranks(section, count)
        except ConfigError:
            continue
        return count
    return None
