"""Routes: which stages the records of a source pass. All of them, but those whose entry names other sources.

    stages:
      - licence
        sources: [code]

A record passes the other stages as if that one did not stand in the manifest; what it writes is null. Rules of web
pages are none for source code, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.manifest import StageSpec

Routes = Mapping[str, tuple[str, ...]]
"""Stage -> its sources, of the stages that some sources do not pass."""


def routes_of(stages: Sequence[StageSpec]) -> Routes:
    """The routes of a manifest."""
    return {spec.name: spec.sources for spec in stages if spec.sources}


def passes(routes: Routes, stage: str, source: str) -> bool:
    """Whether the records of a source pass a stage."""
    return source in routes.get(stage, (source,))


def passed(routes: Routes, specs: Sequence[Mapping[str, Any]], source: str) -> list[dict[str, Any]]:
    """Those of some stages that the records of a source pass, in order."""
    return [dict(spec) for spec in specs if passes(routes, spec["name"], source)]


def shapes(specs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the columns of all documents depend on: the classes of all stages, whichever of them a source passes."""
    return [{"target": spec["target"], "python_path": spec["python_path"]} for spec in specs]


def unknown_sources(named: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Names that are no source of the manifest."""
    return [name for name in named if name not in sources]
