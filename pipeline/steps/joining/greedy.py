"""Which documents of a range are kept: in order of preference each is, unless it is a copy of one that is kept.

So every document that is dropped was compared with the one that stands for it. What a chain of near copies would carry
away, and what would have been a copy of a document that is itself dropped, stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel

BY_ITEM, BY_EDGE, BY_IDENTITY = 1, 2, 3
"""How a document is a copy; an identity of column k is `BY_IDENTITY + k`."""


@kernel
def keepers(
    item: NDArray[np.int64],
    identities: NDArray[np.int64],
    starts: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    settled: int,
    numbers: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """(keeper, how) of each document, shape (n,), and (holder,) of each item, shape (items,).

    Documents are in order of preference; the first `settled` are kept whatever they are. `item`: the number of each
    document's item; `identities`, shape (n, k): numbers below `numbers`, -1 for none; the items with an edge to item i
    are `neighbours[starts[i]:starts[i + 1]]`. The keeper of a document that is kept is itself, and it was dropped by
    nothing, 0; the holder of an item is the document that is kept of it, -1 for none.

    A copy of several is dropped for the one with its item, else with an identity (in order of the columns), else for
    the most preferred one with an edge.
    """
    count = item.size
    keeper = np.empty(count, np.int64)
    how = np.zeros(count, np.uint8)
    holder = np.full(starts.size - 1, -1, np.int64)
    owner = np.full(numbers, -1, np.int64)
    for document in range(count):
        found = -1
        if document >= settled:
            own = item[document]
            if holder[own] >= 0:
                found = holder[own]
                how[document] = BY_ITEM
            else:
                for column in range(identities.shape[1]):
                    number = identities[document, column]
                    if number >= 0 and owner[number] >= 0:
                        found = owner[number]
                        how[document] = BY_IDENTITY + column
                        break
            if found < 0:
                for place in range(starts[own], starts[own + 1]):
                    other = holder[neighbours[place]]
                    if other >= 0 and (found < 0 or other < found):
                        found = other
                        how[document] = BY_EDGE
        if found >= 0:
            keeper[document] = found
            continue
        keeper[document] = document
        if holder[item[document]] < 0:
            holder[item[document]] = document
        for column in range(identities.shape[1]):
            number = identities[document, column]
            if number >= 0 and owner[number] < 0:
                owner[number] = document
    return keeper, how, holder


@kernel
def anchors(
    item: NDArray[np.int64],
    keeper: NDArray[np.int64],
    holder: NDArray[np.int64],
    starts: NDArray[np.int64],
    neighbours: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Pairs (item, item), shape (p, 2), that must be compared as well: each item with what stands for its neighbours.

    In a large bucket all items are compared with a few, its hubs. Where a hub is dropped, those that were copies of it
    were never compared with what stands for it, the hub's anchor: its keeper, or the most preferred kept neighbour. A
    hub that is kept may fall in the second round, to the anchor of a dropped neighbour; what it holds is compared with
    that one too, or it would all be released. At most one pair for each end of an edge.
    """
    anchor = np.full(holder.size, -1, np.int64)
    wanted = np.zeros(holder.size, np.bool_)
    for document in range(item.size):
        own = item[document]
        wanted[own] = True
        if holder[own] < 0 and (anchor[own] < 0 or keeper[document] < anchor[own]):
            anchor[own] = keeper[document]
    for own in range(holder.size):
        if holder[own] < 0:
            for place in range(starts[own], starts[own + 1]):
                other = holder[neighbours[place]]
                if other >= 0 and (anchor[own] < 0 or other < anchor[own]):
                    anchor[own] = other
    fallen = anchor.copy()
    for own in range(holder.size):
        if holder[own] >= 0:
            for place in range(starts[own], starts[own + 1]):
                other = anchor[neighbours[place]]
                # Of dropped neighbours only: a kept one's anchor is still -1 here.
                if 0 <= other < holder[own] and (fallen[own] < 0 or other < fallen[own]):
                    fallen[own] = other
    pairs = np.empty((neighbours.size, 2), np.int64)
    found = 0
    for own in range(holder.size):
        for place in range(starts[own], starts[own + 1] if wanted[own] else starts[own]):
            stands = fallen[neighbours[place]]
            if stands >= 0 and item[stands] != own and holder[own] != stands:
                pairs[found, 0] = own
                pairs[found, 1] = item[stands]
                found += 1
    return pairs[:found].copy()


@kernel
def foremost(
    starts: NDArray[np.int64],
    own: NDArray[np.bool_],
    verified: NDArray[np.bool_],
    settled: NDArray[np.bool_],
    identities: NDArray[np.int64],
    numbers: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(keeper, how) of each document, shape (n,), where a copy that comes before it is enough to drop a document.

    Documents lie in groups, group g in `starts[g]:starts[g + 1]`, and in order of preference within each. Only a
    group's `own` documents that are not `settled` are dropped: for one of their item, else of an identity, else for a
    `verified` visitor. `identities` as for `keepers`, other numbers in each group.
    """
    keeper = np.arange(own.size)
    how = np.zeros(own.size, np.uint8)
    owner = np.full(numbers, -1, np.int64)
    for group in range(starts.size - 1):
        first_own = -1
        first_verified = -1
        for document in range(starts[group], starts[group + 1]):
            if own[document] and not settled[document]:
                if first_own >= 0:
                    keeper[document] = first_own
                    how[document] = BY_ITEM
                for column in range(identities.shape[1]):
                    number = identities[document, column]
                    if how[document] == 0 and number >= 0 and owner[number] >= 0:
                        keeper[document] = owner[number]
                        how[document] = BY_IDENTITY + column
                if how[document] == 0 and first_verified >= 0:
                    keeper[document] = first_verified
                    how[document] = BY_EDGE
            if own[document] and first_own < 0:
                first_own = document
            if verified[document] and first_verified < 0:
                first_verified = document
            for column in range(identities.shape[1]):
                number = identities[document, column]
                if number >= 0 and owner[number] < 0:
                    owner[number] = document
    return keeper, how
