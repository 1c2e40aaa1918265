"""Words of scripts without spaces, as ICU cuts them with its dictionaries (ICU User Guide, "Boundary Analysis").

Chinese, Japanese, Thai, Lao, Khmer and Burmese text has no mark between words, so where a word begins is looked up. ICU
knows for each of these scripts the words and how to choose between readings. A *run* is a stretch of such letters and
their marks; what stands between runs (white space, digits, punctuation, other scripts) is cut by `words` as ever. A run
is cut for itself, so the words of a text depend on nothing around it: neither on the batch nor on the language.

Other scripts without spaces (Yi, Tangut, Tai Tham, Javanese, Balinese, …) have no dictionary in ICU: each letter stays
a word of its own. Tibetan needs none, since the tsheg between syllables is a separator, as it is for ICU.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import MARK, UNSPACED, Integer, character_class, decode
from lauter.stages.kernels.words import text_buffers

if TYPE_CHECKING:
    from icu4py.breakers import WordBreaker

ICU_VERSION = "78.3"
"""The release whose dictionaries decide; another one may cut otherwise."""
MAX_RUN = 4096
"""Letters and marks of one run: a longer stretch without a space is cut there. Of the public test pages the longest has
some hundred. It bounds what ICU holds at a time to some hundred kilobytes, whatever a page holds."""
_CHUNK = 1 << 16
# Bytes of runs that ICU is given at once: a call costs 4 microseconds, as much as a hundred letters.
_STRETCH = 64
_LINE_FEED = 0x0A


@kernel
def in_dictionary(code: Integer) -> bool:
    """Whether ICU has a dictionary for the script of an unspaced letter, by block of Unicode.

    Thai, Lao, Myanmar and Khmer; Han with its radicals, Hiragana and Katakana. Not Bopomofo, Yi, Tangut, Nushu, Khitan.
    """
    if code < 0x2E80:
        return bool(0x0E00 <= code < 0x0F00 or 0x1000 <= code < 0x10A0 or 0x1780 <= code < 0x1800)
    if code < 0xA000:
        return bool(not 0x3100 <= code < 0x3130 and not 0x31A0 <= code < 0x31C0)
    if code < 0x10000:
        return bool(0xA9E0 <= code < 0xAA00 or 0xAA60 <= code < 0xAA80 or 0xF900 <= code < 0xFB00 or code >= 0xFF00)
    return bool(0x116D0 <= code < 0x11700 or 0x1AFF0 <= code < 0x1B170 or code >= 0x1F200)


@kernel
def find_runs(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], begins: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], int]:
    """Byte ranges of the runs of all texts, shape (runs, 2), half-open, and the number of unspaced letters.

    `begins`, shape (len(data),), zeros: set to 1 where an unspaced letter that no dictionary knows begins.
    """
    spans = np.empty((64, 2), np.int64)
    count, letters = 0, 0
    for index in range(len(offsets) - 1):
        position, end = offsets[index], offsets[index + 1]
        size = 0
        looked = position
        while position < end:
            if position >= looked and not size:
                # A stretch without a lead byte of three or more is passed in one step, by vector instructions.
                stop = min(position + _STRETCH, end)
                long = 0
                for place in range(position, stop):
                    long += data[place] >= 0xE0
                looked = stop
                if not long:
                    position = stop
                    continue
            byte = data[position]
            # Every unspaced letter has three bytes or more, and a mark matters behind one only.
            if byte < 0xC0 or (byte < 0xE0 and not size):
                size = 0
                position += 1
                continue
            code, width = decode(data, position, end)
            kind = character_class(code)
            known = kind & UNSPACED and in_dictionary(code)
            if kind & UNSPACED:
                letters += 1
                if not known:
                    begins[position] = 1
            if size and size < MAX_RUN and (known or kind & MARK):
                spans[count - 1, 1] = position + width
                size += 1
            elif known:
                if count == len(spans):
                    wider = np.empty((2 * count, 2), np.int64)
                    wider[:count] = spans
                    spans = wider
                spans[count, 0] = position
                spans[count, 1] = position + width
                count += 1
                size = 1
            else:
                size = 0
            position += width
    return spans[:count], letters


@kernel
def gather(data: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The bytes of some runs, each with a line feed behind it, which no word crosses."""
    size = 0
    for index in range(len(spans)):
        size += spans[index, 1] - spans[index, 0] + 1
    chunk = np.empty(size, np.uint8)
    size = 0
    for index in range(len(spans)):
        for position in range(spans[index, 0], spans[index, 1]):
            chunk[size] = data[position]
            size += 1
        chunk[size] = _LINE_FEED
        size += 1
    return chunk


@kernel
def mark_begins(
    data: NDArray[np.uint8], spans: NDArray[np.int64], ends: NDArray[np.int64], begins: NDArray[np.uint8]
) -> None:
    """Set `begins` where a run begins and at each of ICU's boundaries in it.

    `ends` are boundaries in the gathered runs, ascending, in UTF-16 code units, as ICU counts them.
    """
    unit, place = 0, 0
    for index in range(len(spans)):
        position, end = spans[index, 0], spans[index, 1]
        begins[position] = 1
        while position < end:
            while place < len(ends) and ends[place] < unit:
                place += 1
            if place < len(ends) and ends[place] == unit:
                begins[position] = 1
            lead = data[position]
            if lead >= 0xF0:
                position += 4
                unit += 2
            else:
                position += 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
                unit += 1
        unit += 1


def breaker() -> type[WordBreaker]:
    """ICU's word breaker.

    Raises:
        RuntimeError: ICU is another release than the one that the results are known for.
    """
    import icu4py
    from icu4py.breakers import WordBreaker

    if icu4py.icu_version != ICU_VERSION:
        raise RuntimeError(
            f"icu4py holds ICU {icu4py.icu_version}, and words are those of ICU {ICU_VERSION}: "
            "install the version of icu4py that pyproject.toml names, from its wheel"
        )
    return WordBreaker


def word_begins(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where words of unspaced scripts begin, for `words.next_cut_word`.

    Args:
        offsets: As in `words.TextBuffers`.
        data: UTF-8 bytes; text i is `data[offsets[i]:offsets[i + 1]]`.

    Returns:
        Shape (len(data),), dtype uint8: 1 at the first byte of a word, only where the letter there is unspaced. Shape
        (0,) where no text has such a letter, so that other text costs nothing but the look.
    """
    begins = np.zeros(len(data), np.uint8)
    spans, letters = find_runs(offsets, data, begins)
    if not letters:
        return np.zeros(0, np.uint8)
    if len(spans):
        cut = breaker()
        sizes = np.cumsum(spans[:, 1] - spans[:, 0] + 1)
        chunks = np.flatnonzero(np.diff(sizes // _CHUNK, prepend=-1))
        for part in np.split(spans, chunks[1:]):
            part = np.ascontiguousarray(part)
            # The locale decides nothing: ICU picks its dictionaries by script.
            segments = cut(gather(data, part).tobytes().decode(), "root").segments()
            ends = np.fromiter(chain.from_iterable(segments), np.int64)[1::2]
            mark_begins(data, part, np.ascontiguousarray(ends), begins)
    return begins


def words_of(text: str) -> list[str]:
    """The words of one text, in order: for a look, and for lists of a few texts. Not for hot loops."""
    from lauter.stages.kernels.words import cut_word_spans

    column: pa.Array[Any] = pa.array([text], pa.large_string())
    offsets, data = text_buffers(column)
    begins = word_begins(offsets, data)
    return [data[start:stop].tobytes().decode() for start, stop in cut_word_spans(data, 0, len(data), begins).tolist()]
