"""Phases after the first training, such as longer contexts: what each changes of the config, and where it begins.

A phase begins from the weights and moments that the one before it ended with; its tokens count on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from lauter.pipeline.yaml_lines import Document, Location, ManifestError
from lauter.trainer.config.fields import NAME, Section, Tokens

PHASES = "phases"

_TOTAL: TypeAdapter[int] = TypeAdapter(Tokens)


class PhaseSection(Section):
    """One item of `phases`. Beside these two it may hold sections of the config, and in them what it changes."""

    name: Annotated[str, Field(pattern=NAME)]
    tokens: Tokens
    """How long it takes; the run ends at the first step at or after it."""


def phase_names(document: Document, content: Mapping[str, Any]) -> list[str]:
    """Names of a config's phases, in their order; none where it has none.

    Raises:
        ManifestError: `phases` is no list of phases, or has a name twice.
    """
    names = [phase.name for phase in _read(document, content)]
    twice = [index for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ManifestError(
            [document.problem((PHASES, index, "name"), f"{names[index]!r} stands twice") for index in twice]
        )
    return names


def without_phases(content: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the first training."""
    return {key: value for key, value in content.items() if key != PHASES}


def with_phase(document: Document, content: Mapping[str, Any], name: str) -> tuple[dict[str, Any], int]:
    """The config of one phase, and its index in `phases`.

    Its sections are laid over the config's, mapping into mapping; a list takes the place of a list. The schedule
    begins where the phases before it end, without a warm-up or cooldown but its own. Stages of data and a ramp of the
    batch belong to the first training and are not taken over.

    Raises:
        ManifestError: there is no such phase.
    """
    phases = _read(document, content)
    names = phase_names(document, content)
    if name not in names:
        there = ", ".join(names) or "none"
        raise ManifestError([document.problem((PHASES,), f"no phase is called {name!r}; there are: {there}")])
    index = names.index(name)
    before = {
        **without_phases(content),
        **{
            key: _without(content[key], inner)
            for key, inner in (("data", "stages"), ("batch", "ramp"))
            if key in content
        },
        "schedule": _without(content.get("schedule"), "warmup_tokens", "cooldown_tokens"),
    }
    given = {key: value for key, value in content[PHASES][index].items() if key not in PhaseSection.model_fields}
    merged = _laid_over(before, given)
    begin = _total(document, content) + sum(phase.tokens for phase in phases[:index])
    merged["schedule"] = {**merged["schedule"], "from_tokens": begin, "total_tokens": begin + phases[index].tokens}
    return merged, index


def _read(document: Document, content: Mapping[str, Any]) -> list[PhaseSection]:
    found = content.get(PHASES)
    if found is None:
        return []
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ManifestError([document.problem((PHASES,), "expected a list of phases, each with `name` and `tokens`")])
    phases, problems = [], []
    for index, one in enumerate(found):
        own = {key: one[key] for key in PhaseSection.model_fields if key in one} if isinstance(one, Mapping) else one
        try:
            phases.append(PhaseSection.model_validate(own))
        except ValidationError as error:
            problems += [
                document.problem((PHASES, index, *fault["loc"]), fault["msg"].lower()) for fault in error.errors()
            ]
    if problems:
        raise ManifestError(problems)
    return phases


def _total(document: Document, content: Mapping[str, Any]) -> int:
    schedule = content.get("schedule")
    place: Location = ("schedule", "total_tokens")
    try:
        return _TOTAL.validate_python(schedule.get("total_tokens") if isinstance(schedule, Mapping) else None)
    except ValidationError as error:
        raise ManifestError(
            [document.problem(place, "phases count on from it: expected a number of tokens")]
        ) from error


def _without(section: object, *keys: str) -> object:
    if not isinstance(section, Mapping):
        return section
    return {key: value for key, value in section.items() if key not in keys}


def _laid_over(below: Any, above: Any) -> Any:  # noqa: ANN401 - plain YAML data
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}
