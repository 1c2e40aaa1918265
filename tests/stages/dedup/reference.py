"""The whole joining in plain Python: items, buckets, judging, exact similarity, and the greedy choice.

Slow and short: dictionaries and sets, no kernel but the one that cuts words (`kernels.words`, which has a twin of its
own). `kept(documents, config)` is what a build must keep of these documents, in whatever order or files they come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations

import numpy as np
import xxhash

from lauter.stages.dedup.config import DedupConfig, MinHashConfig
from lauter.stages.dedup.pairs import ALL_PAIRS
from lauter.stages.dedup.urls import same_page
from lauter.stages.kernels.words import DROP_PUNCTUATION, FOLD_CASE, FOLD_DIGITS, hash_words
from tests.stages.kernels.test_hashing import finish_plainly, fold_plainly, squeeze_plainly

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
SKETCH = 112
SOURCE = 1002

Pair = tuple[int, int]


@dataclass(frozen=True)
class Document:
    """What joining knows of a document."""

    doc_id: bytes
    text: str | None
    language: str | None = None
    source: str = ""
    url: str | None = None
    payload_hash: int | None = None
    priority: int = 0
    fetched_at: int | None = None
    scores: Mapping[str, int | None] = field(default_factory=dict)

    def value(self, column: str) -> int | None:
        """What a preference compares."""
        if column == "chars":
            return None if self.text is None else len(self.text)
        known = {"priority": self.priority, "fetched_at": self.fetched_at}
        return known[column] if column in known else self.scores[column]


def shingles_plainly(text: str, near: MinHashConfig) -> frozenset[int]:
    """32-bit hashes of the runs of words of a text; empty if it is too short."""
    flags = FOLD_CASE | DROP_PUNCTUATION | (FOLD_DIGITS if near.fold_digits else 0)
    raw = np.frombuffer(text.encode(), np.uint8)
    words, numbers = hash_words(raw, 0, raw.size, flags)
    if 2 * numbers > len(words):
        words, _ = hash_words(raw, 0, raw.size, flags & ~FOLD_DIGITS)
    n = near.ngram_words
    if len(words) < max(n, near.min_words):
        return frozenset()
    found = set()
    for start in range(len(words) - n + 1):
        state = 0
        for word in words[start : start + n].tolist():
            state = state * GOLDEN + word & MASK
        found.add(finish_plainly(state) >> 32)
    return frozenset(found)


def minima_plainly(shingles: frozenset[int], near: MinHashConfig) -> list[int]:
    """The least value of each permutation a * x + b mod 2**32."""
    count = max(near.bands * near.rows, SKETCH)
    drawn = [finish_plainly(near.seed + i * GOLDEN & MASK) >> 32 for i in range(1, 2 * count + 1)]
    values = np.array(sorted(shingles), np.uint64)
    pairs = zip(drawn[0::2], drawn[1::2], strict=True)
    return [int(((np.uint64(a | 1) * values + np.uint64(b)) & np.uint64(2**32 - 1)).min()) for a, b in pairs]


class Signature:
    """Item, identities, and what MinHash leaves of a document."""

    def __init__(self, document: Document, config: DedupConfig) -> None:
        self.near = config.minhash
        text = document.text or ""
        self.shingles = shingles_plainly(text, self.near) if self.near and document.text else frozenset()
        self.salt = 0
        if config.per_language and document.language is not None:
            self.salt = xxhash.xxh3_64_intdigest(document.language.encode())
        if config.per_source:
            source = xxhash.xxh3_64_intdigest(document.source.encode())
            self.salt = fold_plainly(fold_plainly(self.salt, SOURCE), source)
        url = same_page(document.url) if document.url and "url" in config.exact else None
        payload = document.payload_hash or None if "payload" in config.exact else None
        self.identities = [
            (self.salt, kind, value) for kind, value in (("url", url), ("payload", payload)) if value is not None
        ]
        squeezed = xxhash.xxh3_128_intdigest(squeeze_plainly(text).encode()) & MASK
        key = fold_plainly(fold_plainly(self.salt, 0), squeezed)
        self.item: object = key
        if document.text is None or not (self.shingles or "text" in config.exact):
            self.item = (key, *self.identities) if self.identities else None

    @cached_property
    def minima(self) -> list[int]:
        """All minima; only for a text with shingles."""
        assert self.near is not None
        return minima_plainly(self.shingles, self.near)

    def band_keys(self) -> list[object]:
        """One key a band."""
        if not self.near or not self.shingles:
            return []
        rows = self.near.rows
        bands = range(self.near.bands)
        return [(self.salt, band, *self.minima[band * rows : (band + 1) * rows]) for band in bands]


def pairs_plainly(items: Sequence[int], all_pairs: int = ALL_PAIRS) -> list[Pair]:
    """Pairs of the sorted items of a bucket."""
    if len(items) <= all_pairs:
        return list(combinations(items, 2))
    first, last = items[0], items[-1]
    return [(first, item) for item in items[1:]] + [(item, last) for item in items[1:-1]]


def similarity(one: frozenset[int], two: frozenset[int]) -> Fraction:
    """Exact Jaccard similarity; 0 for two empty sets."""
    return Fraction(len(one & two), len(one | two)) if one | two else Fraction(0)


def are_copies(one: Signature, two: Signature, near: MinHashConfig) -> bool:
    """By sketch where it is three standard errors from the threshold, else by the sets themselves."""
    sizes = sorted((len(one.shingles), len(two.shingles)))
    threshold = Fraction(str(near.threshold))
    if not sizes[0] or Fraction(*sizes) < threshold:
        return False
    matches = sum(a & 255 == b & 255 for a, b in zip(one.minima[:SKETCH], two.minima[:SKETCH], strict=True))
    agree = 1 / 256 + 255 / 256 * near.threshold
    reach = 3 * (agree * (1 - agree) / SKETCH) ** 0.5 * 256 / 255
    estimate = (matches / SKETCH - 1 / 256) * 256 / 255
    if abs(estimate - near.threshold) > reach:
        return estimate > near.threshold
    return similarity(one.shingles, two.shingles) >= threshold


def candidates_plainly(signatures: Iterable[Signature]) -> set[Pair]:
    """Pairs of items (the smaller first) that meet in a bucket."""
    buckets: dict[object, set[int]] = defaultdict(set)
    for one in signatures:
        for key in one.band_keys():
            assert isinstance(one.item, int)
            buckets[key].add(one.item)
    return {pair for bucket in buckets.values() for pair in pairs_plainly(sorted(bucket))}


def edges_plainly(signatures: Sequence[Signature], near: MinHashConfig | None) -> set[Pair]:
    """Candidates that are copies."""
    of_item = {one.item: one for one in signatures}
    return {(a, b) for a, b in candidates_plainly(signatures) if near and are_copies(of_item[a], of_item[b], near)}


def order_of(document: Document, config: DedupConfig) -> tuple[object, ...]:
    """What documents are sorted by: first the one that is kept."""
    place: list[object] = []
    for preference in config.preferences():
        value = document.value(preference.column)
        sign = 1 if preference.order == "ascending" else -1
        place.append((value is None, 0 if value is None else sign * value))
    return (*place, document.doc_id)


@dataclass
class Chosen:
    """What one pass of the greedy choice finds, by item."""

    kept: list[Document] = field(default_factory=list)
    rank: dict[object, int] = field(default_factory=dict)
    """Of each item of which a document is kept: that document's place in the order of preference."""
    keeper: dict[object, object] = field(default_factory=dict)
    """Of each item with a document: the item for which its first document was dropped, or itself."""


