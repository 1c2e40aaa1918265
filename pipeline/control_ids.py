"""The control tokens of a run folder's tokenizer, as its sidecar names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.storage import Storage

SIDECAR = "tokens/tokenizer/sidecar.json"
"""`bos`, `eos`, `pad`, `unk` and `placeholders` have an `id` each; `added` maps names to ids; `reserved` are half-open
ranges of ids."""


def control_ids(storage: Storage) -> NDArray[np.uint32]:
    """Every id that is no piece of text, rising, shape (k,); none for a tokenizer without a sidecar."""
    found = set(_ids(storage.read_json(SIDECAR))) if storage.size(SIDECAR) is not None else set()
    return np.array(sorted(found), np.uint32)


def _ids(sidecar: dict[str, Any]) -> Iterator[int]:
    named = [sidecar.get(name) for name in ("bos", "eos", "pad", "unk")]
    for control in [*named, *sidecar.get("placeholders", {}).values()]:
        if control is not None:
            yield control["id"]
    yield from sidecar.get("added", {}).values()
    for first, end in sidecar.get("reserved", ()):
        yield from range(first, end)
