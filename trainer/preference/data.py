"""A run's preference data, opened: samples, and what a checkpoint says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lauter.pipeline.storage import Storage
from lauter.trainer.config.preference import PreferenceSection
from lauter.trainer.config.sections import Objective
from lauter.trainer.data.corpus import Corpus
from lauter.trainer.preference.dpo import DPO
from lauter.trainer.preference.index import provenance_of, read_index, tokenizer_of_index
from lauter.trainer.preference.objective import PreferenceObjective
from lauter.trainer.preference.qrpo import QRPO
from lauter.trainer.preference.reference import find_reference
from lauter.trainer.preference.samples import PairSamples
from lauter.trainer.preference.terms import PreferenceLoss


def open_pairs(folder: Path, *, sequence_length: int, seed: int) -> tuple[Corpus, PairSamples]:
    """The pairs of a folder as samples, and a corpus that has no streams but says where they come from.

    Raises:
        UnfitError: the data are not finished, or there is no pair. `DataError`: a file is missing or damaged.
    """
    storage = Storage(str(folder))
    index = read_index(storage)
    tokenizer = tokenizer_of_index(storage, index)
    corpus = Corpus({}, {}, (), {}, tokenizer, [provenance_of(storage, index)])
    samples = PairSamples(
        storage,
        index["identity"],
        index["blocks"],
        sequence_length=sequence_length,
        seed=seed,
        pad=tokenizer.padding,
    )
    return corpus, samples


def objective_of(
    section: PreferenceSection,
    objective: Objective,
    samples: PairSamples,
    folder: Path,
    *,
    micro: int,
    tell: Callable[[str], None],
) -> PreferenceObjective:
    """The loss of a run, which fills in the reference model's log-probabilities before its first step."""
    loss: PreferenceLoss
    if objective == "qrpo":
        loss = QRPO(section.beta, normalised=section.normalised, largest_beta=section.largest_beta)
    else:
        loss = DPO(section.beta, normalised=section.normalised)
    storage = Storage(str(folder))
    return PreferenceObjective(
        loss, lambda passes, axes: find_reference(passes, axes, samples, storage, micro=micro, tell=tell)
    )
