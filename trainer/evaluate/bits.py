"""Bits per byte of documents that a model was not trained on, by language.

Nats a token tell nothing across tokenizers: one with larger pieces has fewer of them. Bits a byte of text do (Gao et
al., The Pile, arXiv 2101.00027, section 3.1). Both sums are over the ids that stand for text: BOS is given, and EOS and
placeholders of removed personal data have no bytes, so their losses are left out too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.data.stream import Stream
from lauter.trainer.evaluate.likelihood import TOKENS
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus

UNKNOWN = "unknown"
"""The language of documents that have none."""
ALL = "all"


@dataclass(slots=True)
class Sums:
    """Of one language."""

    documents: int = 0
    tokens: int = 0
    """Ids that stand for text."""
    bytes: int = 0
    """Of UTF-8."""
    nats: float = 0.0

    def add(self, other: Sums) -> None:
        """Take another's on top."""
        self.documents += other.documents
        self.tokens += other.tokens
        self.bytes += other.bytes
        self.nats += other.nats

    def to_json(self) -> dict[str, Any]:
        """With the ratios."""
        return {
            "bits_per_byte": self.nats / math.log(2) / self.bytes,
            "loss": self.nats / self.tokens,
            "perplexity": math.exp(min(self.nats / self.tokens, 700.0)),
            "documents": self.documents,
            "tokens": self.tokens,
            "bytes": self.bytes,
        }


def bits_per_byte(
    model: Apertus,
    tokenizer: TextTokenizer,
    streams: Sequence[Stream],
    languages: Sequence[str],
    *,
    per_language: int,
    window: int,
    tokens: int = TOKENS,
) -> dict[str, Sums]:
    """Sums by language, in order of name, and `ALL` of them last; languages without any text are left out.

    Each document is read by itself. One that is longer than `window` places is cut: each id but BOS is predicted once,
    and the first of a later piece after the one before it alone.

    Args:
        model: on any device, in any dtype.
        tokenizer: that of its ids.
        streams: read in their order, documents in stored order; those that a takedown removed are passed over.
        languages: names of the streams' numbers of languages.
        per_language: documents of a language are read until they have so many tokens.
        window: places that the model sees at most.
        tokens: places of one pass, unless one piece is longer.

    Raises:
        DataError: a shard can't be read.
    """
    names = [*languages, UNKNOWN]
    controls = np.array(sorted({*tokenizer.controls, *tokenizer.ends, *_begin(tokenizer)}), np.int64)
    sizes = _sizes(tokenizer, model.shape.vocabulary)
    found: dict[int, Sums] = {}
    pieces: list[_Piece] = []
    held = 0
    for language, ids in _documents(streams, per_language):
        text = ~np.isin(ids, controls)
        sums = found.setdefault(language, Sums())
        sums.documents += 1
        due, plain = ids[1:], text[1:]
        sums.tokens += int(plain.sum())
        sums.bytes += _decoded(tokenizer, due, plain) if sizes is None else int(sizes[due][plain].sum())
        for piece in _cut(language, ids, text, window):
            if pieces and held + len(piece.ids) > tokens:
                _measure(model, pieces, found)
                pieces, held = [], 0
            pieces.append(piece)
            held += len(piece.ids)
    if pieces:
        _measure(model, pieces, found)
    by_name = {names[language]: sums for language, sums in found.items() if sums.bytes}
    everything = Sums()
    for sums in by_name.values():
        everything.add(sums)
    return {**dict(sorted(by_name.items())), **({ALL: everything} if by_name else {})}


@dataclass(frozen=True, slots=True)
class _Piece:
    language: int
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]


def _documents(streams: Sequence[Stream], per_language: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Number of the language (-1: none) and ids, until each language has its tokens."""
    seen: dict[int, int] = {}
    for stream in streams:
        for group in range(len(stream.places())):
            rows = stream.read(group)
            for row in range(len(rows.languages)):
                language = int(rows.languages[row])
                start, end = int(rows.offsets[row]), int(rows.offsets[row + 1])
                if rows.removed[row] or seen.get(language, 0) >= per_language or end - start < 2:
                    continue
                seen[language] = seen.get(language, 0) + end - start
                yield language, rows.tokens[start:end].astype(np.int64)


def _cut(language: int, ids: NDArray[np.int64], text: NDArray[np.bool_], window: int) -> Iterator[_Piece]:
    labels = np.where(text[1:], ids[1:], IGNORE)
    for start in range(0, len(labels), window):
        yield _Piece(language, ids[start : min(start + window, len(labels))], labels[start : start + window])


def _measure(model: Apertus, pieces: Sequence[_Piece], found: Mapping[int, Sums]) -> None:
    device = model.lm_head.weight.device
    lengths = [len(piece.ids) for piece in pieces]
    labels = torch.from_numpy(np.concatenate([piece.labels for piece in pieces]))
    batch = Batch(
        torch.from_numpy(np.concatenate([piece.ids for piece in pieces])),
        labels,
        torch.cat([torch.arange(length, dtype=torch.int32) for length in lengths]),
        Bounds.of(lengths),
        torch.zeros(len(labels), dtype=torch.int16),
        int((labels != IGNORE).sum()),
        0,
    )
    losses = model.token_losses(batch.to(device)).double().cpu()
    for piece, loss in zip(pieces, losses.split(lengths), strict=True):
        found[piece.language].nats += float(loss.sum())


def _begin(tokenizer: TextTokenizer) -> list[int]:
    return [] if tokenizer.bos is None else [tokenizer.bos]


def _sizes(tokenizer: TextTokenizer, vocabulary: int) -> NDArray[np.int64] | None:
    """Bytes of each id, where the vocabulary is one of bytes."""
    if tokenizer.pieces is None:
        return None
    sizes = np.zeros(vocabulary, np.int64)
    for index, piece in tokenizer.pieces.items():
        if index < vocabulary:
            sizes[index] = len(piece)
    return sizes


def _decoded(tokenizer: TextTokenizer, ids: NDArray[np.int64], text: NDArray[np.bool_]) -> int:
    """Bytes of the runs between control tokens, as the tokenizer gives them back."""
    size, run = 0, []
    for index, plain in zip(ids.tolist(), text.tolist(), strict=True):
        if plain:
            run.append(index)
        elif run:
            size, run = size + len(tokenizer.decode(run).encode()), []
    return size + (len(tokenizer.decode(run).encode()) if run else 0)
