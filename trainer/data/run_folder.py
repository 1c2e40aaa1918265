"""The run folder of a corpus, opened: its index and `corpus.json`, checked against each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lauter.pipeline.storage import Storage, StorageError
from lauter.trainer.config.sections import CorpusSection
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.data.listed_path import INDEX, require_inside
from lauter.trainer.data.provenance import LOCK, provenance, root_of
from lauter.trainer.data.tokenizer import TokenizerFiles, read_tokenizer

CORPUS = "corpus.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One corpus; its shards are not looked at yet."""

    name: str
    """What its streams are prefixed with where there are several corpora."""
    storage: Storage
    index: Mapping[str, Any]
    languages: Mapping[str, int]
    """Tokens that each has, as `corpus.json` says."""
    tokenizer: TokenizerFiles
    provenance: dict[str, Any]

    @property
    def layout_id(self) -> str:
        """Of the whole corpus."""
        return str(self.index["layout_id"])


def open_run_folder(section: CorpusSection) -> RunFolder:
    """Read what describes a corpus and check that it hangs together, from `root` down to the tokenizer.

    Raises:
        DataError: every problem found; `UnfitError`: the build is not finished, or has another root than is wanted.
    """
    name = section.name or section.path.rstrip("/").rsplit("/", 1)[-1]
    try:
        storage = Storage(section.path)
        missing = _missing(storage)
    except (StorageError, OSError) as error:
        raise DataError(
            [f"{section.path}: can't be reached ({error}); check data.corpora, the network and the credentials"]
        ) from error
    # What is missing is missing for one reason, so one message is enough.
    if missing is not None:
        raise UnfitError([missing])
    try:
        if storage.size(LOCK) is None:
            raise DataError([_without_policy(storage)])
        index_bytes, corpus, lock = storage.read(INDEX), storage.read_json(CORPUS), storage.read(LOCK)
        index = json.loads(index_bytes)
        problems = [*_changed_root(storage, corpus), *_unlisted(storage, corpus, index_bytes, lock)]
        problems += _strange_paths(storage, index)
        tokenizer = _tokenizer(storage, index, problems)
        other = _other_root(storage, corpus, section.root)
        if tokenizer is None or problems:
            raise DataError([*problems, *other])
        if other:
            raise UnfitError(other)
        return RunFolder(
            name,
            storage,
            index,
            {name: one.get("tokens", 0) for name, one in corpus["summary"]["languages"].items() if name != "-"},
            tokenizer,
            provenance(name, corpus, index, lock, hashlib.sha256(index_bytes).hexdigest()),
        )
    except (StorageError, OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            [f"{storage.root}: {INDEX} or {CORPUS} can't be read ({type(error).__name__}: {error}); {_audit(storage)}"]
        ) from error


def _missing(storage: Storage) -> str | None:
    if storage.size(INDEX) is None:
        return (
            f"{storage.root}: no {INDEX}: it is no run folder of `lauter build`, or its build has not finished; "
            "run the build to its end"
        )
    if storage.size(CORPUS) is None:
        return (
            f"{storage.root}: no {CORPUS}: a build or a takedown is under way or was cut off; "
            "run `lauter build` or `lauter takedown` again, which finish it"
        )
    return None


def _without_policy(storage: Storage) -> str:
    return f"{storage.root}: no {LOCK}: its opt-out policy can't be told; copy the whole run folder, or build again"


def _changed_root(storage: Storage, corpus: Mapping[str, Any]) -> list[str]:
    found = root_of(corpus)
    if found != corpus["root"]:
        return [
            f"{storage.root}/{CORPUS} was changed: its root is {found}, and it says {corpus['root']}; {_audit(storage)}"
        ]
    return []


def _other_root(storage: Storage, corpus: Mapping[str, Any], wanted: str | None) -> list[str]:
    found = corpus["root"]
    if wanted is not None and wanted != found:
        earlier = any(entry["root"] == wanted for entry in corpus["roots"])
        why = (
            "an earlier state of this corpus, before a build or a takedown; set `root` to the present one if meant"
            if earlier
            else "another corpus; set `path` to that one, or `root` to this one's"
        )
        return [f"{storage.root}: its root is {found}, and data.corpora wants {wanted}, which is {why}"]
    return []


def _unlisted(storage: Storage, corpus: Mapping[str, Any], index: bytes, lock: bytes) -> list[str]:
    listed = {item["path"]: item["sha256"] for item in corpus["files"]["other"]}
    return [
        f"{storage.root}/{path} is not the file that {CORPUS} lists: SHA-256 {found}, not {listed.get(path)}; "
        f"{_audit(storage)}, and rebuild with `lauter build`"
        for path, content in ((INDEX, index), (LOCK, lock))
        if (found := hashlib.sha256(content).hexdigest()) != listed.get(path)
    ]


def _strange_paths(storage: Storage, index: Mapping[str, Any]) -> list[str]:
    problems = []
    for path in (shard["path"] for entry in index["streams"].values() for shard in entry["shards"]):
        try:
            require_inside(path, "tokens")
        except ValueError as error:
            problems.append(f"{storage.root}: {error}; no `lauter build` writes that: do not use this copy")
    return problems


def _tokenizer(storage: Storage, index: Mapping[str, Any], problems: list[str]) -> TokenizerFiles | None:
    try:
        return read_tokenizer(storage, index["tokenizer"])
    except (StorageError, ValueError) as error:
        problems.append(
            f"{storage.root}: its tokenizer (tokens/tokenizer/) can't be used: {error}; "
            "copy the folder again, or rebuild with `lauter build`"
        )
        return None


def _audit(storage: Storage) -> str:
    return f"run `lauter audit {storage.root}`"
