"""What is lost where a bucket's items are compared with two hubs only, and what the second round gives back.

Groups of texts that are all copies of each other: 300 words, of which each text has a few replaced. With all pairs of a
bucket compared, one text of a group stays (or as many as the greedy rule leaves where some pairs fall below 0.8). Rows
of the result: pairs compared, and texts that stay, for all pairs; for hubs above `ALL_PAIRS` items; for those and one
more round of pairs that the engine proposes after the first choice (`steps.joining.greedy`). Preferences are random.

    python benchmarks/large_buckets.py
"""

from __future__ import annotations

import random
import sys

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.comparing import OPEN, YES
from lauter.pipeline.steps.joining.greedy import anchors, keepers
from lauter.stages.dedup.config import DedupConfig
from lauter.stages.dedup.pairs import ALL_PAIRS, bucket_pairs
from lauter.stages.dedup.stage import Dedup

WORDS = 300
GROUPS = ((20, 1), (20, 3), (50, 2), (200, 1), (200, 3), (1000, 2))
"""Texts of a group, and words replaced in each: similarities of 0.94 (1), 0.87 (2) and 0.82 (3) with each other."""

Pairs = NDArray[np.int64]


def word(draw: random.Random) -> str:
    return "".join(draw.choices("bcdfghjklmnpqrstvwxz", k=8))


def group_of(texts: int, replaced: int, draw: random.Random) -> list[str]:
    original = [word(draw) for _ in range(WORDS)]
    found = []
    for _ in range(texts):
        words = list(original)
        for place in draw.sample(range(WORDS), replaced):
            words[place] = word(draw)
        found.append(" ".join(words))
    return found


class Group:
    """A group, signed; its texts are numbered by preference, its items likewise."""

    def __init__(self, texts: list[str]) -> None:
        self.size = len(texts)
        self._stage = Dedup(DedupConfig())
        batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
        self._signed = self._stage.sign(batch)
        self._evidence = self._stage.evidence(batch)

    def candidates(self, all_pairs: int) -> Pairs:
        """Pairs of texts whose items share a key."""
        item = self._signed.item
        table = np.unique(np.column_stack((self._signed.key, item[self._signed.row])), axis=0)
        keys, items = np.ascontiguousarray(table.T)
        pairs = bucket_pairs(keys, items, all_pairs)
        order = np.argsort(item)
        found: Pairs = np.unique(np.sort(order[np.searchsorted(item[order], pairs)], axis=1), axis=0)
        return found

    def copies(self, pairs: Pairs) -> Pairs:
        """Those of the pairs that the stage calls copies."""
        if not len(pairs):
            return pairs
        sides = [pa.array(pairs[:, side]) for side in (0, 1)]
        verdict = self._stage.judge(*(self._signed.sketches.take(side) for side in sides))
        found = verdict == YES
        undecided = np.flatnonzero(verdict == OPEN)
        lists = [self._evidence.take(side.take(pa.array(undecided))) for side in sides]
        found[undecided] = self._stage.compare(*lists)
        kept: Pairs = pairs[found]
        return kept

    def chosen(self, edges: Pairs) -> tuple[int, Pairs]:
        """How many texts stay, and what the engine would compare besides."""
        ends = np.concatenate([edges, edges[:, ::-1]])
        ends = ends[np.lexsort((ends[:, 1], ends[:, 0]))]
        starts = np.searchsorted(ends[:, 0], np.arange(self.size + 1))
        neighbours = np.ascontiguousarray(ends[:, 1])
        item = np.arange(self.size)
        keeper, how, holder = keepers(item, np.empty((self.size, 0), np.int64), starts, neighbours, 0, 0)
        proposed = np.sort(anchors(item, keeper, holder, starts, neighbours), axis=1)
        return int((how == 0).sum()), np.unique(proposed, axis=0) if len(proposed) else proposed


def main() -> int:
    draw = random.Random(0)
    print(f"hubs above {ALL_PAIRS} items of a bucket; pairs compared and texts that stay")
    print(f"{'texts':>6} {'replaced':>8} {'all pairs':>16} {'two hubs':>16} {'second round':>16}")
    for texts, replaced in GROUPS:
        group = Group(group_of(texts, replaced, draw))
        whole = group.candidates(texts)
        few = group.candidates(ALL_PAIRS)
        stay_whole, _ = group.chosen(group.copies(whole))
        edges = group.copies(few)
        stay_few, proposed = group.chosen(edges)
        stay_again, _ = group.chosen(np.unique(np.concatenate([edges, group.copies(proposed)]), axis=0))
        columns = [(len(whole), stay_whole), (len(few), stay_few), (len(few) + len(proposed), stay_again)]
        print(f"{texts:6} {replaced:8} " + " ".join(f"{pairs:10,} {stay:5}" for pairs, stay in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
