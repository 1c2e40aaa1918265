"""The libraries that do the encoding: fastokens, and Hugging Face's tokenizers, which it must agree with.

Measured on one core and real text in 500 languages: fastokens is the fastest encoder with equal ids (see
`benchmarks/tokens.py`). It takes byte-level BPE here; all else goes to tokenizers.
"""

from __future__ import annotations

import logging
import os
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lauter.stages.tokens.pattern import LATEX, cut_of

EngineName = Literal["fastokens", "tokenizers"]

_LOG = logging.getLogger(__name__)

# Both engines must give equal ids for this before fastokens is used with a tokenizer that our tests don't know: words
# in several scripts, marks, digits, runs of spaces and line ends, joined emoji, NUL, a letter beyond the BMP, and the
# pieces that are cut out of a text where the pattern has them.
_PROBE = (
    "It's 2024: the CAMELCase word,\n\n  an indented   line\t\r\nand don’t “quotes” … 1234567890 1/2 ½ ",
    "Größe naïve cafe\u0301 İstanbul Ελληνικά Привіт, світе! שָׁלוֹם مرحبا؟ नमस्ते สวัสดี ខ្មែរ 日本語、カタカナ 한국어",
    "👩\u200d👧\u200d👦🇨🇭 \u0000 \u00a0\u2003\u200b\ufeff \U00010348 x\u0338 <s></s> [INST]",
    'https://example.org/a_b?c=d#e {"k": [1.5e-3]} </p> a == b && !c',
    *(f"a {piece}x}}/{piece}" for piece in LATEX),
    "",
    " ",
    "a" * 300,
)


class Engine(Protocol):
    """An encoder of plain text: no control tokens in, none out."""

    name: EngineName

    def encode(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of all texts one after the other, and the n + 1 offsets at which each begins and ends."""
        ...

    def decode(self, ids: list[int]) -> str:
        """The text of ids that `encode` gave."""
        ...


class HuggingFaceEngine:
    """Hugging Face's own encoder: every kind of model."""

    name: EngineName = "tokenizers"

    def __init__(self, tokenizer: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(tokenizer)

    def encode(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """See `Engine`."""
        found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return _joined([np.array(encoding.ids, np.uint32) for encoding in found])

    def decode(self, ids: list[int]) -> str:
        """See `Engine`."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


class FastokensEngine:
    """fastokens, ids as one flat buffer without a Python object for each.

    Its regular expressions have limits on depth and steps; a text that exceeds them is encoded by tokenizers. It knows
    tekken's pattern by heart and interprets others, at less than half the speed (57 against 26 MB/s): so the pieces of
    Apertus's pattern are cut out here, and it sees the texts between them.
    """

    name: EngineName = "fastokens"

    def __init__(self, tokenizer: str) -> None:
        from fastokens import Tokenizer

        self._cut = cut_of(tokenizer)
        self._json = tokenizer if self._cut is None else self._cut.tokenizer
        self._tokenizer = Tokenizer.from_json_str(self._json)
        self._reference: HuggingFaceEngine | None = None

    def encode(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """See `Engine`."""
        if self._cut is None:
            return self._plain(texts)
        parts: list[str] = []
        before: list[int] = []
        ends: list[int] = []
        for text in texts:
            found = self._cut.apart(text)
            parts += found[::2]
            before += [-1, *(self._cut.ids[piece] for piece in found[1::2])]
            ends.append(len(parts))
        ids, offsets = self._plain(parts)
        return ids_before(ids, offsets, np.array(before, np.int64), np.array(ends, np.int64))

    def _plain(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        try:
            return self._flat(texts)
        except ValueError:
            return _joined([self._one(text) for text in texts])

    def decode(self, ids: list[int]) -> str:
        """See `Engine`."""
        return str(self._tokenizer.decode(ids))

    def _flat(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        ids, offsets = self._tokenizer.encode_batch_flat(texts)
        return np.frombuffer(ids, "<u4"), np.frombuffer(offsets, "<u8").astype(np.int64)

    def _one(self, text: str) -> NDArray[np.uint32]:
        try:
            return self._flat([text])[0]
        except ValueError:
            if self._reference is None:
                self._reference = HuggingFaceEngine(self._json)
            return self._reference.encode([text])[0]


def ids_before(
    ids: NDArray[np.uint32], offsets: NDArray[np.int64], before: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Join parts to texts: `before[i]`, if it is no -1, comes before part i, which is ids[offsets[i]:offsets[i + 1]].

    `ends`, shape (texts,), says how many parts there are up to the end of each text. Returns the ids and the texts'
    offsets, shape (texts + 1,).
    """
    has = before >= 0
    if not has.any():
        return ids, offsets
    size = np.diff(offsets) + has
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    single = np.zeros(starts[-1], np.bool_)
    single[starts[:-1][has]] = True
    result = np.empty(len(single), np.uint32)
    result[single] = before[has]
    result[~single] = ids
    return result, np.concatenate([starts[:1], starts[ends]])


def open_engine(wanted: EngineName, tokenizer: str, *, byte_level: bool, tested: bool) -> Engine:
    """The wanted engine, or tokenizers where fastokens can't take the tokenizer; a warning then says why.

    `tested` leaves out the comparison of both engines on a probe. Both run in one thread, unless RAYON_NUM_THREADS or
    TOKENIZERS_PARALLELISM say otherwise.

    Raises:
        ValueError: tokenizers can't load the tokenizer either.
    """
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if wanted == "fastokens":
        reason = "it is no byte-level BPE with all 256 bytes"
        if byte_level:
            try:
                fast = FastokensEngine(tokenizer)
                if tested:
                    return fast
                if agree(fast, HuggingFaceEngine(tokenizer)):
                    return fast
                reason = "its ids differ from those of tokenizers"
            except ValueError as error:
                reason = f"it can't load it: {error}"
        _LOG.warning("fastokens is not used for this tokenizer, tokenizers is (10 to 20 times slower): %s", reason)
    try:
        return HuggingFaceEngine(tokenizer)
    except Exception as error:  # the library raises no narrower class
        raise ValueError(f"tokenizers can't load this tokenizer: {error}") from error


def agree(one: Engine, other: Engine) -> bool:
    """Whether two engines encode a text of many scripts to the same ids."""
    left, right = one.encode(list(_PROBE)), other.encode(list(_PROBE))
    return np.array_equal(left[0], right[0]) and np.array_equal(left[1], right[1])


def _joined(found: list[NDArray[np.uint32]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
    return np.concatenate([np.empty(0, np.uint32), *found]), offsets
