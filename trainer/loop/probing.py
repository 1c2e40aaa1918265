"""Probes during a run: does the model find what stands far back in its context?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.probes import ProbesSection
from lauter.trainer.data.corpus import Corpus
from lauter.trainer.generate.tokenizer import TokenizerError, text_tokenizer
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.parallel.axes import Axes
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.parallel.plan import let_go
from lauter.trainer.probes.probe import ProbeError, Source
from lauter.trainer.probes.score import Score, Share, score
from lauter.trainer.probes.source import source_of_streams
from lauter.trainer.probes.tasks import probes


@dataclass(frozen=True, slots=True)
class Probing:
    """What the section asks for, and what its probes are made of."""

    section: ProbesSection
    source: Source
    seed: int


def read_probing(section: ProbesSection, corpus: Corpus, parallel: ParallelSection, seed: int) -> Probing:
    """Before the first step. Filler is held-out text where there is any, else made-up sentences.

    Raises:
        ConfigError: a length is too short for a task, or the ranks can't share it.
        DataError: a shard can't be read.
    """
    parts = (2 * parallel.context if parallel.context > 1 else 1) * (parallel.tensor if parallel.sequence else 1)
    uneven = [length for length in section.lengths if length % parts]
    if uneven:
        raise ConfigError(f"probes.lengths: {uneven[0]} is no multiple of {parts}, which the axes of parallel ask for")
    files = corpus.tokenizer
    try:
        tokenizer = text_tokenizer(files.files, bos=files.bos, ends=frozenset({files.eos}))
        source = source_of_streams(tokenizer, list(corpus.held_out.values()))
        # One of each shows whether it fits.
        lengths, first = [min(section.lengths)], section.depths[:1]
        list(probes(source, tasks=section.tasks, lengths=lengths, depths=first, count=1, seed=seed))
    except (TokenizerError, ProbeError) as error:
        raise ConfigError(f"probes: {error}") from error
    return Probing(section, source, seed)


def probed(probing: Probing, model: Apertus, passes: Passes, axes: Axes, *, tokens: int) -> list[Score]:
    """Ask the model, at most `tokens` places at a time; called by all ranks, whatever the layout."""
    section = probing.section
    asked = probes(
        probing.source,
        tasks=section.tasks,
        lengths=section.lengths,
        depths=section.depths,
        count=section.count,
        seed=probing.seed,
    )
    share = Share(axes.data_rank, axes.data_ranks, axes.counts_loss, axes.ranks.sum)
    try:
        return score(asked, passes.token_hits, tokens=tokens, share=share)
    finally:
        # Also for whoever saves after an error.
        let_go(model)


def words(found: Mapping[str, Mapping[int, float]]) -> str:
    """Shares of right answers by task and length, in one line.

    >>> words({"single": {512: 1.0, 4096: 0.25}})
    'single 100 % at 512, 25 % at 4,096'
    """
    return "; ".join(
        f"{task} {', '.join(f'{share:.0%} at {length:,}'.replace('%', ' %') for length, share in by.items())}"
        for task, by in found.items()
    )
