"""What a run is made of, put together once: data, model on its devices, optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

from lauter.trainer.config.sections import RunSection, Training
from lauter.trainer.config.shape import model_shape
from lauter.trainer.data.corpus import Corpus, open_corpora
from lauter.trainer.data.loader import Loader
from lauter.trainer.data.samples import Samples
from lauter.trainer.data.source import SampleSource
from lauter.trainer.data.verify import Share, Verify
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.step import Objective
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.low_rank import add_low_rank
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.axes import PIPELINE, Axes, axes
from lauter.trainer.parallel.context.split import require_shares
from lauter.trainer.parallel.float8 import require_float8
from lauter.trainer.parallel.passes import Passes
from lauter.trainer.parallel.pipeline.placing import require_micro_batches, require_stages
from lauter.trainer.parallel.plan import compute_dtype, held_dtype, lay_out
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.parallel.tensor.pieces import require_fit
from lauter.trainer.preference.data import objective_of, open_pairs
from lauter.trainer.preference.samples import PairSamples


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the process does. Parameters have no meaning yet."""

    section: RunSection
    ranks: Ranks
    axes: Axes
    corpus: Corpus
    samples: SampleSource
    loader: Loader
    shape: ModelShape
    model: Apertus
    """This rank's part of it."""
    passes: Passes
    optimizer: Optimizer
    objective: Objective | None = None
    """What a step lowers; None: the mean cross-entropy."""


def assemble(section: RunSection, ranks: Ranks, verify: Verify, tell: Callable[[str], None]) -> Parts:
    """Open the data, look at them as closely as `verify` says, and make the model.

    Raises:
        ConfigError: the config does not go with these ranks or this tokenizer, or a corpus is not there at all.
        DataError: something is wrong with a corpus.
    """
    try:
        grid = axes(ranks, section.parallel)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    check_batches(section, grid.data_ranks)
    check_folders(section)
    if verify == "full":
        tell("compares every byte of the corpora with its digests")
    # Each rank reads its part of the bytes; one that finds a fault ends, and torchrun ends the others.
    pairs: PairSamples | None = None
    if section.preference is None:
        corpus = open_corpora(section.data, verify=verify, share=Share(ranks.rank, ranks.count))
    else:
        corpus, pairs = open_pairs(section.preference, section.data.sequence_length, section.seed)
    try:
        shape = model_shape(section.model, corpus.tokenizer.ids, section.data.sequence_length)
        if section.parallel.float8:
            require_float8(ranks.device)
        require_stages(section.parallel, shape)
        require_shares(section.parallel, shape, section.batch.micro * section.data.sequence_length)
        require_fit(
            shape, section.parallel, section.batch.micro * section.data.sequence_length // section.parallel.context
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    samples: SampleSource = Samples(corpus, section.data, section.seed) if pairs is None else pairs
    # Without memory first: of a model that is shared, no rank ever holds the whole.
    held = held_dtype(section.precision, grid)
    # Frozen weights are their own masters: in the dtype that they are computed with, whatever the layout.
    frozen = section.lora is not None
    model = Apertus(shape, device="meta", dtype=compute_dtype(section.precision) if frozen else held)
    if section.lora is not None:
        add_low_rank(model, section.lora, dtype=held)
    passes = lay_out(model, section.parallel, grid, section.precision, tell=tell)
    model.to_empty(device=ranks.device)
    stages = grid.along(PIPELINE)
    return Parts(
        section=section,
        ranks=ranks,
        axes=grid,
        corpus=corpus,
        samples=samples,
        loader=Loader(
            samples,
            rank=grid.data_rank,
            ranks=grid.data_ranks,
            micro=section.batch.micro,
            prefetch=section.data.prefetch,
        ),
        shape=shape,
        model=model,
        passes=passes,
        optimizer=Optimizer(
            ((name, one) for name, one in model.named_parameters() if one.requires_grad),
            section.optimizer,
            None if stages is None else stages.get_group(),
        ),
        objective=None if pairs is None else objective_of(section, pairs, tell),
    )


def check_folders(section: Training) -> None:
    """A folder that is not there is a slip of whoever named it; what is wrong inside of one is the corpus's fault.

    Raises:
        ConfigError: a local corpus is no folder.
    """
    paths = [corpus.path for corpus in section.data.corpora if "://" not in corpus.path]
    wrong = [path for path in paths if not Path(path).is_dir()]
    if wrong:
        raise ConfigError(
            "\n".join(f"{path}: there is no such folder; check data.corpora, or --data" for path in wrong)
        )


def check_batches(section: RunSection, ranks: int) -> None:
    """Every rank does the same number of whole micro-batches in every step, and the schedule of a pipeline takes it.

    Raises:
        ConfigError: a batch size is no multiple of `batch.micro` x `ranks`, those that read data, or makes a number of
            micro-batches that the schedule can't run.
    """
    micro, parallel = section.batch.micro, section.parallel
    sizes = [("batch.sequences", section.batch.sequences)]
    sizes += [(f"batch.ramp.{index}.sequences", step.sequences) for index, step in enumerate(section.batch.ramp)]
    for key, size in sizes:
        if size % (micro * ranks):
            words = "1 rank" if ranks == 1 else f"{ranks} ranks"
            if parallel.pipeline * parallel.context * parallel.tensor > 1:
                # The others of a group read what these do: to whom started 8 ranks, 2 would be a riddle.
                words += " that read data (parallel.replicate x parallel.shard)"
            fits = largest_micro([size for _, size in sizes], micro=micro, ranks=ranks)
            mend = f"no batch.micro fits, {ranks} does not divide it" if fits is None else f"batch.micro={fits} fits"
            raise ConfigError(
                f"{key}: {size} is no multiple of batch.micro ({micro}) x {words}; {mend}; "
                "change that, the number of sequences or of ranks"
            )
        try:
            require_micro_batches(parallel, size // (micro * ranks))
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from error


def largest_micro(sizes: Sequence[int], *, micro: int, ranks: int) -> int | None:
    """The largest `batch.micro`, at most the present one, that divides each rank's share of all sizes; None if uneven.

    >>> largest_micro([16, 24], micro=16, ranks=2)
    4
    """
    shared = gcd(*sizes)
    if shared % ranks:
        return None
    return next(one for one in range(micro, 0, -1) if shared // ranks % one == 0)
