"""A column of URLs taken apart at once: origins with their ids, and targets, as ranges of bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.pipeline.origin import locate, origin_id, resolve_dots
from lauter.stages.optout.index.xxh3 import LONGEST, SHORTEST, xxh3

ODD, PLAIN, DOTTED, OWN_FILE = 0, 1, 2, 4
"""Bits: spelled as nearly all are (then the rest is told); the path may have dot segments; it is /robots.txt itself."""

_ROBOTS = np.frombuffer(b"/robots.txt", np.uint8)
_HTTPS = np.frombuffer(b"https", np.uint8)


@dataclass(frozen=True, slots=True)
class Places:
    """n URLs, each an origin data[origin_start:origin_end] and a target data[target_start:target_end]."""

    data: NDArray[np.uint8]
    origin_start: NDArray[np.int64]
    origin_end: NDArray[np.int64]
    target_start: NDArray[np.int64]
    target_end: NDArray[np.int64]
    origin_id: NDArray[np.uint64]
    known: NDArray[np.bool_]
    """False for what has no http(s) origin, and for null: its other values mean nothing."""
    marks: NDArray[np.uint8]
    """DOTTED and OWN_FILE."""

    def __len__(self) -> int:
        return len(self.known)

    def origin(self, index: int) -> str:
        """The normalised origin of one URL."""
        return self.data[self.origin_start[index] : self.origin_end[index]].tobytes().decode()

    def target(self, index: int) -> str:
        """Path and query of one URL."""
        return self.data[self.target_start[index] : self.target_end[index]].tobytes().decode("utf-8", "surrogatepass")

    def resolved(self, some: NDArray[np.int64]) -> tuple[NDArray[np.int64], Places]:
        """Of the URLs `some`, those whose target has dot segments, and places with these resolved."""
        dotted = some[(self.marks[some] & DOTTED) != 0]
        paths = {int(i): path for i in dotted if (path := resolve_dots(target := self.target(int(i)))) != target}
        return np.array(list(paths), np.int64), of_targets(list(paths.values()))


def of_targets(targets: list[str]) -> Places:
    """Places without origins, for rows that are known already."""
    parts = [target.encode("utf-8", "surrogatepass") for target in targets]
    ends = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    data = np.frombuffer(b"".join(parts), np.uint8)
    none = np.zeros(len(parts), np.int64)
    marks = np.zeros(len(parts), np.uint8)
    mark_targets(data, ends[:-1], ends[1:], marks)
    known = np.ones(len(parts), np.bool_)
    return Places(data, none, none, ends[:-1], ends[1:], none.astype(np.uint64), known, marks)


def split(urls: pa.Array) -> Places:
    """Take apart a string or large_string column; every URL as `locate` has it, plain ones without Python."""
    offsets, data = string_views(urls)
    count = len(urls)
    bounds = np.empty((4, count), np.int64)
    ids = np.zeros(count, np.uint64)
    marks = np.zeros(count, np.uint8)
    split_plain(data, offsets, bounds, ids, marks)
    known = (marks & PLAIN) != 0
    odd = np.flatnonzero(~known)
    if len(odd):
        pieces: list[bytes] = []
        end = len(data)
        found: list[int] = []
        for i, url in zip(odd.tolist(), urls.take(pa.array(odd)).to_pylist(), strict=True):
            place = locate(url) if url is not None else None
            if place is None:
                continue
            origin, target = (
                place.origin.encode("utf-8", "surrogatepass"),
                place.target.encode("utf-8", "surrogatepass"),
            )
            pieces += [origin, target]
            middle = end + len(origin)
            bounds[:, i] = (end, middle, middle, middle + len(target))
            end = middle + len(target)
            ids[i] = origin_id(place.origin)
            found.append(i)
        some = np.array(found, np.int64)
        known[some] = True
        data = np.concatenate([data, np.frombuffer(b"".join(pieces), np.uint8)])
        again = np.zeros(len(some), np.uint8)
        mark_targets(data, bounds[2, some], bounds[3, some], again)
        marks[some] = again
    return Places(data, bounds[0], bounds[1], bounds[2], bounds[3], ids, known, marks & np.uint8(DOTTED | OWN_FILE))


def string_views(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Offsets (n + 1) and bytes of a string, large_string or large_binary column; bytes are not copied."""
    _, offsets, data = column.buffers()
    narrow = pa.types.is_string(column.type) or pa.types.is_binary(column.type)
    dtype = np.int32 if narrow else np.int64
    if offsets is None or not len(column):
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    view = np.frombuffer(offsets, dtype)[column.offset : column.offset + len(column) + 1]
    return view.astype(np.int64), np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)


