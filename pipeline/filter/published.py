"""The list as it is published: JSON with the salt and the sorted hashes, and nothing of any text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.filter.grams import HASH_BYTES
from lauter.pipeline.filter.units import GRAM_WEIGHT, LONGEST_GAP, LONGEST_WORD, WORD_WEIGHT

FORMAT = "lauter-output-filter/1"
SALT_BYTES = 32
RULES = {
    "normalisation": "NFKC, case folding, without format characters",
    "unit": "a run of letters, marks and digits; in scripts without spaces each character with its marks",
    "word_weight": WORD_WEIGHT,
    "gram_weight": GRAM_WEIGHT,
    "longest_word": LONGEST_WORD,
    "longest_gap": LONGEST_GAP,
    "hash": "BLAKE2b of 8 bytes, keyed with the salt, over the units joined by single spaces as UTF-8",
}
"""How text becomes hashes, for who writes another matcher."""


class FilterBroken(ValueError):
    """The bytes are no list of this format; the message says why."""


@dataclass(frozen=True, slots=True)
class FilterList:
    """A list, ready to be looked up."""

    salt: bytes
    hashes: NDArray[np.uint64]
    """Sorted, each once, shape (n,)."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "format": FORMAT,
            **RULES,
            "unicode": unicodedata.unidata_version,
            "salt": self.salt.hex(),
            "count": len(self.hashes),
            "hashes": base64.b64encode(self.hashes.astype(">u8").tobytes()).decode(),
        }

    def as_set(self) -> frozenset[bytes]:
        """The hashes as `gram_hash` gives them."""
        raw = self.hashes.astype(">u8").tobytes()
        return frozenset(raw[place : place + HASH_BYTES] for place in range(0, len(raw), HASH_BYTES))

    def joined(self, more: NDArray[np.uint64]) -> FilterList:
        """The list with further hashes."""
        return FilterList(self.salt, np.union1d(self.hashes, more))


def salt_for(lineage: str) -> bytes:
    """The salt of a corpus's list: SHA-256 of its lineage when the list began. Two corpora share no hash.

    It is public like the list; what it prevents is that one table of hashes, made once, serves against every list.
    """
    return hashlib.sha256(b"lauter output filter\0" + lineage.encode()).digest()


def parse(data: bytes) -> FilterList:
    """Read a list; raises `FilterBroken`."""
    try:
        content = json.loads(data)
        if content["format"] != FORMAT or any(content[name] != value for name, value in RULES.items()):
            raise FilterBroken(f"is not of the format {FORMAT}, or was made by other rules than this version's")
        raw = base64.b64decode(content["hashes"], validate=True)
        if len(raw) != HASH_BYTES * content["count"]:
            raise FilterBroken("has not as many hashes as it says")
        salt = bytes.fromhex(content["salt"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        if isinstance(error, FilterBroken):
            raise
        raise FilterBroken(f"is no output filter: {error!r}") from error
    if len(salt) != SALT_BYTES:
        raise FilterBroken(f"its salt has not {SALT_BYTES} bytes")
    return FilterList(salt, np.unique(np.frombuffer(raw, ">u8").astype(np.uint64)))
