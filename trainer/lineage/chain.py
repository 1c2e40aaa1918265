"""Walks back from a model: what each checkpoint began from and what it read, down to the roots of the corpora.

A checkpoint names its parents by digest: the checkpoint that its run began from (with that one's own parent, and so
on), and the roots of the corpora that it read. So the chain is known where the older files are gone; where they are
still there, each is compared with its digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from lauter.trainer.checkpoint.inventory import digest_of
from lauter.trainer.checkpoint.layout import FILES, META
from lauter.trainer.checkpoint.meta import read_meta
from lauter.trainer.checkpoint.read import resolve
from lauter.trainer.huggingface.origin import ORIGIN
from lauter.trainer.lineage.artefact import Artefact, State


def lineage(path: Path) -> Artefact:
    """The artefact at a run's folder, a checkpoint or an exported model, with all that it was made of.

    Raises:
        NoCheckpoint: there is none of these.
        CheckpointError: its meta can't be read.
        ValueError: the export's `lauter.json` is no JSON, or of a version that did not name its checkpoint.
    """
    if (path / ORIGIN).is_file():
        return _export(path)
    folder = resolve(path)
    return _checkpoint(read_meta(folder), name=_name(folder), digest=digest_of(folder), where=folder)


def _export(folder: Path) -> Artefact:
    content = (folder / ORIGIN).read_bytes()
    try:
        said = json.loads(content)
        checkpoint = said["checkpoint"]
        name, digest = str(checkpoint["name"]), str(checkpoint["files_sha256"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{folder / ORIGIN} does not name the checkpoint it was made of ({error!r}); export it anew"
        ) from error
    parent = _checkpoint(said, name=name, digest=digest, where=None, published=True)
    return Artefact("export", folder.name, hashlib.sha256(content).hexdigest(), str(folder), "holds", "", (parent,))


def _checkpoint(
    meta: Mapping[str, Any], *, name: str, digest: str, where: Path | None, published: bool = False
) -> Artefact:
    """From the meta of a checkpoint, or what a later one keeps of it.

    `published`: it came with an export, and of each path only the last part: what is called so here is another thing.
    """
    progress = meta.get("progress") or {}
    said = f"{progress['tokens']:,} tokens" if "tokens" in progress else ""
    places = {} if published else _corpora(meta.get("config"))
    parents = [
        _preferences(one, places.get(one["name"])) if "reference" in one else _corpus(one, places.get(one["name"]))
        for one in _provenance(meta.get("data"))
    ]
    parent = meta.get("parent")
    if parent is not None:
        parents.append(_before(parent, published=published))
    return Artefact("checkpoint", name, digest, _words(where), _state(where, digest), said, tuple(parents))


def _before(parent: Mapping[str, Any], *, published: bool) -> Artefact:
    """What a run began from: a checkpoint, or a model that was imported."""
    if "files_sha256" not in parent:
        digest = hashlib.sha256(json.dumps(parent.get("files"), sort_keys=True).encode()).hexdigest()
        return Artefact("export", str(parent.get("name")), digest, None, "not here", f"imported, {parent.get('form')}")
    start, name = Path(parent["from"]), str(parent["checkpoint"])
    places = () if published else (start, start / "checkpoints" / name, start / name)
    folder = next((one for one in places if one.name == name and (one / FILES).is_file()), None)
    run = start.parent.parent.name if start.name == name else start.name
    # Its own meta tells more than what was kept of it, as long as it is the same checkpoint.
    same = folder is not None and (folder / META).is_file() and digest_of(folder) == parent["files_sha256"]
    meta = read_meta(folder) if folder is not None and same else parent
    called = f"{run}/{name}" if run else name
    return _checkpoint(meta, name=called, digest=parent["files_sha256"], where=folder, published=published)


def _corpus(provenance: Mapping[str, Any], place: str | None) -> Artefact:
    """A corpus holds where its root, or one of its earlier ones, is the one that was read."""
    root, folder = str(provenance["root"]), None if place is None else Path(place)
    state: State = "not here"
    if folder is not None and (folder / "corpus.json").is_file():
        state = "holds" if root in _roots(folder / "corpus.json") else "differs"
    takedown = (provenance.get("takedown") or {}).get("demands", 0)
    said = f"{sum(provenance['tokens'].values()):,} tokens, {takedown} demands for removal"
    return Artefact("corpus", str(provenance["corpus"]), root, place, state, said)


def _preferences(provenance: Mapping[str, Any], place: str | None) -> Artefact:
    """Pairs of completions hold where their index is the one that was read; `root` is its digest."""
    root, state = str(provenance["root"]), "not here"
    index = None if place is None else Path(place) / "preferences.json"
    if index is not None and index.is_file():
        state = "holds" if hashlib.sha256(index.read_bytes()).hexdigest() == root else "differs"
    counts, reward = provenance["counts"], ", ".join(map(str, provenance["reward"]))
    said = f"{counts['pairs']:,} pairs of {counts['prompts']:,} prompts, rewards by {reward.partition(',')[0]}"
    return Artefact("preferences", "preferences", root, place, cast(State, state), said)


def _roots(index: Path) -> Sequence[str]:
    """Of a corpus now and in its earlier states; none where the index is broken, which then is another one."""
    try:
        corpus = json.loads(index.read_bytes())
        return [str(one["root"]) for one in (corpus, *corpus.get("roots", ()))]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _provenance(data: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Of every state of every corpus that was read, once."""
    if data is None:
        return []
    every = [one for part in data.get("history", ()) for one in part["provenance"]] or data.get("provenance", [])
    return list({one["root"]: one for one in every}.values())


def _corpora(config: Mapping[str, Any] | None) -> dict[str, str]:
    """Where each corpus lay, by name."""
    listed = ((config or {}).get("data") or {}).get("corpora", ())
    preferences = ((config or {}).get("preference") or {}).get("data")
    found = {one.get("name") or Path(one["path"]).name: one["path"] for one in listed}
    return found | ({} if preferences is None else {"preferences": preferences})


def _state(folder: Path | None, digest: str) -> State:
    if folder is None or not (folder / FILES).is_file():
        return "not here"
    return "holds" if digest_of(folder) == digest else "differs"


def _name(folder: Path) -> str:
    return f"{folder.absolute().parent.parent.name}/{folder.name}"


def _words(where: Path | None) -> str | None:
    return None if where is None else str(where)
