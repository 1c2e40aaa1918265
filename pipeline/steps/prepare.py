"""Step `prepare`: a stage builds, once, what its workers will look things up in."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lauter.pipeline.contract import StageContext
from lauter.pipeline.stopped import said_by
from lauter.pipeline.storage import Output as Published
from lauter.pipeline.storage import Storage, digest_file
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import made


def run(task: Task, storage: Storage) -> Result:
    """Call `prepare` in a scratch folder and publish every file that it leaves, under the stage's name."""
    spec = task.args["stage"]
    stage = made(spec, StageContext(seed=task.args["seed"]))
    with tempfile.TemporaryDirectory(prefix="lauter-prepare-") as scratch, said_by(cannot_prepare(spec["name"])):
        counts = stage.prepare(scratch)
        return Result(publish(storage, spec["name"], Path(scratch)), {"counts": dict(counts)})


def cannot_prepare(stage: str) -> str:
    """How a message begins about what a stage finds wrong with its files (`contract.PreparedStage`)."""
    return f"stage {stage} cannot be prepared"


def publish(storage: Storage, name: str, folder: Path) -> tuple[Published, ...]:
    """Publish the files of a local folder as those of a stage."""
    outputs = []
    for file in sorted(folder.iterdir()):
        path = f"{name}/{file.name}"
        with storage.staging(path) as staged:
            shutil.copyfile(file, staged)
        outputs.append(Published(path, file.stat().st_size, digest_file(file)))
    return tuple(outputs)
