"""Labelled sets: a folder of `NAME.jsonl` or `NAME.jsonl.gz`, and `catalogue.json` with the licence of each.

A line is an object with `text`, `lang` (a code of the recipe), `toxic` (0 or 1), and where the set is made of families
of sentences (HateCheck) also `id`, which ends in the place of the sentence in the set, and `functionality`.

A set of ordinary text, none of it toxic, is a folder `NAME` of running text by language, `NAME/CODE/….md` or `.txt`, of
which each paragraph is a text.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

LEAST, MOST = 60, 2000
"""Characters of a paragraph of ordinary text; shorter and longer ones are left out."""

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_NO_PROSE = ("---", "<", "{", "|", "#", "title:")


class Post(NamedTuple):
    """One labelled text."""

    of_set: str
    language: str
    text: str
    toxic: bool
    family: str
    """Its functionality in a set of families, else empty."""
    place: int
    """Its place in such a set, else -1."""


def licences_of(folder: Path) -> dict[str, str]:
    """Set -> licence, from `catalogue.json`: the name before the first space.

    Raises:
        ValueError: The file is not there, or not as described.
    """
    path = folder / "catalogue.json"
    try:
        return {str(entry["set"]): str(entry["licence"]).split(" ")[0] for entry in json.loads(path.read_bytes())}
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: it names the licence of each set") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no list of objects with `set` and `licence`: {error}") from None


def paths_of(folder: Path) -> dict[str, Path]:
    """Set -> file or folder, in order of names."""
    found = {path.name.split(".")[0]: path for path in sorted(folder.iterdir())}
    return {name: path for name, path in found.items() if path.is_dir() or ".jsonl" in path.suffixes}


def check_licences(names: Sequence[str], licences: Mapping[str, str], allowed: Sequence[str]) -> None:
    """Refuse a set that may not be trained on.

    Raises:
        ValueError: A set has no licence, or none of `allowed`.
    """
    for name in names:
        licence = licences.get(name)
        if licence not in allowed:
            told = f"is under {licence}" if licence else "has no licence in catalogue.json"
            raise ValueError(f"{name} {told}: sets to train on must be under {', '.join(allowed)}")


def read_ordinary(name: str, folder: Path, most: int) -> list[Post]:
    """Paragraphs of a folder of running text: of each language those with the lowest hashes, `most` at most.

    Raises:
        ValueError: A file is no UTF-8.
        OSError: It cannot be read.
    """
    posts = []
    for language in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted([*language.rglob("*.md"), *language.rglob("*.txt")])
        found = {xxhash.xxh3_64_intdigest(text.encode()): text for path in files for text in _paragraphs(path)}
        posts += [
            Post(name, language.name, found[key], toxic=False, family="", place=-1) for key in sorted(found)[:most]
        ]
    return posts


def _paragraphs(path: Path) -> Iterator[str]:
    try:
        whole = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8: {error}") from None
    for block in re.split(r"\n\s*\n", whole):
        text = " ".join(_LINK.sub(r"\1", block).split())
        if LEAST <= len(text) <= MOST and not text.startswith(_NO_PROSE):
            yield text


def read_set(name: str, path: Path) -> list[Post]:
    """The texts of a set that have a label.

    Raises:
        ValueError: The file is no gzip or no UTF-8, or a line is not as described; the message says which.
        OSError: The file cannot be read.
    """
    content = path.read_bytes()
    try:
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no gzip or no UTF-8: {error}") from None
    # Not `splitlines`, for which a line separator within a text ends the line too.
    lines = text.split("\n")
    return [_post(name, f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]


def _post(name: str, where: str, line: str) -> Post:
    try:
        row: dict[str, Any] = json.loads(line)
        text, language, toxic = str(row["text"]), str(row["lang"]), row["toxic"]
        family = str(row.get("functionality", ""))
        place = int(str(row["id"]).rsplit("-", 1)[-1]) if family else -1
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{where}: no labelled text: {error!r}") from None
    if toxic not in (0, 1):
        raise ValueError(f"{where}: `toxic` must be 0 or 1, not {toxic!r}")
    return Post(name, language, text, bool(toxic), family, place)
