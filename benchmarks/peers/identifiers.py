"""Language identifiers that others ship: fastText's lid.176, asked by the fastText library, and CLD2, by pycld2.

Their answers become ISO 639-3 codes, and no script. Both see a text as it is, as their own documentation has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lauter.stages.language.labels import wikipedia_labels
from lauter.stages.language.labels.registry import languages, resolve

MODEL = Path(__file__).parents[2] / "stages" / "language" / "models" / "lid.176.ftz"

# Codes of CLD2 that are neither ISO 639-1 nor ISO 639-3: older ones, and Bihari, which is a collection by now, its
# largest language Bhojpuri. Pig Latin (zzp) is no language.
_OWN_CODES = {"bh": "bho", "iw": "heb", "jw": "jav", "zh-Hant": "zho", "xx-Bugi": "bug", "xx-Goth": "got"}


class Peer(NamedTuple):
    """An identifier."""

    name: str
    languages: frozenset[str]
    """What it can answer, ISO 639-3."""
    answer: Callable[[Sequence[str]], list[str]]
    """The language of each text, empty where it gives none."""


def lid176() -> Peer:
    """A. Joulin et al., arXiv:1607.01759: `lid.176.ftz`, 176 languages of Wikipedia."""
    import fasttext

    model, means = fasttext.load_model(str(MODEL)), wikipedia_labels()

    def answer(texts: Sequence[str]) -> list[str]:
        found, _ = model.predict([text.replace("\n", " ") for text in texts], 1)
        return [means[labels[0].removeprefix("__label__")].language if labels else "" for labels in found]

    return Peer("lid.176.ftz", frozenset(meaning.language for meaning in means.values()), answer)


def cld2() -> Peer:
    """Compact Language Detector 2, with its best effort on short texts: without it a line often has no answer."""
    import pycld2

    code_of = dict(pycld2.LANGUAGES)
    means = {code_of[name]: _iso639_3(code_of[name]) for name in pycld2.DETECTED_LANGUAGES}

    def answer(texts: Sequence[str]) -> list[str]:
        found = [pycld2.detect(text.encode(), isPlainText=True, bestEffort=True)[2][0][1] for text in texts]
        return [means.get(code, "") for code in found]

    return Peer("CLD2", frozenset(filter(None, means.values())), answer)


def _iso639_3(code: str) -> str:
    """The ISO 639-3 code of one of CLD2, empty where it names no language."""
    code = _OWN_CODES.get(code, code)
    alpha2 = {language.alpha2: three for three, language in languages().items() if language.alpha2}
    return alpha2.get(code) or (code if code in languages() else "")


def alike(code: str, other: str) -> bool:
    """Whether two codes mean one language, or one is the macrolanguage that the other belongs to: `no` and `nob`."""
    return bool(code and other) and (resolve(code, {other}) is not None or resolve(other, {code}) is not None)
