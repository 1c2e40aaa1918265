"""A trace of one step, for chrome://tracing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


@contextmanager
def traced(folder: Path, step: int, rank: int) -> Iterator[None]:
    """Write what happens inside to `folder`/step-N.rank-R.json."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities, record_shapes=True) as found:
        yield
    folder.mkdir(parents=True, exist_ok=True)
    found.export_chrome_trace(str(folder / f"step-{step}.rank-{rank}.json"))
