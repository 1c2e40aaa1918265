"""From a config of `lauter tune` to the run that it is: model of a checkpoint, length of the data."""

from __future__ import annotations

from pathlib import Path

from lauter.trainer.checkpoint.error import NoCheckpoint
from lauter.trainer.checkpoint.latest import candidates
from lauter.trainer.checkpoint.layout import META
from lauter.trainer.checkpoint.meta import read_meta
from lauter.trainer.checkpoint.read import Checkpoint, model_shape_of, resolve
from lauter.trainer.config.sections import ModelSection, Objective, RunSection
from lauter.trainer.config.tune import TuneSection, model_of
from lauter.trainer.data.corpus import open_corpora
from lauter.trainer.data.samples import Samples
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.parts import check_folders


def tuned(section: TuneSection, objective: Objective, out: Path, start: Path | None) -> RunSection:
    """The run of a tune in the folder `out`, which goes on there or begins from `start`.

    Under torchrun every process calls it, each for itself.

    Raises:
        ConfigError: there is no checkpoint to begin from, or the config does not go with it.
        DataError: something is wrong with a corpus.
        CheckpointError: the checkpoint can't be read.
    """
    if section.preference is not None:
        raise ConfigError(
            f"preference: `lauter tune {objective}` learns from answers alone; leave it out, or run qrpo or dpo"
        )
    model = section.model or model_of_run(out, start)
    check_folders(section)
    samples = Samples(open_corpora(section.data), section.data, section.seed)
    try:
        return section.run(objective, model, samples.epoch)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def model_of_run(out: Path, start: Path | None) -> ModelSection:
    """The model of the run in `out`, or of the checkpoint that it is to begin with. Raises as `tuned`."""
    folder = own_checkpoint(out)
    if folder is None:
        if start is None:
            raise ConfigError(f"{out} has no checkpoint yet: give --from CHECKPOINT, whose weights are tuned")
        try:
            folder = resolve(start)
        except NoCheckpoint as error:
            raise ConfigError(f"--from {error}") from error
    checkpoint = Checkpoint(folder, read_meta(folder))
    try:
        return model_of(model_shape_of(checkpoint))
    except ValueError as error:
        raise ConfigError(f"{folder}: {error}") from error


def own_checkpoint(out: Path) -> Path | None:
    """The newest checkpoint of the run in `out` that says what it is of; None where it has none yet.

    Whether it is whole is asked when the run goes on: it may take an older one.
    """
    folders, _ = candidates(out / "checkpoints")
    for folder in folders:
        if (folder / META).is_file():
            return folder
    return None
