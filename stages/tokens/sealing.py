"""Makes the entries of control tokens unreachable for text, by construction and not by escaping.

A tokenizer without added tokens no longer looks for control tokens, but their names may still stand in the vocabulary
where a model finds them: a WordLevel takes a word `[SEP]` for the entry, a Unigram prefers `</s>` to three pieces.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Set
from typing import Any

# The printable bytes that stand for themselves in a byte-level vocabulary; the other 68 follow from U+0100 on, in order
# (GPT-2, A. Radford et al. 2019, `bytes_to_unicode`).
_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))


def _byte_letters() -> Iterator[str]:
    other = 0x100
    for byte in range(256):
        if byte in _PRINTABLE:
            yield chr(byte)
        else:
            yield chr(other)
            other += 1


BYTE_LETTERS = tuple(_byte_letters())
"""The letter for each byte in the vocabulary of a byte-level BPE, shape (256,)."""

_NEVER = BYTE_LETTERS[0xFF]  # the byte 0xFF stands nowhere in UTF-8 (RFC 3629, section 1)


def vocabulary(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """Name -> id of a `tokenizer.json`'s model. Of equal names in a Unigram, the last counts.

    Raises:
        KeyError, TypeError, ValueError: it has no vocabulary of a known form.
    """
    entries = tokenizer["model"]["vocab"]
    if isinstance(entries, list):
        return {str(piece): index for index, (piece, _) in enumerate(entries)}
    return {str(name): int(index) for name, index in entries.items()}


def is_byte_level(tokenizer: Mapping[str, Any]) -> bool:
    """Whether a tokenizer is a BPE that sees letters for bytes, and has all 256."""
    model = tokenizer["model"]
    parts = tokenizer.get("pre_tokenizer") or {}
    kinds = {part["type"] for part in (parts, *parts.get("pretokenizers", ())) if part}
    return _kind(model) == "BPE" and "ByteLevel" in kinds and all(letter in model["vocab"] for letter in BYTE_LETTERS)


def seal(tokenizer: Mapping[str, Any], reserved: Set[int]) -> dict[str, Any]:
    """The same tokenizer, but its model can't yield the ids `reserved`, whatever the text.

    In a byte-level BPE their entries are renamed to hold the byte 0xFF, which no text has, so the vocabulary keeps its
    shape; other BPE, WordPiece and WordLevel models lose the entries; a Unigram's become empty, which match nothing.
    The unknown token of a model that needs one is still yielded, for what the vocabulary lacks.

    Raises:
        ValueError: a reserved token takes part in a merge, or is one byte: sealed, ordinary text would change.
    """
    model = tokenizer["model"]
    entries = model["vocab"]
    if isinstance(entries, list):
        pieces = [["", score] if index in reserved else [piece, score] for index, (piece, score) in enumerate(entries)]
        return {**tokenizer, "model": {**model, "vocab": pieces}}
    closed = {name: index for name, index in entries.items() if index in reserved}
    for name in _merged(model, closed) or (closed.keys() & set(BYTE_LETTERS) if is_byte_level(tokenizer) else ()):
        raise ValueError(f"{name!r} is an ordinary piece of text: it can't be a control token")
    unknown = model.get("unk_token")
    if is_byte_level(tokenizer):
        # With all 256 bytes there is nothing unknown.
        renamed = {name: _never(index, entries) for name, index in closed.items()}
        kept = {renamed.get(name, name): index for name, index in entries.items()}
        return {**tokenizer, "model": {**model, "vocab": kept, "unk_token": None}}
    kept = {name: index for name, index in entries.items() if name not in closed or name == unknown}
    return {**tokenizer, "model": {**model, "vocab": kept}}


def _kind(model: Mapping[str, Any]) -> str:
    # Files older than the field: only a BPE has merges.
    return str(model.get("type") or ("BPE" if "merges" in model else ""))


def _merged(model: Mapping[str, Any], names: Container[str]) -> list[str]:
    # Those of the names that take part in a merge.
    prefix = len(model.get("continuing_subword_prefix") or "")
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model.get("merges", ()))
    return [name for left, right in pairs for name in (left, right, left + right[prefix:]) if name in names]


def _never(index: int, entries: Mapping[str, Any]) -> str:
    name = f"{_NEVER}{index}"
    while name in entries:
        name = _NEVER + name
    return name
