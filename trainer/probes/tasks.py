"""The tasks by name, and all probes that a wish makes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from lauter.trainer.probes.needle import multi_key, multi_query, multi_value, single
from lauter.trainer.probes.probe import Probe, Source
from lauter.trainer.probes.synthetic import common_words, variable_tracking

Make = Callable[[Source, random.Random, int, float], Probe]

TASKS: Mapping[str, Make] = {
    "single": single,
    "multi-key": multi_key,
    "multi-value": multi_value,
    "multi-query": multi_query,
    "variable-tracking": variable_tracking,
    "common-words": common_words,
}


def probes(
    source: Source, *, tasks: Sequence[str], lengths: Sequence[int], depths: Sequence[float], count: int, seed: int
) -> Iterator[Probe]:
    """`count` probes for each task, length and depth, in this order. A probe depends on nothing but these and the seed.

    Raises:
        ProbeError: a length is too short for a task.
    """
    for task in tasks:
        for length in lengths:
            for depth in depths:
                for number in range(count):
                    generator = random.Random(f"{seed}\0{task}\0{length}\0{depth}\0{number}")
                    yield TASKS[task](source, generator, length, depth)
