"""Step `tokenizer`: publishes what a reader of the shards needs to decode them, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lauter.pipeline.contract import Encoder, StageContext
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import opened


def run(task: Task, storage: Storage) -> Result:
    """Write the encoder's files into tokens/tokenizer/."""
    encoder: Encoder = opened(task.args["encoder"], StageContext(seed=task.args["seed"]))
    files = encoder.files()
    outputs = tuple(storage.write(f"tokens/tokenizer/{name}", files[name]) for name in sorted(files))
    return Result(outputs, {"sha256": tokenizer_digest(files)})


def tokenizer_digest(files: Mapping[str, bytes]) -> str:
    """One SHA-256 over the tokenizer and its sidecar: names and bytes, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()
