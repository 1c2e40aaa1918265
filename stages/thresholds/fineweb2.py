"""FineWeb-2's published configs, one YAML file a label, as entries of a languages file.

The names are datatrove's: `max_non_alpha_words_ratio` is the smallest share of words with a letter (its code compares
that), `line_punct_thr` at 0 or below drops nothing. Stop words are folded as ours are; those of punctuation only, such
as "·" or "།", are none here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lauter.stages.languages_file import LABEL, LanguageEntry
from lauter.stages.thresholds.frequencies import Folding

_ORDERS = {"top_n_grams": (2, 3, 4), "dup_n_grams": (5, 6, 7, 8, 9, 10)}
_RENAMED = {
    "dup_line_frac": "max_duplicate_line_ratio",
    "max_avg_word_length": "max_mean_word_length",
    "min_avg_word_length": "min_mean_word_length",
    "max_non_alpha_words_ratio": "min_alphabetic_word_ratio",
    "new_line_ratio": "max_newline_ratio",
    "line_punct_thr": "min_line_punctuation_ratio",
    "top_n_grams": "max_top_ngram_ratios",
    "dup_n_grams": "max_duplicate_ngram_ratios",
}
_KEYS = frozenset({*_RENAMED, "language_score", "stopwords"})
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_configs(folder: Path) -> dict[str, LanguageEntry]:
    """Label -> entry of each `LABEL.yml` of a folder (`configs/` of the repository huggingface/fineweb-2).

    Raises:
        ValueError: There is none, or one is not of that form; with the file, and what is wrong.
    """
    files = sorted(path for path in folder.glob("*.yml") if LABEL.fullmatch(path.stem))
    if not files:
        raise ValueError(f"{folder}: no file like deu_Latn.yml: name the folder `configs` of FineWeb-2's repository")
    folding = Folding()
    found = {}
    for path in files:
        try:
            config = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
            found[path.stem] = entry_of(config, folding)
        except (ValueError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    return found


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that `read_configs` reads."""
    result = hashlib.sha256()
    for path in sorted(path for path in folder.glob("*.yml") if LABEL.fullmatch(path.stem)):
        result.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return result.hexdigest()


def entry_of(config: object, folding: Folding) -> LanguageEntry:
    """The entry of one config. Raises `ValueError` for one that has other keys, or a value that is none."""
    if not isinstance(config, Mapping):
        raise ValueError("expected a mapping of FineWeb-2's settings")  # noqa: TRY004 - the file is wrong
    if config.keys() != _KEYS:
        odd = sorted(map(str, config.keys() ^ _KEYS))
        raise ValueError(f"not FineWeb-2's settings: {', '.join(odd)} missing or unknown")
    quality: dict[str, Any] = {}
    for theirs, ours in _RENAMED.items():
        value = config[theirs]
        if theirs in _ORDERS:
            pairs = value if isinstance(value, list) else []
            if [pair[0] for pair in pairs if isinstance(pair, list) and len(pair) == 2] != list(_ORDERS[theirs]):
                raise ValueError(f"{theirs}: expected pairs of an order, {_ORDERS[theirs]}, and a threshold")
            quality[ours] = [_number(theirs, pair[1]) for pair in pairs]
        elif theirs == "line_punct_thr" and _number(theirs, value) <= 0:
            quality[ours] = None
        else:
            quality[ours] = _number(theirs, value)
    listed = config["stopwords"] if isinstance(config["stopwords"], list) else []
    words = tuple(dict.fromkeys(word for each in listed for word in [folding.fold(str(each))] if word))
    score = _number("language_score", config["language_score"])
    return LanguageEntry(language_score=score, quality=quality, stop_words=words or None)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {value!r} is no number")  # noqa: TRY004 - the file is wrong
    return float(value)
