"""From a config of `lauter tune qrpo` or `dpo` to the run that it is: what is missing of its data is made first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lauter.trainer.config.preference import PreferenceSection
from lauter.trainer.config.sections import ModelSection, Objective, RunSection
from lauter.trainer.config.tune import TuneSection
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.parts import check_batches
from lauter.trainer.loop.tune import model_of_run, own_checkpoint
from lauter.trainer.preference.data import folder_of, open_pairs
from lauter.trainer.preference.preparing import prepare, ranks_here

ENOUGH = 10**9
"""Samples of an epoch that has a step of any size."""


def tuned_by_preferences(
    section: TuneSection, objective: Objective, out: Path, start: Path | None, tell: Callable[[str], None]
) -> RunSection:
    """The run in the folder `out`, which goes on there or begins from `start`, the reference model.

    Under torchrun every process calls it.

    Raises:
        ConfigError: the config does not say what is preferred, or there is nothing to begin from.
        UnfitError, DataError, CheckpointError, RewardError, EndpointError: see `prepare`.
    """
    preference = _checked(section, objective)
    model = section.model or model_of_run(out, start)
    folder = folder_of(preference, out)
    if own_checkpoint(out) is None:
        if start is None:
            raise ConfigError(
                f"{out} has no checkpoint yet: give --from CHECKPOINT, the model that answers better after"
            )
        length = section.data.sequence_length
        # How many samples an epoch has is not known yet; what is wrong with a step is told before hours of sampling.
        parallel = section.parallel
        readers = ranks_here().count // (parallel.pipeline * parallel.context * parallel.tensor)
        check_batches(_run_of(section, objective, model, ENOUGH), max(readers, 1))
        prepare(preference, seed=section.seed, longest=length, start=start, out=out, tell=tell)
    preference = preference.model_copy(update={"data": str(folder)})
    section = section.model_copy(update={"preference": preference})
    _, samples = open_pairs(preference, section.data.sequence_length, section.seed)
    return _run_of(section, objective, model, samples.epoch)


def _run_of(section: TuneSection, objective: Objective, model: ModelSection, epoch: int) -> RunSection:
    try:
        return section.run(objective, model, epoch)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _checked(section: TuneSection, objective: Objective) -> PreferenceSection:
    preference = section.preference
    if preference is None:
        raise ConfigError(f"`lauter tune {objective}` learns from preferences: the config needs a section `preference`")
    problems = []
    if section.data.corpora:
        problems.append("data.corpora: preferences are made of preference.prompts; leave it out")
    if section.validation is not None:
        problems.append("validation: there is no held-out text here; leave it out, and look at `pairs_in_order`")
    if section.data.goldfish is not None or section.z_loss:
        problems.append(
            "data.goldfish, z_loss: both would change what a completion's log-probability is; leave them out"
        )
    if objective == "dpo" and preference.pairs.choice == "random":
        problems.append(
            "preference.pairs.choice: two random ones may be equally good, which DPO can't use; take spread"
        )
    largest = preference.largest_beta
    if objective == "qrpo" and not preference.normalised and largest is not None and preference.beta > largest:
        problems.append(
            f"preference.beta: {preference.beta:g}, which is not divided by lengths, would always be cut to "
            f"largest_beta {largest:g}; set largest_beta to null, or lower beta"
        )
    if problems:
        raise ConfigError("\n".join(problems))
    return preference
