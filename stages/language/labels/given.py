"""The label that a record itself names: `deu_Latn`, or a code that data sets have instead, such as `de` or `zh-Hant`.

A code without a script stands for the labels of the embedded model with that language. Where these are several, as of
Serbian, the text decides: the script that most of its letters are of; else what the language is written in most.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from lauter.stages.language.labels.meaning import LABEL, wikipedia_labels
from lauter.stages.language.labels.registry import resolve
from lauter.stages.language.labels.support import embedded
from lauter.stages.language.script import letters_of, scripts

FIELDS = ("language", "lang")
"""Fields of a record that may name its language; the first that is one counts."""

_TEXT = "text"
_JUDGED = 10_000
"""Code points of a text whose letters are counted."""

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z0-9]+))*")
_SCRIPT = re.compile(r"[-_]([A-Za-z]{4})(?![A-Za-z0-9])")


def label_of(fields: Mapping[str, Any]) -> str | None:
    """The label of a record by its own fields; None where they name no language that is known.

    >>> [label_of({"lang": code}) for code in ("gsw_Latn", "de", "eng", "de-CH", "zh", "sr_Cyrl", "xx")]
    ['gsw_Latn', 'deu_Latn', 'eng_Latn', 'deu_Latn', 'cmn_Hani', 'srp_Cyrl', None]
    """
    for name in FIELDS:
        value = fields.get(name)
        text = fields.get(_TEXT)
        found = _label(value.strip(), text if isinstance(text, str) else "") if isinstance(value, str) else None
        if found is not None:
            return found
    return None


def _label(code: str, text: str) -> str | None:
    if LABEL.fullmatch(code):
        return code
    tag = _TAG.fullmatch(code)
    if tag is None:
        return None
    language = resolve(tag[1].lower(), _scripts_of())
    if language is None:
        return None
    written = _scripts_of()[language]
    named = _SCRIPT.search(code)
    # Chinese is `cmn_Hani` to every model, whichever of the two forms of its characters is named.
    if named is not None and named[1].capitalize() in written:
        return f"{language}_{named[1].capitalize()}"
    return f"{language}_{written[0] if len(written) == 1 else _script(written, text)}"


@cache
def _scripts_of() -> Mapping[str, tuple[str, ...]]:
    """The scripts of the labels of each language, that which it is written in most first."""
    found: dict[str, list[str]] = defaultdict(list)
    for label in embedded():
        found[label[:3]].append(label[4:])
    usual = {meaning.language: meaning.scripts for meaning in wikipedia_labels().values()}
    return {
        code: tuple(dict.fromkeys([*(script for script in usual.get(code, ()) if script in written), *written]))
        for code, written in found.items()
    }


def _script(written: tuple[str, ...], text: str) -> str:
    points = np.frombuffer(text[:_JUDGED].encode("utf-32-le", "replace"), np.uint32)
    letters = np.bincount(scripts().of[points], minlength=len(scripts().codes))[None, :]
    # `max` takes the first of those with most letters.
    return max(written, key=lambda script: int(letters_of(script, letters)[0]))
