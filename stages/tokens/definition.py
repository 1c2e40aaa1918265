"""What a tokenizer is: a canonical `tokenizer.json` without added tokens, and its sidecar. One digest covers both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lauter.stages.tokens.sealing import is_byte_level, seal, vocabulary
from lauter.stages.tokens.sidecar import Control, Sidecar, ranges


@dataclass(frozen=True, slots=True)
class Definition:
    """A tokenizer as it is used and as it is published."""

    tokenizer: bytes
    """Canonical `tokenizer.json`: no added tokens, no template, no truncation, no padding."""
    sidecar: Sidecar
    sealed: str
    """JSON for the encoding engine: as `tokenizer`, but no text reaches a control token's entry."""
    byte_level: bool
    """Whether it is a BPE over bytes: then every text decodes to itself, if nothing normalises it."""

    def files(self) -> dict[str, bytes]:
        """`tokenizer.json` and `sidecar.json`, canonical. Loaded again, they give the same definition."""
        return {"tokenizer.json": self.tokenizer, "sidecar.json": self.sidecar.canonical()}


def canonical_json(value: object) -> bytes:
    """JSON as UTF-8 bytes with sorted keys and without spaces: equal content has equal bytes.

    Raises:
        ValueError: a string holds half of a surrogate pair.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def tokenizer_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 (hexadecimal) over names and bytes of a tokenizer's files, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def load_definition(tokenizer: Path, sidecar: Path | None, *, bos: str | None, eos: str | None) -> Definition:
    """Read a tokenizer from `tokenizer.json` and its sidecar.

    Without a sidecar, one is made of the names `bos` and `eos`. The file's added tokens lose their matching: special
    ones, and those outside the vocabulary, become control tokens of the sidecar; others stay ordinary entries.

    Raises:
        ValueError: a file is not readable as what it should be, a control token is not in the tokenizer, or it is part
            of a merge (an ordinary piece of text).
    """
    given = _read_sidecar(sidecar.read_bytes(), str(sidecar)) if sidecar else None
    return _define(tokenizer.read_bytes(), given, str(tokenizer), bos, eos)


def definition_of(files: Mapping[str, bytes], name: str) -> Definition:
    """The tokenizer of two files, `tokenizer.json` and `sidecar.json`; `name` is what errors call it.

    Raises:
        ValueError: see `load_definition`.
    """
    return _define(files["tokenizer.json"], _read_sidecar(files["sidecar.json"], name), name, None, None)


def _define(content: bytes, sidecar: Sidecar | None, tokenizer: str, bos: str | None, eos: str | None) -> Definition:
    try:
        document = json.loads(content)
        entries = vocabulary(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{tokenizer}: not a Hugging Face tokenizer.json ({type(error).__name__})") from error
    names = _added(document)
    given = sidecar or _made_sidecar({**entries, **names}, tokenizer, bos, eos)
    control = {name: index for name, index in names.items() if name not in entries or _is_special(document, name)}
    known = {**entries, **control}
    for part, token in given.controls().items():
        if given.added.get(token.token, known.get(token.token, token.id)) != token.id:
            raise ValueError(f"{part}: {token.token!r} has id {known.get(token.token)} in {tokenizer}, not {token.id}")
        if token.id not in known.values() and token.id not in given.added.values():
            raise ValueError(f"{part}: {tokenizer} has no id {token.id}")
    reserved = given.ids() | set(control.values())
    outside = {name: index for name, index in control.items() if name not in entries}
    full = given.model_copy(update={"added": {**given.added, **outside}, "reserved": ranges(reserved)})
    plain = {**document, "added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    sealed = seal(plain, reserved)
    return Definition(canonical_json(plain), full, canonical_json(sealed).decode(), is_byte_level(plain))


def _added(document: Mapping[str, Any]) -> dict[str, int]:
    return {str(token["content"]): int(token["id"]) for token in document.get("added_tokens") or ()}


def _is_special(document: Mapping[str, Any], name: str) -> bool:
    return any(token["content"] == name and token.get("special") for token in document["added_tokens"])


def _read_sidecar(content: bytes, name: str) -> Sidecar:
    try:
        return Sidecar.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(f"{name}: not a tokenizer's sidecar: {error}") from error


def _made_sidecar(known: Mapping[str, int], tokenizer: str, bos: str | None, eos: str | None) -> Sidecar:
    if bos is None or eos is None:
        raise ValueError(f"{tokenizer}: name its tokens `bos` and `eos`, or a `sidecar`")
    for name in (bos, eos):
        if name not in known:
            raise ValueError(f"{tokenizer} has no token {name!r}")
    return Sidecar(bos=Control(id=known[bos], token=bos), eos=Control(id=known[eos], token=eos))
