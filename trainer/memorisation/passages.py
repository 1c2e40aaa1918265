"""Planted texts as questions: a prefix that the model reads, and the suffix that it might know by heart."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from lauter.pipeline.planting import Planted
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError
from lauter.trainer.memorisation.likeness import variety

LEAST_VARIETY = 0.4
"""A reference with a lower type-token ratio repeats itself: anything repetitive would be like it (Apertus, 5.4)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One probe at one offset."""

    id: str
    bucket: str
    repetitions: int
    offset: int
    prompt: tuple[int, ...]
    """As the ids stood in the shard: with BOS in front at offset 0, without it further on."""
    suffix: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Probes, at one offset each, that are not asked for."""

    short: int = 0
    """They end before their suffix does."""
    degenerate: int = 0
    """Their suffix repeats itself."""
    known: int = 0
    """Their text is known to stand elsewhere in the corpus too."""


def passages(
    planted: Iterable[Planted],
    tokenizer: TextTokenizer,
    *,
    prefix: int,
    suffix: int,
    offsets: Iterable[int] = (0,),
    known: Set[str] = frozenset(),
) -> tuple[list[Passage], LeftOut]:
    """Every probe that is no canary, at each offset, in their order.

    Args:
        planted: what a corpus was planted with.
        tokenizer: that of the model.
        prefix: tokens that the model reads.
        suffix: tokens that are compared.
        offsets: tokens before the prefix.
        known: identifiers of probes that stand in the corpus more often than they were planted.

    Raises:
        TokenizerError: a text can't become ids.
    """
    begin = [] if tokenizer.bos is None else [tokenizer.bos]
    wanted = sorted(set(offsets))
    found: list[Passage] = []
    short = degenerate = contaminated = 0
    for one in planted:
        if one.drawn is not None:
            continue
        try:
            ids = tokenizer.encode(one.text)[len(begin) :]
        except TokenizerError as error:
            raise TokenizerError(f"probe {one.id}: {error}") from error
        for offset in wanted:
            start = offset + prefix
            reference = ids[start : start + suffix]
            if one.id in known:
                contaminated += 1
            elif len(reference) < suffix:
                short += 1
            elif variety(reference) < LEAST_VARIETY:
                degenerate += 1
            else:
                prompt = [*([] if offset else begin), *ids[offset:start]]
                found.append(Passage(one.id, one.bucket, one.repetitions, offset, tuple(prompt), tuple(reference)))
    return found, LeftOut(short, degenerate, contaminated)
