"""The memorisation test as `lauter eval --memorisation` runs it: recall of passages, exposure of canaries."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from lauter.pipeline.planting import Planted
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.memorisation.exposure import REFERENCES, Exposed, exposures
from lauter.trainer.memorisation.passages import LeftOut, passages
from lauter.trainer.memorisation.recall import GREEDY, NUCLEUS, Bucket, Decoding, recall
from lauter.trainer.model.apertus import Apertus


@dataclass(frozen=True, slots=True)
class Wish:
    """How to ask. Lengths and offsets in tokens; Apertus's are 500, 500 and 0 to 2,048 (section 5.4)."""

    prefix: int = 500
    suffix: int = 500
    offsets: tuple[int, ...] = (0,)
    decodings: tuple[Decoding, ...] = (GREEDY, NUCLEUS)
    known: Set[str] = frozenset()
    """Probes that are left out, as their text stands in the corpus besides."""
    references: int = REFERENCES
    seed: int = 28


@dataclass(frozen=True, slots=True)
class Memorised:
    """What was found; lists are in order of repetitions."""

    wish: Wish
    recall: Sequence[Bucket]
    exposure: Sequence[Exposed]
    left_out: LeftOut

    def to_json(self) -> dict[str, Any]:
        """Decoding -> repetitions -> figures, and repetitions -> exposure."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.recall:
            found.setdefault(one.decoding, {})[str(one.repetitions)] = one.to_json()
        return {
            "prefix": self.wish.prefix,
            "suffix": self.wish.suffix,
            "offsets": list(self.wish.offsets),
            "seed": self.wish.seed,
            "recall": found,
            "exposure": {str(one.repetitions): one.to_json() for one in self.exposure},
            "left_out": asdict(self.left_out),
        }


def memorisation(model: Apertus, tokenizer: TextTokenizer, planted: Sequence[Planted], wish: Wish) -> Memorised:
    """Ask a model for what was planted in its corpus.

    Raises:
        TokenizerError: a probe can't become ids.
        ValueError: prefix and suffix are more than the model's positions, or no probe is long enough and none a canary.
    """
    asked, left = passages(
        planted, tokenizer, prefix=wish.prefix, suffix=wish.suffix, offsets=wish.offsets, known=wish.known
    )
    if not asked and left.short and all(one.drawn is None for one in planted):
        raise ValueError(
            f"no probe has {wish.prefix + wish.suffix + min(wish.offsets)} tokens: ask for a shorter prefix, suffix or "
            "offset"
        )
    found = recall(model, asked, wish.decodings, ends=tokenizer.ends, seed=wish.seed) if asked else []
    exposed = exposures(model, planted, tokenizer, references=wish.references, seed=wish.seed)
    return Memorised(wish, found, exposed, left)
