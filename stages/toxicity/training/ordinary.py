"""The ordinary sets of the embedded model, from checkouts of the two repositories that its NOTICE names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

GUIDE, VERSES = "opensource-guide", "ebible-public-domain"
"""The sets: articles of github/opensource.guide, and verses of BibleNLP/ebible-corpus."""
_FOLDERS = {
    "ar": "ar", "de": "de", "en": ".", "es": "es", "fr": "fr", "it": "it", "nl": "nl", "pl": "pl", "pt": "pt",
    "zh": "zh-hans",
}  # fmt: skip
_TRANSLATIONS = {"de": "deu-deu1912", "en": "eng-engwebp", "es": "spa-spaRV1909", "zh": "cmn-cmn-cu89s"}
"""All in the public domain."""
_PARAGRAPH = 4


def guide_of(checkout: Path) -> Mapping[str, str]:
    """Path below the set -> text, of all articles.

    Raises:
        OSError: The checkout has no articles in one of the languages.
    """
    found: dict[str, str] = {}
    for code, folder in _FOLDERS.items():
        articles = sorted(path for path in (checkout / "_articles" / folder).iterdir() if path.suffix == ".md")
        found |= {f"{code}/{path.name}": path.read_text("utf-8") for path in articles}
    return found


def verses_of(checkout: Path) -> Mapping[str, str]:
    """Path below the set -> text, four verses a paragraph; what is left at the end is left out.

    Raises:
        OSError: The checkout has not all translations.
    """
    found = {}
    for code, name in _TRANSLATIONS.items():
        lines = (checkout / "corpus" / f"{name}.txt").read_text("utf-8").split("\n")
        # `<range>` stands where a verse is part of the one before.
        verses = [line.strip() for line in lines if line.strip() not in ("", "<range>")]
        whole = range(0, len(verses) - _PARAGRAPH + 1, _PARAGRAPH)
        found[f"{code}/{name}.txt"] = "".join(" ".join(verses[at : at + _PARAGRAPH]) + "\n\n" for at in whole)
    return found


def write_set(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a set.

    Raises:
        FileExistsError: The folder is there.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
