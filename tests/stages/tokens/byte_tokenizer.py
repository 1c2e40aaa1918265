"""A tokenizer whose ids are bytes, with the control tokens of a chat: it loads at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.training import CONTROLS, SIDECAR


def write_byte_tokenizer(folder: Path) -> dict[str, str]:
    """Write `tokenizer.json` and `sidecar.json`; the `tokenizer` section of a manifest that takes them."""
    names = (*CONTROLS, *BYTE_LETTERS)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    document: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {name: index for index, name in enumerate(names)}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(document))
    (folder / "sidecar.json").write_bytes(SIDECAR.canonical())
    return {"tokenizer": str(folder / "tokenizer.json"), "sidecar": str(folder / "sidecar.json")}
