"""The corpus's tokenizer in the form that transformers reads, and whether two tokenizers mean the same by their ids.

A corpus keeps control tokens out of `tokenizer.json`, so that no page can write one, and names them in a sidecar. Here
they become special added tokens again, and a template puts BOS before the text, as before every document of the
corpus. With them, a text that spells `</s>` becomes the control token, as in any Hugging Face tokenizer; who encodes
text of strangers passes `split_special_tokens=True`. A conversation goes through the template of `lauter.chat`, which
breaks such names itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lauter.chat.control import ASSISTANT_END, NAMES, TOOLS_SUFFIX
from lauter.chat.template import chat_template
from lauter.trainer.checkpoint.read import Checkpoint

TOKENIZER, SIDECAR, TEMPLATE = "tokenizer.json", "sidecar.json", "chat_template.jinja"
PARTS = ("bos", "eos", "pad", "unk")
FILES = (TOKENIZER, "tokenizer_config.json", "special_tokens_map.json", TEMPLATE)
"""What a Hugging Face folder has; the last one where it can chat."""

_SHOWN = 5


class TokenizerError(Exception):
    """A tokenizer that can't be written or read; the message says what is wrong with it."""


def huggingface_tokenizer(files: Mapping[str, bytes], positions: int) -> dict[str, bytes]:
    """A tokenizer of a corpus, or one that was imported, as the files of a Hugging Face folder, name -> bytes.

    `files` are a checkpoint's: `tokenizer.json` with `sidecar.json`, or a Hugging Face folder's own, of which those
    named in `FILES` stay as they are. `positions` becomes `model_max_length`.

    Raises:
        TokenizerError: a file is missing or broken, or a control token would get another id.
    """
    if SIDECAR not in files:
        return {name: files[name] for name in FILES if name in files}
    document, sidecar = _read(files, TOKENIZER), _read(files, SIDECAR)
    controls = control_tokens(sidecar)
    bos = sidecar["bos"]
    whole = {**document, "added_tokens": _added(controls), "post_processor": _template(bos["token"], bos["id"])}
    content = _json(whole, indent=None)
    _check(content, controls)
    names = {f"{part}_token": sidecar[part]["token"] for part in PARTS if sidecar.get(part)}
    rest = sorted(set(controls) - set(names.values()), key=controls.__getitem__)
    config = {
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in _added(controls)
        },
        **({"additional_special_tokens": rest} if rest else {}),
        **names,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": positions,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    special = names | ({"additional_special_tokens": rest} if rest else {})
    template = {TEMPLATE: chat_template(controls).encode()} if controls.keys() >= set(NAMES) else {}
    return {
        TOKENIZER: content,
        "tokenizer_config.json": _json(config, indent=2),
        "special_tokens_map.json": _json(special, indent=2),
        **template,
    }


