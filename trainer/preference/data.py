"""A run's preference data, opened: samples, and what a checkpoint says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lauter.pipeline.storage import Storage
from lauter.trainer.config.preference import PreferenceSection
from lauter.trainer.config.sections import RunSection
from lauter.trainer.data.corpus import Corpus
from lauter.trainer.loop.folder import PREFERENCES
from lauter.trainer.preference.dpo import DPO
from lauter.trainer.preference.index import provenance_of, read_index, tokenizer_of_index
from lauter.trainer.preference.objective import PreferenceObjective
from lauter.trainer.preference.qrpo import QRPO
from lauter.trainer.preference.reference import find_reference
from lauter.trainer.preference.samples import PairSamples
from lauter.trainer.preference.terms import PreferenceLoss


def folder_of(section: PreferenceSection, out: Path) -> Path:
    """Where the data of a run in `out` lie."""
    return (out / PREFERENCES).absolute() if section.data is None else Path(section.data)


def open_pairs(section: PreferenceSection, sequence_length: int, seed: int) -> tuple[Corpus, PairSamples]:
    """The pairs of a folder (`data`) as samples, and a corpus that has no streams but says where they come from.

    Raises:
        UnfitError: the data are not finished, or there is no pair. `DataError`: a file is missing or damaged.
    """
    storage = Storage(str(section.data))
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


def objective_of(section: RunSection, samples: PairSamples, tell: Callable[[str], None]) -> PreferenceObjective:
    """The loss of a run, which fills in the reference model's log-probabilities before its first step."""
    preference = section.preference
    assert preference is not None
    loss: PreferenceLoss
    if section.objective == "qrpo":
        loss = QRPO(preference.beta, normalised=preference.normalised, largest_beta=preference.largest_beta)
    else:
        loss = DPO(preference.beta, normalised=preference.normalised)
    storage = Storage(str(preference.data))
    return PreferenceObjective(
        loss,
        lambda passes, axes: find_reference(passes, axes, samples, storage, micro=section.batch.micro, tell=tell),
    )
