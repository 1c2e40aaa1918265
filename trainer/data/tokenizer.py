"""The tokenizer that a corpus was made with: its files, its digest, and the ids that the trainer needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lauter.pipeline.storage import Storage
from lauter.trainer.data.listed_path import INDEX, require_inside

FOLDER = "tokens/tokenizer"


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """`tokenizer.json`, `sidecar.json`, and what they say."""

    digest: str
    """SHA-256 over names and contents of the files, as the shards carry it."""
    ids: int
    """The largest id of vocabulary and control tokens, plus 1."""
    bos: int
    eos: int
    pad: int | None
    folder: Path
    """Where they lie; no local folder where the corpus is on S3."""
    files: Mapping[str, bytes]

    @property
    def padding(self) -> int:
        """The id that fills up: `pad`, or `eos` where there is none, as a takedown has it."""
        return self.eos if self.pad is None else self.pad


def read_tokenizer(storage: Storage, listed: Mapping[str, Any]) -> TokenizerFiles:
    """Read and check the files that `tokenizer` of `tokens/index.json` lists.

    Raises:
        StorageError: a file is missing.
        ValueError: the files are not those that were published, lie elsewhere, or can't be read as a tokenizer and
            its sidecar.
    """
    files = {_name(item["path"]): storage.read(item["path"]) for item in listed["files"]}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    if digest.hexdigest() != listed["sha256"]:
        raise ValueError(f"its digest is {digest.hexdigest()}, and the index says {listed['sha256']}")
    if not {"tokenizer.json", "sidecar.json"} <= files.keys():
        raise ValueError("it has no tokenizer.json with a sidecar.json that names BOS and EOS")
    try:
        sidecar = json.loads(files["sidecar.json"])
        controls = [sidecar[name]["id"] for name in ("bos", "eos", "pad", "unk") if sidecar.get(name) is not None]
        controls += [control["id"] for control in sidecar.get("placeholders", {}).values()]
        controls += sidecar.get("added", {}).values()
        vocabulary = json.loads(files["tokenizer.json"])["model"]["vocab"]
        # A Unigram's vocabulary is a list in order of id.
        ids = [len(vocabulary) - 1] if isinstance(vocabulary, list) else list(vocabulary.values())
        return TokenizerFiles(
            listed["sha256"],
            max([*ids, *controls]) + 1,
            sidecar["bos"]["id"],
            sidecar["eos"]["id"],
            sidecar["pad"]["id"] if sidecar.get("pad") is not None else None,
            Path(storage.root) / FOLDER,
            files,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"it can't be read as a tokenizer.json and its sidecar ({type(error).__name__})") from error


def _name(path: str) -> str:
    # They go into every checkpoint: another path would take a file of this machine along.
    require_inside(path, FOLDER)
    name = path.removeprefix(f"{FOLDER}/")
    if "/" in name:
        raise ValueError(f"{INDEX} lists {path!r}, which lies deeper than {FOLDER}/")
    return name
