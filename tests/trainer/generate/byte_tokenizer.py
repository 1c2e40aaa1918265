"""A small byte-level tokenizer: every byte, and a few merges that end inside letters."""

from __future__ import annotations

import json
from typing import Any

from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.training import CONTROLS, SIDECAR
from lauter.trainer.generate.tokenizer import TextTokenizer, text_tokenizer

FIRST_BYTE = len(CONTROLS)
PLAIN = FIRST_BYTE + 256


def _name(data: bytes) -> str:
    return "".join(BYTE_LETTERS[byte] for byte in data)


# "漢" and "👩" begin with bytes that are one piece; "é " ends with a space.
MERGES = [(b"\xe6", b"\xbc"), (b"\xf0", b"\x9f"), (b"\xf0\x9f", b"\x91"), (b"\xc3", b"\xa9"), (b"\xc3\xa9", b" ")]


def files() -> dict[str, bytes]:
    """`tokenizer.json` and `sidecar.json`, as a corpus has them."""
    entries = {name: index for index, name in enumerate([*CONTROLS, *BYTE_LETTERS])}
    entries |= {_name(left + right): PLAIN + place for place, (left, right) in enumerate(MERGES)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    document: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "vocab": entries,
            "merges": [[_name(left), _name(right)] for left, right in MERGES],
            "ignore_merges": False,
        },
    }
    sidecar = SIDECAR.model_copy(update={"reserved": ((0, len(CONTROLS)),)})
    return {"tokenizer.json": json.dumps(document).encode(), "sidecar.json": sidecar.canonical()}


def byte_tokenizer() -> TextTokenizer:
    """The same, opened."""
    return text_tokenizer(files(), bos=1, ends=frozenset({2}))
