"""From YAML and `key=value` overrides to a checked `RunSection`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lauter.pipeline.faults import faults
from lauter.pipeline.mixture import load_mixture
from lauter.pipeline.yaml_lines import Document, Location, ManifestError
from lauter.pipeline.yaml_lines import load as load_yaml
from lauter.trainer.config.overrides import overridden, told
from lauter.trainer.config.phases import PHASES, phase_names, with_phase, without_phases
from lauter.trainer.config.preference import seen_from
from lauter.trainer.config.sections import COOLS_DOWN, CorpusSection, RunSection, ScheduleSection, Training
from lauter.trainer.config.tune import TuneSection

Config = TypeVar("Config", bound=Training)


def load(
    path: str,
    overrides: Sequence[str] = (),
    data: Sequence[str] = (),
    *,
    cools_down: bool = False,
    phase: str | None = None,
    needs_data: bool = True,
) -> RunSection:
    """Read and check a config, or one of its phases. Paths of corpora come out absolute.

    `overrides` are `dotted.key=value`, the value read as YAML; an item of a list is named by its index; those of a
    phase's own keys (`phases.0.tokens=1e9`) and of the total that phases count on from (`schedule.total_tokens=1e9`)
    come before a phase's sections are laid over the config, all others after. Where no phase is asked for, all of them
    are checked, and overrides of what belongs to the first training alone don't reach them. `data` are run folders
    relative to the current folder, in place of the config's own. `cools_down`: the schedule's total and cooldown will
    be put in later (`--cooldown`), so its parts need not fit together yet.

    Raises:
        ManifestError: every problem found, with file and line, or with the override that caused it.
    """
    return _load(path, _split(overrides, ALWAYS_FIRST), data, cools_down=cools_down, phase=phase, needs_data=needs_data)


def _load(
    path: str,
    split: tuple[list[str], list[str]],
    data: Sequence[str],
    *,
    cools_down: bool,
    phase: str | None,
    needs_data: bool,
) -> RunSection:
    document = _read(path)
    changed: dict[Location, str] = {}
    before, after = split
    content: dict[str, Any] = document.data
    for override in before:
        content = overridden(content, override, changed)
    names, index = phase_names(document, content), None
    if phase is None:
        content = without_phases(content)
    else:
        content, index = with_phase(document, content, phase)
    for override in after:
        content = overridden(content, override, changed)
    folder = Path(path).absolute().parent
    content = _with_mixtures(content, folder)
    section = _checked(RunSection, document, content, changed, index, cools_down=cools_down)
    if phase is None:
        # A fault in a later phase is told now, not after weeks.
        split = _split([*before, *after], ALWAYS_FIRST | OF_FIRST)
        for name in names:
            _load(path, split, data, cools_down=False, phase=name, needs_data=needs_data)
    return _with_corpora(section, document, folder, data, needs_data=needs_data)


def load_tune(
    path: str, overrides: Sequence[str] = (), data: Sequence[str] = (), *, needs_data: bool = True
) -> TuneSection:
    """Read and check a config of `lauter tune`; all as `load` does it. It has no phases.

    Raises:
        ManifestError: every problem found, with file and line, or with the override that caused it.
    """
    document = _read(path)
    changed: dict[Location, str] = {}
    content: dict[str, Any] = document.data
    for override in overrides:
        content = overridden(content, override, changed)
    folder = Path(path).absolute().parent
    content = _with_mixtures(content, folder)
    section = _checked(TuneSection, document, content, changed, None, cools_down=False)
    if section.preference is not None:
        section = section.model_copy(update={"preference": seen_from(section.preference, folder)})
    return _with_corpora(section, document, folder, data, needs_data=needs_data)


def _checked(
    model: type[Config],
    document: Document,
    content: Mapping[str, Any],
    changed: Mapping[Location, str],
    phase: int | None,
    *,
    cools_down: bool,
) -> Config:
    try:
        return model.model_validate(content, context={COOLS_DOWN: cools_down})
    except ValidationError as error:
        raise ManifestError(
            [
                told(model, document, _in_phase(document, place, phase, changed), message, changed)
                for place, message in faults(model, error)
            ]
        ) from error


def _with_corpora(
    section: Config, document: Document, folder: Path, data: Sequence[str], *, needs_data: bool
) -> Config:
    corpora = (
        tuple(CorpusSection(path=_absolute(Path.cwd(), one)) for one in data)
        if data
        else tuple(one.model_copy(update={"path": _absolute(folder, one.path)}) for one in section.data.corpora)
    )
    if needs_data and not corpora:
        raise ManifestError([document.problem(("data",), "no corpus: name one under data.corpora, or give --data DIR")])
    return section.model_copy(update={"data": section.data.model_copy(update={"corpora": corpora})})


def phases(path: str, overrides: Sequence[str] = ()) -> list[str]:
    """Names of a config's phases, in their order. Raises `ManifestError` where they can't be read."""
    document = _read(path)
    content: dict[str, Any] = document.data
    for override in _split(overrides, ALWAYS_FIRST)[0]:
        content = overridden(content, override, {})
    return phase_names(document, content)


def _read(path: str) -> Document:
    _require_file(path)
    document = load_yaml(Path(path))
    if not isinstance(document.data, dict):
        raise ManifestError([document.problem((), "expected a mapping of keys to values")])
    return document


ALWAYS_FIRST = frozenset({(PHASES,), ("schedule", "total_tokens")})
"""Keys that say where a phase begins: overrides of them and of what is below come before the phase is laid over."""
OF_FIRST = frozenset({("schedule",), ("data", "stages"), ("batch", "ramp")})
"""What a phase does not take over, or only below its own: an override for the first training does no more."""


def _split(overrides: Sequence[str], first: frozenset[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """Overrides of these keys and of what is below them, and all others."""
    paths = [tuple(one.partition("=")[0].split(".")) for one in overrides]
    before = [any(path[: len(key)] == key for key in first) for path in paths]
    return (
        [one for one, early in zip(overrides, before, strict=True) if early],
        [one for one, early in zip(overrides, before, strict=True) if not early],
    )


def _in_phase(document: Document, place: Location, index: int | None, changed: Mapping[Location, str]) -> Location:
    """Where a key of a phase's config stands: among the phase's own sections, if it is there."""
    inside: Location = (PHASES, index, *place) if index is not None else place
    overridden = any(place[:length] in changed for length in range(1, len(place) + 1))
    return inside if inside in document.lines and not overridden else place


def _with_mixtures(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The config with each mixture's file in place of its path, so that a run keeps what it was trained on."""
    data = content.get("data")
    stages = data.get("stages") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(stages, list):
        return content
    found = []
    for number, stage in enumerate(stages, 1):
        if isinstance(stage, dict) and isinstance(stage.get("mixture"), str):
            mixture = load_mixture(Path(_absolute(folder, stage["mixture"])))
            length = {"tokens": mixture.tokens} if mixture.tokens is not None and number < len(stages) else {}
            stage = {**length, **stage, "mixture": mixture.model_dump(mode="json", exclude_unset=True)}
        found.append(stage)
    return {**content, "data": {**data, "stages": found}}


def _require_file(path: str) -> None:
    if Path(path).is_dir():
        raise ManifestError([f"{path} cannot be read: it is a folder; name the YAML file in it"])
    if not Path(path).exists():
        raise ManifestError([f"{path} cannot be read: there is no such file"])


def schedule_given(overrides: Sequence[str]) -> tuple[str, ...]:
    """Keys of the schedule that overrides give; all of them for `schedule={…}`.

    >>> schedule_given(["seed=1", "schedule.total_tokens=9"])
    ('total_tokens',)
    """
    paths = [override.partition("=")[0].split(".") for override in overrides]
    given = [path[1:2] or list(ScheduleSection.model_fields) for path in paths if path[0] == "schedule"]
    return tuple(dict.fromkeys(key for keys in given for key in keys))


def _absolute(folder: Path, path: str) -> str:
    """A local path from a folder; `s3://` stays as it is."""
    return path if "://" in path else str((folder / path).resolve())