def choose(
    ordered: Sequence[Document],
    signatures: Mapping[bytes, Signature],
    neighbours: Mapping[object, set[object]],
    settled: Collection[bytes] = (),
) -> Chosen:
    """In order of preference, each document that is no copy of one that stays already; settled ones stay anyhow."""
    found = Chosen()
    owner: dict[object, object] = {}
    for place, document in enumerate(ordered):
        one = signatures[document.doc_id]
        if one.item is None:
            found.kept.append(document)
            continue
        same = [one.item] if one.item in found.rank else [owner[i] for i in one.identities if i in owner]
        near = [item for item in neighbours.get(one.item, ()) if item in found.rank]
        if (same or near) and document.doc_id not in settled:
            found.keeper.setdefault(one.item, same[0] if same else min(near, key=found.rank.__getitem__))
            continue
        found.kept.append(document)
        found.rank.setdefault(one.item, place)
        found.keeper.setdefault(one.item, one.item)
        owner = dict.fromkeys(one.identities, one.item) | owner
    return found


def second_round(found: Chosen, neighbours: Mapping[object, set[object]]) -> set[tuple[object, object]]:
    """Pairs of items that share a hub and were never compared: each item with what stands for its neighbours.

    A hub that is kept may yet fall to what stands for a dropped neighbour of it.
    """
    anchor: dict[object, object] = {}
    for hub, around in neighbours.items():
        if hub not in found.rank:
            near = [item for item in around if item in found.rank]
            known = [found.keeper[hub]] if hub in found.keeper else []
            if near or known:
                anchor[hub] = min([*near, *known], key=found.rank.__getitem__)
    for hub in found.rank:
        dropped = [anchor[item] for item in neighbours.get(hub, ()) if item not in found.rank and item in anchor]
        earlier = [item for item in dropped if found.rank[item] < found.rank[hub]]
        if earlier:
            anchor[hub] = min(earlier, key=found.rank.__getitem__)
    return {
        (item, anchor[hub])
        for item in found.keeper
        for hub in neighbours.get(item, ())
        if hub in anchor and anchor[hub] != item and anchor[hub] not in neighbours[item]
    }


def kept(documents: Sequence[Document], config: DedupConfig, settled: Collection[bytes] = ()) -> set[bytes]:
    """The doc_ids that stay: chosen from the edges of the buckets, then again with those of the second round.

    `settled`: those of older corpora, which stay whatever they are and come first.
    """
    signatures = {document.doc_id: Signature(document, config) for document in documents}
    of_item = {one.item: one for one in signatures.values()}
    ordered = sorted(documents, key=lambda one: (one.doc_id not in settled, *order_of(one, config)))
    neighbours: dict[object, set[object]] = defaultdict(set)
    for one, two in edges_plainly([*signatures.values()], config.minhash):
        neighbours[one].add(two)
        neighbours[two].add(one)
    for left, right in second_round(choose(ordered, signatures, neighbours, settled), neighbours):
        if config.minhash and are_copies(of_item[left], of_item[right], config.minhash):
            neighbours[left].add(right)
            neighbours[right].add(left)
    return {document.doc_id for document in choose(ordered, signatures, neighbours, settled).kept}
