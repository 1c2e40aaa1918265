"""What probes are made of, from a tokenizer and some text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lauter.trainer.data.stream import Stream
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.probes.probe import NOISE, Source
from lauter.trainer.probes.words import KEYS

FILLER = 1 << 20
"""Tokens of filler at most: 8 MB, and eight times the longest probe of 131,072."""


def source(tokenizer: TextTokenizer, text: str = NOISE, *, words: int = len(KEYS)) -> Source:
    """Filler is a text; `words` as in `Source`.

    Raises:
        TokenizerError: the text can't become ids.
    """
    encode = _without_bos(tokenizer)
    return Source(encode, tokenizer.bos, np.array(encode(text)[:FILLER], np.int64), words)


def source_of_streams(tokenizer: TextTokenizer, streams: Sequence[Stream]) -> Source:
    """Filler is the text of shards: of each stream the first row groups, up to a share of `FILLER`.

    Raises:
        DataError: a shard can't be read.
    """
    found = [_text(stream, FILLER // len(streams), tokenizer) for stream in streams]
    filler = np.concatenate(found) if found else np.empty(0, np.int64)
    return Source(_without_bos(tokenizer), tokenizer.bos, filler) if len(filler) else source(tokenizer)


def _text(stream: Stream, most: int, tokenizer: TextTokenizer) -> NDArray[np.int64]:
    begin = set() if tokenizer.bos is None else {tokenizer.bos}
    controls = np.array(sorted({*tokenizer.controls, *tokenizer.ends, *begin}), np.int64)
    parts: list[NDArray[np.int64]] = []
    for group in range(len(stream.places())):
        tokens = stream.read(group).tokens[:most].astype(np.int64)
        parts.append(tokens[~np.isin(tokens, controls)])
        if sum(map(len, parts)) >= most:
            break
    return np.concatenate([np.empty(0, np.int64), *parts])[:most]


def _without_bos(tokenizer: TextTokenizer) -> Callable[[str], list[int]]:
    begin = 0 if tokenizer.bos is None else 1
    return lambda text: tokenizer.encode(text)[begin:]
