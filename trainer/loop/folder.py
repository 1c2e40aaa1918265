"""Whether a folder may be a run's own: a run writes its config, its logs and its checkpoints there."""

from __future__ import annotations

import json
from pathlib import Path

from lauter.trainer.checkpoint.layout import LATEST, step_of
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.lock import LOCK

CONFIG = "config.json"

LAUNCH = "launch"
"""Of a run folder: the script of a launcher and what its jobs print. It may be there before the run is."""

PREFERENCES = "preferences"
"""Of a run folder: pairs of completions, which are made before a run learns from them."""


def require_run_folder(out: Path) -> None:
    """A run's folder, an empty one or none yet; what a start that failed leaves behind counts as empty.

    Raises:
        ConfigError: it holds a corpus, which strange files would break for its audit, or something else.
    """
    if not out.is_dir():
        return
    if (out / "corpus.json").exists() or (out / "tokens").is_dir():
        raise ConfigError(f"--out {out}: holds a corpus, and a run would break its audit; name a new folder")
    if _is_run(out):
        return
    checkpoints = out / "checkpoints"
    own = (LOCK, LAUNCH, PREFERENCES, checkpoints.name)
    others = sorted(path.name for path in out.iterdir() if path.name not in own)
    if checkpoints.exists() and not (checkpoints.is_dir() and not any(checkpoints.iterdir())):
        others.append(checkpoints.name)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ConfigError(f"--out {out}: is no run's folder and not empty ({others[0]}{more}); name a new folder")


def _is_run(out: Path) -> bool:
    checkpoints = out / "checkpoints"
    inside = [path.name for path in checkpoints.iterdir()] if checkpoints.is_dir() else []
    if LATEST in inside or any(step_of(name) is not None for name in inside):
        return True
    try:
        config = json.loads((out / CONFIG).read_bytes())
    except (OSError, ValueError):
        return False
    # Many programs call a file so; these sections no other one has.
    return isinstance(config, dict) and {"name", "model", "data", "schedule"} <= config.keys()
