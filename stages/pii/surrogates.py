"""Surrogates for the documents of a batch: one value of a document has one surrogate wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lauter.stages.pii.spans import Match, StandIn
from lauter.stages.pii.surrogate import Draw, surrogate


class Surrogates:
    """Remembers the values of the documents of one batch, in memory alone and no longer than that."""

    def __init__(self, seed: int, doc_ids: Sequence[bytes]) -> None:
        self._seed = seed
        self._doc_ids = doc_ids
        self._known: list[dict[tuple[str, str], str]] = [{} for _ in doc_ids]

    def of(self, data: NDArray[np.uint8]) -> Callable[[Match], StandIn]:
        """What stands in place of the matches of a column with the bytes `data`.

        The type of its span says that it is invented (`email-surrogate`): no tokenizer makes one token of it.
        """

        def stand_in(match: Match) -> StandIn:
            text = data[match.start : match.end].tobytes().decode("utf-8", "replace")
            known = self._known[match.document]
            key = (match.type, text)
            if key not in known:
                draw = Draw(self._seed, self._doc_ids[match.document], match.type, len(known))
                known[key] = surrogate(match.type, text, draw)
            return StandIn(known[key], f"{match.type}-surrogate")

        return stand_in
