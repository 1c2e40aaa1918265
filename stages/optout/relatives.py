"""Other names of an origin that the snapshot lacks (http and https, with and without `www.`): any of them may deny."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.origin import origin_id, relatives
from lauter.stages.optout.findings import Findings
from lauter.stages.optout.index.origins import OUTCOMES, OriginIndex
from lauter.stages.optout.index.urls import Places
from lauter.stages.optout.policy import Policy

_MISSING = OUTCOMES.index("missing")


class Relatives:
    """Asks an index, under one policy, about pages of origins of which it has no robots.txt."""

    def __init__(self, index: OriginIndex, policy: Policy) -> None:
        self._index, self._policy = index, policy

    def missing(self, places: Places, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The pages whose own origin has no robots.txt in the row of the same place (-1: no row)."""
        return np.flatnonzero(places.known & ((rows < 0) | (self._index.outcomes(rows) == _MISSING)))

    def ask(
        self,
        found: Findings,
        places: Places,
        pages: NDArray[np.int64],
        skip_tdm: NDArray[np.bool_] | None,
        times: NDArray[np.int64] | None = None,
    ) -> None:
        """Ask all other names of the origins of `pages`, the most alike first; the first that denies is the evidence.

        A relative that permits ends nothing: it is no answer of the page's own origin, and the next one may deny.
        `times` (seconds since 1970, one a page of the batch): by what stood then.
        """
        _, first, owner = np.unique(places.origin_id[pages], return_index=True, return_inverse=True)
        names = [places.origin(int(page)) for page in pages[first]]
        kinds = {"scheme": self._policy.scheme_fallback, "www": self._policy.www_fallback}
        others = [relatives(name, **kinds) for name in names]
        for rank in range(max(map(len, others), default=0)):
            some = np.array([len(one) > rank for one in others], np.bool_)[owner]
            asking = pages[some]
            asked = [others[i][rank] for i in owner[some].tolist()]
            rows = np.full(len(places), -1, np.int64)
            rows[asking] = self._index.find(asked) if times is None else self._index.find_at(asked, times[asking])
            asking = asking[rows[asking] >= 0]
            ids, via = places.origin_id.copy(), np.full(len(places), None, object)
            for page, i in zip(pages[some].tolist(), owner[some].tolist(), strict=True):
                if rows[page] >= 0:
                    ids[page], via[page] = origin_id(others[i][rank]), _difference(names[i], others[i][rank])
            found.by_relative(asking, rows, skip_tdm, ids=ids, via=via)


def _difference(origin: str, other: str) -> str:
    """How another name of an origin differs from it."""
    scheme = ["scheme"] if origin.partition(":")[0] != other.partition(":")[0] else []
    www = ["www"] if origin.partition("://")[2] != other.partition("://")[2] else []
    return "+".join(scheme + www)
