"""The tokenizer of a checkpoint: texts to ids for prompts, ids to bytes for what the model says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lauter.chat.control import ASSISTANT_END, NAMES, TOOLS_SUFFIX

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TokenizerError(ValueError):
    """A tokenizer cannot be read, or cannot take a text; the message says why."""


@dataclass(frozen=True, slots=True)
class TextTokenizer:
    """What generation needs of a tokenizer."""

    engine: Tokenizer
    bos: int | None
    """Comes before every text."""
    ends: frozenset[int]
    """Ids that end a text."""
    controls: frozenset[int]
    """Ids that no text yields."""
    shown: Mapping[int, str]
    """Control tokens that are seen in a text: placeholders of removed personal data, by their names."""
    pieces: Mapping[int, bytes] | None
    """Id -> bytes, for a vocabulary over bytes; None for any other."""
    literal: Tokenizer
    """The same engine, to which a control token's name is a text like any other."""
    chat: Mapping[str, int]
    """Control tokens of the chat format, name -> id; none where one is missing."""

    def encode(self, text: str) -> list[int]:
        """BOS and the text's ids.

        Raises:
            TokenizerError: the text is no Unicode, or a part of it would become a control token.
        """
        ids = self._ids(self.engine, text)
        return ids if self.bos is None else [self.bos, *ids]

    def plain(self, text: str) -> list[int]:
        """The ids of a text within a conversation: without BOS, and what spells a control token is text.

        Raises:
            TokenizerError: the text is no Unicode, or the vocabulary has no other piece for a part of it.
        """
        return self._ids(self.literal, text)

    def _ids(self, engine: Tokenizer, text: str) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            # What a shell hands over that is no UTF-8 comes as lone surrogates.
            raise TokenizerError(
                f"{text!r}: is no valid UTF-8 at character {error.start}; give the text as UTF-8"
            ) from error
        ids: list[int] = engine.encode(text, add_special_tokens=False).ids
        for index in ids:
            if index in self.controls:
                raise TokenizerError(
                    f"{text!r}: the tokenizer makes the control token {self.engine.id_to_token(index)!r} of a part of "
                    "it, which the text of a document never becomes; leave that part out"
                )
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of ids that are no control tokens, in one go."""
        if self.pieces is None:
            return str(self.engine.decode(ids, skip_special_tokens=False))
        return b"".join(self.pieces.get(index, b"") for index in ids).decode("utf-8", "replace")

    def seen(self, ids: list[int]) -> str:
        """The text of ids as a reader sees it: of control tokens only the placeholders, as `Detokenizer` gives it."""
        return self.decode([index for index in ids if index not in self.controls or index in self.shown])


def text_tokenizer(files: Mapping[str, bytes], *, bos: int | None, ends: frozenset[int]) -> TextTokenizer:
    """A tokenizer from its files: `tokenizer.json`, and `sidecar.json` where it comes from a corpus.

    Without a sidecar it is a Hugging Face folder's own; control tokens are then its special added tokens. Where it has
    the tokens of a chat, the end of the assistant's turn and of a tool call end a text too.

    Raises:
        TokenizerError: there is no `tokenizer.json`, or a file is broken.
    """
    from tokenizers import Tokenizer

    if "tokenizer.json" not in files:
        raise TokenizerError("there is no tokenizer.json: texts can't become tokens; import the model with it")
    try:
        document = json.loads(files["tokenizer.json"])
        sidecar = json.loads(files.get("sidecar.json", b"{}"))
        engine = Tokenizer.from_str(files["tokenizer.json"].decode())
        pieces = _pieces(document)
        controls = {token["id"] for token in document.get("added_tokens") or () if token.get("special")}
        controls |= {index for first, end in sidecar.get("reserved", ()) for index in range(first, end)}
        controls |= set(sidecar.get("added", {}).values())
        named = {str(token["content"]): int(token["id"]) for token in document.get("added_tokens") or ()}
        named |= sidecar.get("added", {})
        chat = {name: named[name] for name in NAMES} if named.keys() >= set(NAMES) else {}
        literal = Tokenizer.from_str(files["tokenizer.json"].decode()) if document.get("added_tokens") else engine
        literal.encode_special_tokens = True
        shown = {token["id"]: token["token"] for token in sidecar.get("placeholders", {}).values()}
        unknown = {sidecar["unk"]["id"]} if sidecar.get("unk") and pieces is None else set()
        # A folder may hold them as added tokens that are not special: no text becomes one of these either.
        controls |= set(chat.values())
    except Exception as error:  # The library raises no narrower class.
        raise TokenizerError(f"tokenizer.json or sidecar.json is broken: {error}") from error
    # Text yields the unknown token of a vocabulary that lacks something; one with all bytes lacks nothing.
    ends |= {chat[name] for name in (ASSISTANT_END, TOOLS_SUFFIX) if chat}
    return TextTokenizer(engine, bos, ends, frozenset(controls - unknown), shown, pieces, literal, chat)


def _pieces(document: Mapping[str, Any]) -> dict[int, bytes] | None:
    entries, decoder = document["model"]["vocab"], document.get("decoder") or {}
    letters = _letters()
    if decoder.get("type") != "ByteLevel" or any(letter not in entries for letter in letters):
        return None
    found = {
        index: bytes(letters[letter] for letter in name)
        for name, index in entries.items()
        if all(letter in letters for letter in name)
    }
    return found | {token["id"]: token["content"].encode() for token in document.get("added_tokens") or ()}


def _letters() -> dict[str, int]:
    """Letter -> byte of a byte-level vocabulary.

    Printable bytes stand for themselves, the other 68 are U+0100 and up in order (GPT-2, Radford et al. 2019).
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    other = iter(range(0x100, 0x200))
    return {chr(byte if byte in printable else next(other)): byte for byte in range(256)}
