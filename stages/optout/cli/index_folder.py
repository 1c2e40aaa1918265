"""A folder with a compiled index, opened as the stage that would decide by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from lauter.stages.optout.config import OptOutConfig
    from lauter.stages.optout.stage import OptOut

INDEX_JSON = "index.json"
"""What `lauter optout compile` says of its folder."""

LOCK = "manifest.lock.yaml"
"""What a build says of its run folder."""


def open_folder(folder: str) -> OptOut:
    """The stage over the index of a folder that `lauter optout compile` wrote, or of the run folder of a build.

    Raises ValueError for a folder that is neither, or whose files are not what they should be, OSError for one that
    cannot be read.
    """
    from lauter.pipeline.contract import StageContext
    from lauter.stages.optout.index.finish import INDEX_FILE
    from lauter.stages.optout.stage import OptOut

    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"{folder}: {'no folder' if root.exists() else 'not there'}; {_WANTED}")
    described = next((name for name in (INDEX_JSON, LOCK) if (root / name).is_file()), None)
    if described is None:
        inside = " (name the folder above it)" if (root / INDEX_FILE).is_file() else ""
        raise ValueError(f"{folder}: holds no {INDEX_JSON}; {_WANTED}{inside}")
    where, text = root / described, (root / described).read_text("utf-8")
    try:
        config = _of_index(json.loads(text)) if described == INDEX_JSON else _of_run(yaml.safe_load(text))
    except (KeyError, TypeError, AttributeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{where}: not as it was written: {type(error).__name__}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    index = root / OptOut.name / INDEX_FILE
    if not index.is_file():
        raise ValueError(f"{folder}: holds no {OptOut.name}/{INDEX_FILE}; compile or build it again")
    stage = OptOut(config, StageContext(artefacts=str(index.parent)))
    stage.open()
    return stage


_WANTED = "--index takes a folder that `lauter optout compile` wrote, or the run folder of a finished build"


def _of_index(described: Mapping[str, Any]) -> OptOutConfig:
    from lauter.stages.optout.config import OVERRIDES, OptOutConfig
    from lauter.stages.optout.policy import Policy

    policy = Policy.model_validate(described["policy"])
    # Every choice of the policy is set: the agents are those of the index.
    choices = {name: getattr(policy, name) for name in OVERRIDES if name != "agents"}
    return OptOutConfig.model_validate({**choices, "signals": dict(policy.signals)})


def _of_run(lock: Mapping[str, Any]) -> OptOutConfig:
    from lauter.stages.optout.config import OptOutConfig
    from lauter.stages.optout.stage import OptOut

    found = [stage[OptOut.name]["config"] for stage in lock["stages"] if OptOut.name in stage]
    if not found:
        raise ValueError(f"the build had no stage {OptOut.name}")
    return OptOutConfig.model_validate(found[0])
