"""Step `prepare`: a stage builds, once, what its workers will look things up in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lauter.pipeline.contract import StageContext
from lauter.pipeline.stopped import BuildStopped
from lauter.pipeline.storage import Output as Published
from lauter.pipeline.storage import Storage, digest_file
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import made


def run(task: Task, storage: Storage) -> Result:
    """Call `prepare` in a scratch folder and publish every file that it leaves, under the stage's name."""
    spec = task.args["stage"]
    stage = made(spec, StageContext(seed=task.args["seed"]))
    with tempfile.TemporaryDirectory(prefix="lauter-prepare-") as scratch, said_by(spec["name"]):
        counts = stage.prepare(scratch)
        return Result(publish(storage, spec["name"], Path(scratch)), {"counts": dict(counts)})


@contextmanager
def said_by(stage: str) -> Iterator[None]:
    """Raise `BuildStopped` for what a stage finds wrong with its files while it prepares (`contract.PreparedStage`).

    Those are `OSError` and `ValueError` itself. A subclass of that (`UnicodeDecodeError`, `ArrowInvalid`, pydantic's)
    was written by a library for programmers: it stays a fault of the stage, with its traceback.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and type(error) is not ValueError:
            raise
        raise BuildStopped(f"stage {stage} cannot be prepared: {error}") from error


def publish(storage: Storage, name: str, folder: Path) -> tuple[Published, ...]:
    """Publish the files of a local folder as those of a stage."""
    outputs = []
    for file in sorted(folder.iterdir()):
        path = f"{name}/{file.name}"
        with storage.staging(path) as staged:
            shutil.copyfile(file, staged)
        outputs.append(Published(path, file.stat().st_size, digest_file(file)))
    return tuple(outputs)
