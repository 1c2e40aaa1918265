"""The embedded tokenizer: Mistral-Nemo's tekken vocabulary, converted exactly to Hugging Face form.

Source: `tekken_240718.json` in the Python package mistral-common 1.13.1 (Apache-2.0): 150,000 byte strings in order of
rank, of which the first 130,072 are used, behind 1,000 special ids. Text is cut by a pattern, and each piece is merged
by tiktoken's rule: join the neighbours whose joint string has the lowest rank, the leftmost first.

A Hugging Face BPE wants pairs instead: for each token, the two parts that the same rule, with lower ranks only, leaves
of it. No other pair is ever joined to that token: wherever its bytes stand between two boundaries, the merges inside
came in the order in which the token alone would merge, so that the last state before it is those two parts.

Run again with `python -m lauter.stages.tokens.tekken tekken_240718.json FOLDER`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from lauter.stages.tokens.definition import canonical_json
from lauter.stages.tokens.placeholders import PLACEHOLDERS
from lauter.stages.tokens.sealing import BYTE_LETTERS
from lauter.stages.tokens.sidecar import Control, Sidecar

SOURCE_SHA256 = "eccd1665d2e477697c33cb7f0daa6f6dfefc57a0a6bceb66d4be52952f827516"
"""SHA-256 of `tekken_240718.json` (14,801,223 bytes)."""

FOLDER = Path(__file__).with_name("tekken")
"""The folder of the converted files."""

# What the first special ids of a v3 vocabulary are called (mistral-common 1.13.1); the others are fillers. The first
# release of Mistral-Nemo had no [IMG], and `<pad>` in its place.
_SPECIAL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
    *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
)


def embedded_files() -> dict[str, bytes]:
    """`tokenizer.json` and `sidecar.json` of the embedded tokenizer."""
    return {name: (FOLDER / name).read_bytes() for name in ("tokenizer.json", "sidecar.json")}


def convert(source: bytes) -> dict[str, bytes]:
    """The files of a tokenizer, name -> canonical bytes, from the bytes of a tekken file.

    `tokenizer.json` has every entry in its vocabulary, the special ones too, and no added tokens, so that whoever loads
    it can't take the words of a page for control tokens.

    Raises:
        ValueError: the file is of another version, or its ranks are not those of a byte-level BPE.
    """
    document = json.loads(source)
    config = document["config"]
    if config["version"] != "v3" or document.get("special_tokens"):
        raise ValueError(f"a tekken file of version {config['version']} that names its special tokens is not supported")
    special_count = int(config["default_num_special_tokens"])
    entries = document["vocab"][: int(config["default_vocab_size"]) - special_count]
    tokens = [base64.b64decode(entry["token_bytes"]) for entry in entries]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    if [entry["rank"] for entry in entries] != list(range(len(entries))) or len(ranks) != len(tokens):
        raise ValueError("the ranks are not 0, 1, 2, ... of different byte strings")
    if any(bytes([byte]) not in ranks for byte in range(256)):
        raise ValueError("a byte is no token, so not every text could be encoded")
    special = [*_SPECIAL, *(f"<SPECIAL_{index}>" for index in range(len(_SPECIAL), special_count))]
    # Fillers have no use; a small vocabulary has no room for all types of personal data, and then has none.
    fits = all(control.id < special_count for control in PLACEHOLDERS.values())
    placeholders = PLACEHOLDERS if fits else {}
    for control in placeholders.values():
        special[control.id] = control.token
    vocabulary = {name: index for index, name in enumerate([*special, *map(_letters, tokens)])}
    if len(vocabulary) != special_count + len(tokens):
        raise ValueError("a special token has the name of an ordinary one")
    merges = [" ".join(map(_letters, _parts(token, ranks))) for token in tokens if len(token) > 1]
    sidecar = Sidecar(
        bos=Control(id=1, token="<s>"),
        eos=Control(id=2, token="</s>"),
        pad=Control(id=11, token="<pad>"),
        unk=Control(id=0, token="<unk>"),
        placeholders=placeholders,
        reserved=((0, special_count),),
    )
    return {
        "tokenizer.json": canonical_json(_tokenizer(str(config["pattern"]), vocabulary, merges)),
        "sidecar.json": sidecar.canonical(),
    }


def _letters(token: bytes) -> str:
    return "".join(BYTE_LETTERS[byte] for byte in token)


def _parts(token: bytes, ranks: Mapping[bytes, int]) -> list[bytes]:
    # tiktoken's rule on the token's own bytes, with ranks below its own.
    parts = [token[index : index + 1] for index in range(len(token))]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda at: ranks.get(parts[at] + parts[at + 1], len(ranks)))
        joined = parts[best] + parts[best + 1]
        if ranks.get(joined, len(ranks)) >= ranks[token]:
            raise ValueError(f"{token!r} is not made of two tokens of lower rank")
        parts[best : best + 2] = [joined]
    return parts


def _tokenizer(pattern: str, vocabulary: Mapping[str, int], merges: list[str]) -> dict[str, object]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                byte_level,
            ],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            # As tiktoken: a piece that is a token as a whole is not merged. It changes no id, and saves time.
            "ignore_merges": True,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def main(source: str, folder: str) -> None:
    """Convert the file `source` into `folder`, and print the SHA-256 of all three files."""
    data = Path(source).read_bytes()
    files = {Path(source).name: data, **convert(data)}
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is not data:
            (Path(folder) / name).write_bytes(content)
        print(hashlib.sha256(content).hexdigest(), name)


if __name__ == "__main__":
    main(*sys.argv[1:])
