"""Probes of a model that stands alone, as `lauter probe` and an evaluation ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from lauter.trainer.batch import Batch
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.probes.probe import NOISE
from lauter.trainer.probes.score import Score, score
from lauter.trainer.probes.source import source
from lauter.trainer.probes.tasks import probes
from lauter.trainer.probes.words import KEYS

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
TOKENS = 1 << 14
"""Places of one pass, unless one probe is longer: of a model of 8 billion parameters, some 2 GB of activations."""


def probe(
    model: Apertus,
    tokenizer: TextTokenizer,
    *,
    tasks: Sequence[str],
    lengths: Sequence[int],
    depths: Sequence[float] = DEPTHS,
    count: int = 4,
    seed: int = 28,
    text: str = NOISE,
    words: int = len(KEYS),
) -> list[Score]:
    """How often a model answers right, by task, length and depth.

    Args:
        model: on any device, in any dtype.
        tokenizer: that of its ids.
        tasks: keys of `tasks.TASKS`.
        lengths: in tokens; the model computes longer ones than its `positions` as well.
        depths: where what is asked for stands, 0 to 1.
        count: probes for each task, length and depth.
        seed: of all that is drawn.
        text: the filler.
        words: how many of the everyday words are keys, and how many values; at least `needle.NEEDLES`.

    Raises:
        ProbeError: a length is too short for a task, or there are too many probes.
        TokenizerError: the filler can't become ids.
    """
    made_of = source(tokenizer, text, words=words)
    asked = probes(made_of, tasks=tasks, lengths=lengths, depths=depths, count=count, seed=seed)
    device = model.lm_head.weight.device

    def hits(batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        for batch in batches:
            yield batch, model.token_hits(batch.to(device))

    return score(asked, hits, tokens=TOKENS)
