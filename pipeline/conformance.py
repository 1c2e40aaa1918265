"""Whether what a manifest names with `use:` keeps the contract of a stage, as far as its class shows.

A stage that is wrong in its declarations would otherwise fail in a worker, after hours, or be left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa

from lauter.pipeline.contract import Reason, StageConfig
from lauter.pipeline.fixed_width import width_of

BOTH: Mapping[str, type] = {"name": str, "version": int}
MAP: Mapping[str, type] = {"documents": pa.Schema, "scores": pa.Schema}
CUTTER_METHODS = ("sign", "keeps", "cut")
MAP_METHODS = ("apply",)
BARRIER: Mapping[str, type] = {"sketches": pa.Schema}
BARRIER_METHODS = ("sign", "pairs", "judge", "evidence", "compare", "prefers", "limits")


def is_barrier(cls: type[Any]) -> bool:
    """Whether a stage compares documents (`comparing.BarrierStage`); a stage is one kind or the other."""
    return not hasattr(cls, "apply") and not is_cutter(cls) and any(hasattr(cls, name) for name in BARRIER_METHODS)


def is_cutter(cls: type[Any]) -> bool:
    """Whether a stage cuts repeated passages (`cutting.CuttingStage`)."""
    return not hasattr(cls, "apply") and any(hasattr(cls, name) for name in ("keeps", "cut"))


def shortcomings(loaded: object) -> list[str]:
    """What keeps a loaded object from being a stage, each in a few words; empty for a stage."""
    if not isinstance(loaded, type):
        hint = "; put `@per_document(...)` above it" if callable(loaded) else ""
        return [f"it is a {type(loaded).__name__}, and a stage is a class{hint}"]
    whole = is_barrier(loaded) or is_cutter(loaded)
    typed = {**BOTH, **({} if is_cutter(loaded) else BARRIER if whole else MAP)}
    sequences: dict[str, type] = {"reads": str}
    sequences |= {} if is_cutter(loaded) else {"identities": str} if whole else {"reasons": Reason}
    methods = CUTTER_METHODS if is_cutter(loaded) else BARRIER_METHODS if whole else MAP_METHODS
    missing = [name for name in (*typed, "Config", *sequences, *methods) if not hasattr(loaded, name)]
    found = [f"it lacks {', '.join(missing)}"] if missing else []
    found += [
        f"`{name}` must be a {kind.__name__}"
        for name, kind in typed.items()
        if name not in missing and not isinstance(getattr(loaded, name), kind)
    ]
    found += [
        f"`{name}` must be a tuple of {kind.__name__}"
        for name, kind in sequences.items()
        if name not in missing and not _is_tuple_of(getattr(loaded, name), kind)
    ]
    given = [name for name in (*methods, "report") if hasattr(loaded, name)]
    found += [f"`{name}` must be a method" for name in given if not _is_method(loaded, name)]
    if "Config" not in missing:
        config = loaded.Config  # type: ignore[attr-defined]
        if isinstance(config, type) and issubclass(config, StageConfig):
            found += _decisions(loaded, config)
        else:
            found.append("`Config` must be a subclass of StageConfig")
    if is_barrier(loaded):
        found += _sketches(getattr(loaded, "sketches", None))
    if hasattr(loaded, "surveys"):
        lacking = [name for name in ("occurrences", "surveyed", "decide") if not hasattr(loaded, name)]
        found += [f"it has surveys and lacks {', '.join(lacking)}"] if lacking else []
    return found + _libraries(loaded)


def _sketches(schema: object) -> list[str]:
    """Sketches of all stages lie in one kind of file, as bytes."""
    loose = [field.name for field in schema if width_of(field.type) is None] if isinstance(schema, pa.Schema) else []
    return [f"its sketches {', '.join(loose)} have no fixed width"] if loose else []


def _is_tuple_of(value: object, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, kind) for item in value)


def _is_method(cls: type[Any], name: str) -> bool:
    return callable(getattr(cls, name))


def _decisions(cls: type[Any], config: type[StageConfig]) -> list[str]:
    """Without its decision fields a config must still be valid: that is how `apply` sees it."""
    decides = hasattr(cls, "decide")
    if not decides and not hasattr(cls, "decision_fields"):
        return []
    if not hasattr(cls, "decision_fields"):
        return ["it has decide and lacks decision_fields"]
    if not decides and not hasattr(cls, "mirrors") and not is_barrier(cls):
        return ["it has decision_fields and lacks decide"]
    fields = cls.decision_fields
    if not isinstance(fields, frozenset | set):
        return ["`decision_fields` must be a frozenset of names"]
    unknown = sorted(str(name) for name in fields if name not in config.model_fields)
    bare = sorted(name for name in fields if name not in unknown and config.model_fields[name].is_required())
    return [
        *([f"its decision_fields {', '.join(unknown)} are no fields of its Config"] if unknown else []),
        *([f"its decision_fields {', '.join(bare)} must have defaults"] if bare else []),
    ]


def _libraries(cls: type[Any]) -> list[str]:
    libraries = getattr(cls, "libraries", ())
    if not _is_tuple_of(libraries, str):
        return ["`libraries` must be a tuple of str"]
    found = []
    for name in libraries:
        try:
            version(name)
        except (PackageNotFoundError, ValueError):
            found.append(f"its library {name!r} is not installed")
    return found
