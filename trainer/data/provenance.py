"""Where a corpus comes from, in a form that goes into every checkpoint and model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml

LOCK = "manifest.lock.yaml"

# libyaml is ten times as fast, and a lock file has a line or more for every input.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_FILES = ("snapshot", "policy_file", "agents_file", "hosts_file")


def root_of(corpus: Mapping[str, Any]) -> str:
    """A corpus's root, computed anew: SHA-256(0x02 || ledger root || SHA-256(corpus.json without `root`)), hex.

    The JSON is canonical (keys sorted, no white space, ASCII only). The root binds the digest of the token index, and
    that those of the shards.
    """
    rest = {name: value for name, value in corpus.items() if name != "root"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).digest()
    return hashlib.sha256(b"\x02" + bytes.fromhex(corpus["ledger_root"]) + digest).hexdigest()


def provenance(
    name: str, corpus: Mapping[str, Any], index: Mapping[str, Any], lock: bytes, index_sha256: str
) -> dict[str, Any]:
    """What a checkpoint says of one corpus, as JSON. No path of a machine is in it.

    `optout` is None where the corpus was built without the stage: nobody was asked.
    """
    manifest = yaml.load(lock, Loader=_Loader)
    stages = {stage: spec for item in manifest["stages"] for stage, spec in item.items()}
    return {
        "name": name,
        "corpus": corpus["name"],
        "layout_id": index["layout_id"],
        "root": corpus["root"],
        "ledger_root": corpus["ledger_root"],
        "lineage": corpus["lineage"],
        "lauter": corpus["lauter"],
        "optout": _policy(stages["optout"]) if "optout" in stages else None,
        "takedown": corpus["takedown"],
        "index_sha256": index_sha256,
        "tokenizer": index["tokenizer"]["sha256"],
        "tokens": {stream: entry["tokens"] for stream, entry in sorted(index["streams"].items())},
    }


def _policy(spec: Mapping[str, Any]) -> dict[str, Any]:
    # Snapshots and lists are told by name and digest under `inputs`.
    config = {key: value for key, value in spec["config"].items() if key not in _FILES and value not in (None, [], {})}
    return {"version": spec["version"], "settings": config, "inputs": spec["inputs"], "data": spec["data"]}
