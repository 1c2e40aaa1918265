"""`preferences.json`: what preference data were made of and with, and which pairs there are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lauter.pipeline.storage import Storage, StorageError, digest_file
from lauter.trainer.checkpoint.inventory import digest_of
from lauter.trainer.checkpoint.read import Checkpoint
from lauter.trainer.config.preference import PreferenceSection, RewardSection
from lauter.trainer.data.errors import DataError, UnfitError
from lauter.trainer.data.tokenizer import TokenizerFiles
from lauter.trainer.preference.folder import FORMAT, INDEX, MAKING, TOKENIZER, block_path

_OF_TRAINING = ("data", "beta", "normalised", "largest_beta")
# Keys of the section that no file of the folder depends on: several runs may learn from the same data.


def making_of(
    section: PreferenceSection, seed: int, longest: int, checkpoint: Checkpoint, tokenizer: Mapping[str, bytes]
) -> dict[str, Any]:
    """Everything that decides what is in the folder, as JSON, without a path of this machine.

    Raises:
        UnfitError: a file that the section names can't be read.
    """
    said = checkpoint.meta["tokenizer"]
    settings = section.model_dump(mode="json", exclude={*_OF_TRAINING, "prompts", "reward"})
    endpoint = section.references.endpoint
    # Where a server is may change while the data are made, but not what it serves.
    settings["references"]["endpoint"] = None if endpoint is None else {"model": endpoint.model}
    return {
        "format": FORMAT,
        "seed": seed,
        "longest": longest,
        "settings": settings,
        "reference": {"checkpoint": checkpoint.path.name, "files_sha256": digest_of(checkpoint.path)},
        "prompts": [{"name": Path(path).name, "sha256": _digest(path)} for path in section.prompts],
        "reward": _reward(section.reward),
        "tokenizer": {
            "sha256": said.get("digest") or _together(tokenizer),
            "ids": said["ids"],
            "bos": said["bos"],
            "eos": said["eos"],
            "pad": said.get("pad"),
        },
    }


def begin_making(storage: Storage, making: Mapping[str, Any], tokenizer: Mapping[str, bytes]) -> None:
    """Write down what is made here, or check that it is what is going on here already. By one process alone.

    Raises:
        UnfitError: the folder holds data that were made of or with something else.
    """
    if storage.size(MAKING) is not None:
        before = storage.read_json(MAKING)
        differing = [key for key in making if before.get(key) != making[key]]
        if differing:
            raise UnfitError(
                [
                    f"{storage.root} holds preference data of another making; {', '.join(differing)} differ: name "
                    "another folder (preference.data), or put these back"
                ]
            )
        return
    for name, data in sorted(tokenizer.items()):
        storage.write(f"{TOKENIZER}/{name}", data)
    storage.write_json(MAKING, dict(making))


def finish_making(storage: Storage, making: Mapping[str, Any], blocks: int, counts: Mapping[str, int]) -> None:
    """Publish the index, with the digests of all files."""
    files = {}
    for kind in ("completions", "rewards", "pairs"):
        for block in range(blocks):
            path = block_path(kind, block)
            files[path] = digest_file(Path(storage.absolute(path)))
    pairs = hashlib.sha256("".join(digest for path, digest in files.items() if path.startswith("pairs")).encode())
    storage.write_json(
        INDEX,
        {
            **making,
            "lauter": version("lauter"),
            "blocks": blocks,
            "counts": dict(counts),
            "identity": pairs.hexdigest(),
            "files": files,
        },
    )


def read_index(storage: Storage) -> dict[str, Any]:
    """The index, its pairs compared with their digests: what is learnt from is what was chosen.

    Raises:
        UnfitError: there is none. `DataError`: it, or a file of pairs, is missing or damaged.
    """
    if storage.size(INDEX) is None:
        raise UnfitError([f"{storage.root} holds no finished preference data: it has no {INDEX}"])
    try:
        index: dict[str, Any] = storage.read_json(INDEX)
        pairs = {path: digest for path, digest in index["files"].items() if path.startswith("pairs")}
        missing = [path for path in pairs if storage.size(path) is None]
        damaged = [
            path
            for path, digest in pairs.items()
            if path not in missing and digest_file(Path(storage.absolute(path))) != digest
        ]
    except (StorageError, ValueError, KeyError, TypeError) as error:
        raise DataError([f"{storage.root}/{INDEX}: can't be read ({error})"]) from error
    if missing:
        raise DataError(
            [f"{storage.root}/{path}: is missing; make the data anew in another folder" for path in missing]
        )
    if damaged:
        raise DataError(
            [
                f"{storage.root}/{path}: has other bytes than {INDEX} says; put it back, or make the data anew in "
                "another folder"
                for path in damaged
            ]
        )
    return index


def provenance_of(storage: Storage, index: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of the data that it learnt from; `root` is the digest of the index."""
    kept = ("reference", "prompts", "reward", "settings", "counts", "identity", "tokenizer", "lauter")
    return {
        "name": "preferences",
        "corpus": "preferences",
        "root": hashlib.sha256(storage.read(INDEX)).hexdigest(),
        "takedown": None,
        "tokens": {"pairs": index["counts"]["pair_tokens"]},
        **{key: index[key] for key in kept},
    }


def tokenizer_of_index(storage: Storage, index: Mapping[str, Any]) -> TokenizerFiles:
    """The reference model's tokenizer. Raises `DataError` where a file is missing."""
    try:
        files = {Path(path).name: storage.read(path) for path in sorted(storage.list(TOKENIZER))}
    except StorageError as error:
        raise DataError([f"{storage.root}/{TOKENIZER}: {error}"]) from error
    said = index["tokenizer"]
    return TokenizerFiles(
        said["sha256"], said["ids"], said["bos"], said["eos"], said["pad"], Path(storage.root) / TOKENIZER, files
    )


def _reward(section: RewardSection) -> dict[str, Any]:
    if section.function is not None:
        place, _, name = section.function.rpartition(":")
        if place.endswith(".py"):
            return {"function": f"{Path(place).name}:{name}", "sha256": _digest(place)}
        return {"function": section.function}
    if section.model is not None:
        folder = Path(section.model)
        # The tokenizer decides what the model is shown, as much as the weights what it makes of it.
        files = [*sorted(path.name for path in folder.glob("*.safetensors")), "config.json", "tokenizer.json"]
        return {"model": folder.name, "files": {name: _digest(str(folder / name)) for name in files}}
    assert section.judge is not None
    judge = section.judge
    said = judge.model_dump(mode="json", exclude={"charter", "endpoint"})
    return {"judge": {**said, "model": judge.endpoint.model, "charter_sha256": _digest(judge.charter)}}


def _digest(path: str) -> str:
    try:
        return digest_file(Path(path))
    except OSError as error:
        raise UnfitError([f"{path}: can't be read ({error.strerror}); check the section `preference`"]) from error


def _together(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()
