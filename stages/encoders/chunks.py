"""From a text to the chunks that an encoder sees, as ids of its own tokenizer.

A chunk holds up to 512 tokens, the marks of beginning and end included, in order and without overlap, as in Apertus.
A text with more chunks than are wanted gives some of its chunks, evenly spread and the first among them; a very long
one is cut to windows before the tokenizer sees it, which would need gigabytes for a line of 50 MB.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

WINDOW = 4096
"""Code points of a window of a very long text. 510 tokens of XLM-R are 2,000 to 2,500 code points of ordinary European
text and a few hundred of Chinese; a window of longer tokens gives a shorter chunk."""
_WIDEST = 1 << 20
"""Code points that are searched for a first chunk: a million blanks are not read on."""


class Chunker:
    """A tokenizer.json, ready to cut texts.

    Attributes:
        pad: The id that fills a batch where a chunk is shorter.
    """

    def __init__(self, tokenizer: str, chunk_tokens: int) -> None:
        """Load the file.

        Raises:
            ValueError: It is no tokenizer.json, or puts other marks around a text than one at each end.
            OSError: It cannot be read.
        """
        data = Path(tokenizer).read_bytes()
        try:
            self._tokenizer = Tokenizer.from_buffer(data)
        except Exception as error:
            # The Rust library raises bare exceptions.
            raise ValueError(f"{tokenizer} is no tokenizer.json: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        marks = self._tokenizer.encode("").ids
        if len(marks) != 2:
            raise ValueError(f"{tokenizer} puts {len(marks)} marks around a text, and one at each end was expected")
        self._begin, self._end = marks
        added = self._tokenizer.get_added_tokens_decoder()
        self._marks = [token.content for token in added.values() if token.special]
        self.pad = next((i for i, token in added.items() if token.content in ("<pad>", "[PAD]")), self._end)
        self._room = chunk_tokens - 2

    def first(self, text: str) -> list[int]:
        """The first chunk of a text."""
        width = WINDOW
        while True:
            found = self._cut(text[:width])
            # Where the beginning alone overflows a chunk, the rest of the text has no say in it.
            if len(found) > 1 or width >= min(len(text), _WIDEST):
                return found[0]
            width *= 4

    def chunks(self, text: str, most: int) -> list[list[int]]:
        """Up to `most` chunks of a text, at least one, in order."""
        first = self.first(text)
        # Whoever wants the first chunk alone gets the same one, whatever somebody else asks for.
        if most == 1:
            return [first]
        if len(text) > most * WINDOW:
            places = _spread(len(text) - WINDOW + 1, most)[1:]
            return [first, *(self.first(text[at : at + WINDOW]) for at in places)]
        found = self._cut(text)
        return [first, *(found[at] for at in _spread(len(found), min(most, len(found)))[1:])]

    def _cut(self, text: str) -> list[list[int]]:
        # A page that holds "</s>" or "<pad>" would put that mark into the middle of a chunk. The tokenizer cannot be
        # told otherwise: in a unigram vocabulary the marks are pieces like any other.
        for mark in self._marks:
            text = text.replace(mark, " ")
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [[self._begin, *ids[at : at + self._room], self._end] for at in range(0, max(len(ids), 1), self._room)]


def _spread(length: int, wanted: int) -> list[int]:
    """`wanted` of the places 0 to length - 1, the first and the last among them, evenly apart."""
    return [index * (length - 1) // max(wanted - 1, 1) for index in range(wanted)]
