"""The word lists: which language has one, and the share of a text's words that it hits, as a score.

score = h / (h + w / 50), where h of the text's w words are part of a hit: 0 without a hit, 0.5 when every fiftieth word
is one, and toward 1 the denser it gets. In Chinese, Japanese, Korean and Thai, letters take the place of words, since a
term there stands inside longer strings; where it may begin and end is the list's `Way`. There a text of more than 100
letters needs two different terms, or one in every tenth letter, to pass 0.5: one string of letters may be an innocent
word that nobody foresaw, repeated all over its page. The form and the constants are this project's own.

Lists: 25 of badwords-py 3.0 (MIT and CC-BY-4.0), and Arabic, Chinese, Filipino and Persian from LDNOOBW (CC-BY-4.0),
less the words in `lists/ordinary.txt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.stages.kernels.words import text_buffers
from lauter.stages.toxicity.match import count_hits
from lauter.stages.toxicity.term_tables import Tables, Way, build_tables, split_words, word_characters

HALF_SHARE = 50
"""A text in which one word in this many is hit has score 0.5."""

LONG_LETTERS = 100
"""A text of more letters than this needs two different terms, or the share below, for a score above 0.5."""
DENSE_SHARE = 10
"""One letter in this many is dense enough for one term alone."""

# Languages whose terms stand inside longer strings (no spaces, or particles written onto the noun): how they are
# matched, and how long a term must be, in code points. A Thai syllable takes up to four and is part of many words.
_BY_LETTER: Mapping[str, tuple[Way, int]] = {
    "cmn": (Way.LETTERS, 2), "jpn": (Way.KATAKANA, 2), "kor": (Way.START, 2), "tha": (Way.CLUSTER, 4),
}  # fmt: skip
_PACKAGE = "lauter.stages.toxicity"
_OWN = ("arb", "cmn", "fas", "fil")
_BADWORDS: Mapping[str, tuple[str, ...]] = {
    "ces": ("cs",), "dan": ("da",), "deu": ("de",), "ell": ("el",), "eng": ("en",), "fin": ("fi",), "fra": ("fr",),
    "hun": ("hu",), "ind": ("id",), "ita": ("it",), "jpn": ("ja",), "kor": ("ko",), "nld": ("nl",), "nob": ("no",),
    "pol": ("pl",), "por": ("pt", "pt_br"), "ron": ("ro",), "rus": ("ru",), "spa": ("es", "es_419"), "swe": ("sv",),
    "tha": ("th",), "tur": ("tr",), "ukr": ("uk",),
}  # fmt: skip
# Languages judged by the list of another: the written forms share their swear words.
_SHARED: Mapping[str, str] = {"nno": "nob", "arz": "arb"}
# The script a list is written in, so that a text in another is not called clean. Latin where nothing is said.
_SCRIPTS: Mapping[str, str] = {
    "arb": "Arab", "arz": "Arab", "cmn": "Hani", "ell": "Grek", "fas": "Arab", "jpn": "Jpan", "kor": "Hang",
    "rus": "Cyrl", "tha": "Thai", "ukr": "Cyrl",
}  # fmt: skip


def _read(package: str, *path: str) -> list[str]:
    lines = resources.files(package).joinpath(*path).read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def source_lists() -> Mapping[str, tuple[str, ...]]:
    """ISO 639-3 code -> terms as they stand in the files, for languages with a list of their own."""
    lists = {language: tuple(_read(_PACKAGE, "lists", f"{language}.txt")) for language in _OWN}
    for language, files in _BADWORDS.items():
        lists[language] = tuple(
            term for file in files for term in _read("badwords", "resource", "words", f"{file}.txt")
        )
    return dict(sorted(lists.items()))


def ordinary_words() -> Mapping[str, frozenset[str]]:
    """ISO 639-3 code -> terms of its list that are left out."""
    rows = map(str.split, _read(_PACKAGE, "lists", "ordinary.txt"))
    return {language: frozenset(words) for language, *words in rows}


@cache
def word_lists() -> Mapping[str, tuple[str, ...]]:
    """ISO 639-3 code -> terms that are matched, normalised and sorted."""
    ordinary = ordinary_words()
    return {
        language: tuple(sorted(_usable(terms, ordinary.get(language, frozenset()), _BY_LETTER.get(language))))
        for language, terms in source_lists().items()
    }


def _usable(terms: Iterable[str], ordinary: frozenset[str], by_letter: tuple[Way, int] | None) -> set[str]:
    normalised = cast(list[str], normalise(pa.array(terms, pa.large_string())).to_pylist())
    left_out = cast(list[str], normalise(pa.array(sorted(ordinary), pa.large_string())).to_pylist())
    kept = set(normalised) - set(left_out)
    if by_letter is None:
        return kept
    # Short strings, Latin letters inside a longer one ("titt" in "title"), and what a sign is left out of ("×定格",
    # where 定格 alone is a rated power) hit by chance.
    return {
        term
        for term in kept
        if len(term) >= by_letter[1] and not term.isascii() and [len(word) for word in split_words(term)] == [len(term)]
    }


def normalise(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """NFKC, then lower case: full-width and other compatibility forms of a letter are that letter."""
    return cast(pa.LargeStringArray, pc.utf8_lower(pc.utf8_normalize(text, "NFKC")))


@cache
def _tables() -> Tables:
    """The tables of all lists, made once in a process: that takes a tenth of a second."""
    lists = word_lists()
    return build_tables([(_BY_LETTER.get(language, (Way.WORDS, 0))[0], terms) for language, terms in lists.items()])


class Lexicon:
    """The lists as tables, ready to judge."""

    def __init__(self) -> None:
        self._tables = _tables()
        place = {language: index for index, language in enumerate(word_lists())}
        place |= {language: place[other] for language, other in _SHARED.items()}
        self._places = {f"{language}_{_SCRIPTS.get(language, 'Latn')}": index for language, index in place.items()}

    @property
    def languages(self) -> frozenset[str]:
        """Labels (`deu_Latn`) of the languages that have a list."""
        return frozenset(self._places)

    def score(self, text: pa.LargeStringArray, language: pa.StringArray) -> pa.UInt16Array:
        """Score of each text in ten-thousandths; null where the language has no list or the text no word."""
        normal = normalise(text)
        offsets, data = text_buffers(normal)
        lists = np.array([self._places.get(label or "", -1) for label in language.to_pylist()], np.int32)
        hits, units, distinct = (np.zeros(len(lists), np.int64) for _ in range(3))
        count_hits(data, offsets, lists, word_characters(), *self._tables, hits, units, distinct)
        score = _saturate(hits, units)
        alone = (distinct < 2) & (units > LONG_LETTERS) & (DENSE_SHARE * hits < units)
        alone &= (self._tables.ways != Way.WORDS)[lists]
        score[alone] = np.minimum(score[alone], schema.RATIO_SCALE // 2)
        return pa.array(score, pa.uint16(), mask=units == 0)


def _saturate(hits: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.uint16]:
    """H / (h + w / HALF_SHARE) in ten-thousandths, half to even; whole numbers all the way. 0 where w is 0."""
    numerator = schema.RATIO_SCALE * HALF_SHARE * hits
    denominator = np.maximum(HALF_SHARE * hits + units, 1)
    whole, rest = np.divmod(numerator, denominator)
    up = (2 * rest > denominator) | ((2 * rest == denominator) & (whole % 2 == 1))
    return cast(NDArray[np.uint16], (whole + up).astype(np.uint16))