def control_tokens(sidecar: Mapping[str, Any]) -> dict[str, int]:
    """Name -> id of every control token that has a part, or that the vocabulary lacks, in order of id."""
    parts = [sidecar[part] for part in PARTS if sidecar.get(part)] + list((sidecar.get("placeholders") or {}).values())
    found = {str(part["token"]): int(part["id"]) for part in parts}
    found |= {str(name): int(index) for name, index in (sidecar.get("added") or {}).items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def chat_ends(files: Mapping[str, bytes]) -> list[int]:
    """Ids at which a model that chats stops, the end of its turn and of a tool call; none where it can't chat.

    Raises:
        TokenizerError: a file is broken.
    """
    if SIDECAR in files:
        named = control_tokens(_read(files, SIDECAR))
    else:
        added = _read(files, TOKENIZER).get("added_tokens") or ()
        named = {str(token["content"]): int(token["id"]) for token in added}
    return [named[ASSISTANT_END], named[TOOLS_SUFFIX]] if named.keys() >= set(NAMES) else []


def pieces(tokenizer_json: bytes) -> dict[int, str]:
    """Id -> piece of a `tokenizer.json`, added tokens included.

    Raises:
        TokenizerError: it is none.
    """
    document = _read({TOKENIZER: tokenizer_json}, TOKENIZER)
    try:
        vocabulary = document["model"]["vocab"]
        # A Unigram is a list of [piece, score].
        named = (
            enumerate(entry[0] for entry in vocabulary)
            if isinstance(vocabulary, list)
            else ((index, piece) for piece, index in vocabulary.items())
        )
        found = {int(index): str(piece) for index, piece in named}
        return found | {int(token["id"]): str(token["content"]) for token in document.get("added_tokens") or ()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise TokenizerError(f"{TOKENIZER} has no vocabulary of a known form") from error


def vocabulary_digest(tokenizer_json: bytes) -> str:
    """SHA-256 (hexadecimal) over ids and pieces: the same for every file that gives the ids the same meaning.

    Raises:
        TokenizerError: see `pieces`.
    """
    listed = json.dumps(sorted(pieces(tokenizer_json).items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(listed.encode()).hexdigest()


def same_vocabulary(
    checkpoint: Checkpoint, tokenizer_json: bytes, *, bos: int | None = None, eos: int | None = None
) -> list[str]:
    """What keeps a model from being trained on a corpus: ids that mean one thing here and another there.

    `tokenizer_json` is the corpus's, `bos` and `eos` its ids where they are to be compared too. Every piece of text of
    the corpus must be the model's piece of the same id. Control tokens of the model are not compared: no text yields
    them, and vocabularies of one family name their fillers differently (Apertus's `<pad>` is Mistral's `[INST]`).
    Returns sentences with the first different ids and how many there are; none if it fits.

    Raises:
        TokenizerError: the corpus's file is no tokenizer.
    """
    there = pieces(tokenizer_json)
    folder = checkpoint.path / "tokenizer"
    try:
        content = (folder / TOKENIZER).read_bytes()
        here, control = pieces(content), _control_ids(content, folder / SIDECAR)
    except (OSError, TokenizerError) as error:
        return [
            f"{folder / TOKENIZER} can't be compared with the corpus's ({error}): import the model with its tokenizer"
        ]
    said = checkpoint.meta["tokenizer"]
    told = [
        f"{part} is id {index} in the corpus and {said[part]} in the model"
        for part, index in (("bos", bos), ("eos", eos))
        if index is not None and said.get(part) is not None and said[part] != index
    ]
    different = [index for index, piece in sorted(there.items()) if index not in control and here.get(index) != piece]
    for index in different[:_SHOWN]:
        model = repr(here[index]) if index in here else "nothing"
        told.append(f"id {index} is {there[index]!r} in the corpus and {model} in the model")
    if len(different) > _SHOWN:
        told.append(f"{len(different):,} ids differ in all")
    return told


def _control_ids(tokenizer_json: bytes, sidecar: Path) -> set[int]:
    added = json.loads(tokenizer_json).get("added_tokens") or ()
    found = {int(token["id"]) for token in added if token.get("special")}
    if not sidecar.exists():
        return found
    content = json.loads(sidecar.read_bytes())
    ranges = content.get("reserved") or ()
    return found.union(control_tokens(content).values(), *(range(first, end) for first, end in ranges))


def special_ids(config: Mapping[str, Any], by_name: Mapping[str, int]) -> dict[str, int | None]:
    """Part -> id of the tokens that a `tokenizer_config.json` names, as a string or as an object with `content`."""
    named = {part: config.get(f"{part}_token") for part in PARTS}
    return {
        part: by_name.get(str(token.get("content") if isinstance(token, dict) else token))
        for part, token in named.items()
        if token is not None
    }


def _added(controls: Mapping[str, int]) -> list[dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": index, "content": name, **plain} for name, index in controls.items()]


def _template(bos: str, index: int) -> dict[str, Any]:
    def token(kind: str, name: str, segment: int) -> dict[str, Any]:
        return {kind: {"id": name, "type_id": segment}}

    first = [token("SpecialToken", bos, 0), token("Sequence", "A", 0)]
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": [*first, token("SpecialToken", bos, 1), token("Sequence", "B", 1)],
        "special_tokens": {bos: {"id": bos, "ids": [index], "tokens": [bos]}},
    }


def _check(content: bytes, controls: Mapping[str, int]) -> None:
    # The library numbers an added token that the vocabulary lacks by itself, whatever id stands beside it.
    try:
        tokenizer = Tokenizer.from_str(content.decode())
    except Exception as error:  # the library raises nothing narrower
        raise TokenizerError(f"{TOKENIZER} can't be loaded: {error}") from error
    for name, index in controls.items():
        found = tokenizer.token_to_id(name)
        if found != index:
            raise TokenizerError(f"{SIDECAR}: {name!r} has id {index}, but in a Hugging Face file it would get {found}")


def _read(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    if name not in files:
        raise TokenizerError(f"the checkpoint's tokenizer has no {name}")
    try:
        content = json.loads(files[name])
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{name} is no JSON") from error
    if not isinstance(content, dict):
        raise TokenizerError(f"{name} is no JSON object")
    return content


def _json(value: object, *, indent: int | None) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()
