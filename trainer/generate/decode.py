"""From tokens to text while they come: no half characters, and no text beyond a stop."""

from __future__ import annotations

import codecs

from lauter.trainer.generate.tokenizer import TextTokenizer


class Detokenizer:
    """One sequence's tokens as text, each as soon as its characters are whole.

    A token may end inside a character (a byte-level vocabulary knows bytes, not letters): those bytes wait for the
    next token. Bytes that no character has become U+FFFD. Placeholders give their names, other control tokens nothing.

    All that `push` and `finish` gave, joined, is the text of the tokens, whatever the pauses.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        self._run: list[int] = []
        self._told = 0

    def push(self, token: int) -> str:
        """The text that is certain with this token, "" if none."""
        if token in self._tokenizer.controls:
            return self.finish() + self._tokenizer.shown.get(token, "")
        if self._tokenizer.pieces is not None:
            return self._bytes.decode(self._tokenizer.pieces.get(token, b""))
        # Other vocabularies: the whole run again, and of it what is new; U+FFFD at its end may still become a letter.
        self._run.append(token)
        return self._more(self._tokenizer.decode(self._run).rstrip("\ufffd"))

    def finish(self) -> str:
        """The text that still waited; then a new run begins."""
        if self._tokenizer.pieces is not None:
            text = self._bytes.decode(b"", final=True)
            self._bytes.reset()
            return text
        text = self._more(self._tokenizer.decode(self._run)) if self._run else ""
        self._run, self._told = [], 0
        return text

    def _more(self, text: str) -> str:
        new = text[self._told :]
        self._told = max(self._told, len(text))
        return new


class Continuation:
    """What a sequence says, up to the first of the texts `stops`.

    Text that may be the beginning of a stop is held back until the next token decides.
    """

    def __init__(self, tokenizer: TextTokenizer, stops: tuple[str, ...] = ()) -> None:
        self.tokens: list[int] = []
        self.text = ""
        """What is certain, without a stop and what comes after it."""
        self.stopped = False
        self._detokenizer = Detokenizer(tokenizer)
        self._stops = tuple(stop for stop in stops if stop)
        self._waiting = ""

    def push(self, token: int) -> str:
        """The text that has become certain."""
        self.tokens.append(token)
        return self._told(self._detokenizer.push(token), last=False)

    def finish(self) -> str:
        """The text that still waited, after the last token."""
        return self._told(self._detokenizer.finish(), last=True)

    def _told(self, new: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        self._waiting += new
        places = [place for stop in self._stops if (place := self._waiting.find(stop)) >= 0]
        self.stopped = bool(places)
        end = min(places) if places else len(self._waiting) - (0 if last else self._held())
        text, self._waiting = self._waiting[:end], self._waiting[end:]
        self.text += text
        return text

    def _held(self) -> int:
        # Characters at the end that begin a stop.
        longest = max(map(len, self._stops), default=0) - 1
        for length in range(min(longest, len(self._waiting)), 0, -1):
            if any(stop.startswith(self._waiting[-length:]) for stop in self._stops):
                return length
        return 0