@kernel
def split_plain(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    bounds: NDArray[np.int64],
    ids: NDArray[np.uint64],
    marks: NDArray[np.uint8],
) -> None:
    """Take apart the URLs that need no normalisation but the loss of their fragment (`origin._PLAIN`).

    `bounds` (4, n): start and end of origin and target in `data`. `marks`: PLAIN and what the target is, or ODD.
    """
    before = before_end = 0
    for i in range(len(offsets) - 1):
        start = offsets[i]
        end = offsets[i + 1]
        marks[i] = 0
        host_end = _origin_end(data, start, end)
        if host_end < 0 or not SHORTEST <= host_end - start <= LONGEST:
            continue
        at = host_end
        plain = True
        while at < end and data[at] != 35:
            if data[at] <= 32:
                plain = False
                break
            at += 1
        target_end = at
        while plain and at < end:
            if data[at] == 10:
                plain = False
            at += 1
        if not plain:
            continue
        bounds[0, i] = start
        bounds[1, i] = host_end
        if host_end == target_end:
            slash = start + (6 if data[start + 4] == 115 else 5)  # That of `://` stands for the empty path.
            bounds[2, i] = slash
            bounds[3, i] = slash + 1
        else:
            bounds[2, i] = host_end
            bounds[3, i] = target_end
        same = before_end - before == host_end - start
        k = 0
        while same and k < host_end - start:
            same = data[before + k] == data[start + k]
            k += 1
        if same and i > 0 and marks[i - 1] != 0:
            ids[i] = ids[i - 1]
        else:
            ids[i] = xxh3(data, start, host_end)
        before = start
        before_end = host_end
        marks[i] = 1 | _mark(data, bounds[2, i], bounds[3, i])


@kernel
def _origin_end(data: NDArray[np.uint8], start: int, end: int) -> int:
    """Where a plain origin ends, -1 if there is none: a scheme and at least two labels of a-z, 0-9, `_` and `-`."""
    at = start
    if end - start < 10:
        return -1
    for k in range(4):
        if data[at + k] != _HTTPS[k]:
            return -1
    at += 4
    if data[at] == 115:
        at += 1
    if data[at] != 58 or data[at + 1] != 47 or data[at + 2] != 47:
        return -1
    at += 3
    dots = 0
    label = 0
    while at < end:
        c = data[at]
        if 97 <= c <= 122 or 48 <= c <= 57 or c == 45 or c == 95:
            label += 1
        elif c == 46:
            if label == 0:
                return -1
            dots += 1
            label = 0
        else:
            break
        at += 1
    if dots == 0 or label == 0 or (at < end and data[at] != 47 and data[at] != 35):
        return -1
    return at


@kernel
def _mark(data: NDArray[np.uint8], start: int, end: int) -> int:
    own = end - start >= 11 and (end - start == 11 or data[start + 11] == 63)
    k = 0
    while own and k < 11:
        own = data[start + k] == _ROBOTS[k]
        k += 1
    mark = 4 if own else 0
    at = start
    while at < end and data[at] != 63:
        c = data[at]
        if c == 92:
            return mark | 2
        if c == 47 and at + 1 < end:
            c = data[at + 1]
            if c == 46 or (c == 37 and at + 3 < end and data[at + 2] == 50 and (data[at + 3] | 32) == 101):
                return mark | 2
        at += 1
    return mark


@kernel
def mark_targets(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], marks: NDArray[np.uint8]
) -> None:
    """DOTTED and OWN_FILE of targets."""
    for i in range(len(starts)):
        marks[i] = _mark(data, starts[i], ends[i])
