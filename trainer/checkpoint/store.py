"""Saving and loading the state of a run.

A checkpoint is written under a name that no reader looks at, put on the disk, read back and compared, and only then
renamed and named by LATEST. A kill at any moment leaves LATEST naming a whole checkpoint. (Only while one of the same
step is replaced it may lie aside for a moment; the next start puts it back.)
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.dcp_read import SavedTensors
from lauter.trainer.checkpoint.dcp_write import write_tensors
from lauter.trainer.checkpoint.durable import clear_leftovers, make_empty
from lauter.trainer.checkpoint.error import CheckpointError, explain
from lauter.trainer.checkpoint.fit import require_fit
from lauter.trainer.checkpoint.held import held_names
from lauter.trainer.checkpoint.inventory import FileRecord, read_back, unlisted_faults
from lauter.trainer.checkpoint.latest import candidates
from lauter.trainer.checkpoint.layout import SAVING, step_name
from lauter.trainer.checkpoint.meta import complete_meta, read_meta, sound
from lauter.trainer.checkpoint.publish import publish, small_files
from lauter.trainer.checkpoint.read import Checkpoint, require_whole, resolve
from lauter.trainer.checkpoint.replicas import require_equal_replicas
from lauter.trainer.checkpoint.retention import delete_superfluous
from lauter.trainer.checkpoint.snapshot import Snapshot
from lauter.trainer.checkpoint.space import free_bytes, needed_bytes, require_space
from lauter.trainer.checkpoint.verify import verify_together
from lauter.trainer.config.sections import CheckpointSection

warning = logging.getLogger(__name__).warning


@dataclass(frozen=True, slots=True)
class Pause:
    """How long a save kept the run from going on."""

    seconds: float
    """In all: for the copy of an asynchronous save, for the whole of another."""
    waited: float
    """Of them, for the save before this one, which was still being written; 0 where it was not."""


@dataclass(frozen=True, slots=True)
class Written:
    """A save that is whole."""

    step: int
    seconds: float
    """From its beginning until LATEST named it."""


class Checkpoints:
    """The `checkpoints` folder of a run, which one run writes at a time. Every method is called by all ranks.

    An asynchronous save is done by a thread of our own, which runs what a synchronous one runs. DCP's `async_save`
    needs a process group even for one process, and would end before the checkpoint has its name.
    """

    def __init__(
        self,
        folder: Path,
        section: CheckpointSection,
        *,
        rank: int,
        ranks: int,
        warn: Callable[[str], None] = warning,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        """Makes the folder and clears what killed saves left in it; all ranks must see the same file system.

        `warn` is told what the user should know; `free` gives the bytes that may still be written.
        Raises `CheckpointError` on all ranks where the folder cannot be written.
        """
        self._folder = folder
        self._section = section
        self._agreement = Agreement(rank, ranks)
        self._warn = warn
        self._free = free
        self._snapshot = Snapshot()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        self.written: Written | None = None
        """The last save that is whole; of this process, not of those before it."""
        self._agreement.first(self._prepare)

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        cleared = clear_leftovers(self._folder)
        if cleared:
            self._warn(f"{self._folder}: removed what a killed run left unfinished: {', '.join(cleared)}")

    def save(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], tokenizer: Mapping[str, bytes]) -> Pause:
        """Write a checkpoint named after `meta["progress"]["step"]`; one of the same step is replaced.

        `tensors` are live, and may change as soon as this returns; ranks may hold different ones (pipelines).
        `tokenizer` holds file names and contents. Waits for the save before this one and raises what failed in it.

        An asynchronous save keeps the run waiting while it copies the tensors, and no longer: copies of weights are
        compared between ranks, and all is written, hashed and read back, behind its back.

        Raises `CheckpointError` on all ranks: the save before failed, the disk has no room, copies of a tensor differ
        between ranks, meta lacks a key. When saving asynchronously, what fails later is raised by the next `save` or
        by `finish`. LATEST then still names the checkpoint before.
        """
        begun = time.perf_counter()
        busy = self._pending is not None and not self._pending.done()
        self.finish()
        waited = time.perf_counter() - begun if busy else 0.0
        whole = complete_meta(meta)
        others = small_files(whole, tokenizer)
        needed = needed_bytes(tensors, self._agreement) + sum(map(len, others.values()))
        self._agreement.first(lambda: require_space(self._folder, needed, self._free(self._folder)))
        step = whole["progress"]["step"]
        if self._section.asynchronous:
            copies = self._snapshot.take(tensors)
            self._pending = self._writer.submit(self._write, step, copies, others, begun + waited)
        else:
            # Detached, as the index notes `requires_grad`: both ways of saving give the same bytes.
            self._write(step, {key: one.detach() for key, one in tensors.items()}, others, begun + waited)
        return Pause(time.perf_counter() - begun, waited)

    def finish(self) -> None:
        """Wait for the save that is under way, if any. Raises `CheckpointError` where it failed, on all ranks."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def latest(self) -> Checkpoint | None:
        """The checkpoint to go on from, all its bytes compared with their digests; None where there is none yet.

        That is the one LATEST names. Where it is broken, the newest whole one is taken, and `warn` is told which is
        broken and why. Raises `CheckpointError` where there are checkpoints and all of them are broken.
        """
        return self._newest(lambda meta: True)

    def latest_sound(self) -> Checkpoint | None:
        """As `latest`, of those that were not saved in a bad stretch; None also where there are others only."""
        return self._newest(sound)

    def _newest(self, wanted: Callable[[Mapping[str, Any]], bool]) -> Checkpoint | None:
        folders, fault = self._agreement.first(lambda: candidates(self._folder))
        said = [fault] if fault is not None else []
        for folder in folders:
            faults = verify_together(folder, self._agreement)
            if not faults:
                meta = read_meta(folder)
                if not wanted(meta):
                    continue
                if said and self._agreement.rank == 0:
                    self._warn(f"{'; '.join(said)}. Going on from {folder.name}, the newest whole checkpoint")
                return Checkpoint(folder, meta)
            said.append(f"checkpoint {folder.name} is broken: {'; '.join(faults)}")
        if said:
            raise CheckpointError(
                f"no checkpoint in {self._folder} is whole: {'; '.join(said)}. Restore one from a copy, or delete the "
                "folder to start from nothing"
            )
        return None

    def open(self, path: Path | str) -> Checkpoint:
        """As `open_checkpoint`, of this run or another; the ranks share the reading of what is compared.

        Raises `CheckpointError` on all ranks.
        """
        folder = self._agreement.first(lambda: resolve(Path(path)))
        faults = verify_together(folder, self._agreement)
        require_whole(folder, faults or self._agreement.first(lambda: unlisted_faults(folder)))
        return Checkpoint(folder, read_meta(folder))

    def load(self, checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> None:
        """Fill tensors in place, whatever layout they were saved under. All of a kind (`weight`, `fast`, …) or none.

        Ranks may ask for different tensors: all of them together for all of a kind.

        Raises `CheckpointError` on all ranks, before anything is changed, where names, sizes or dtypes do not fit.
        """
        names = held_names(tensors, self._agreement).everywhere

        def opened() -> SavedTensors:
            saved = SavedTensors(checkpoint.path)
            require_fit(checkpoint.path, saved.index, tensors, names)
            return saved

        saved = self._agreement.here(opened)
        self._agreement.here(lambda: saved.fill(tensors))

    def read(self, act: Callable[[], None]) -> None:
        """Have each rank read of a checkpoint what it needs. Raises `CheckpointError` on all ranks where one failed."""
        self._agreement.here(act)

    def _write(self, step: int, tensors: Mapping[str, Tensor], others: dict[str, bytes], begun: float) -> None:
        require_equal_replicas(tensors, self._agreement)
        name = step_name(step)
        staged = self._folder / (SAVING + name)
        try:
            self._agreement.first(lambda: make_empty(staged))
            written = write_tensors(tensors, staged, self._agreement)
            records = self._agreement.every(lambda: read_back(staged, written))
            self._agreement.first(lambda: self._publish(staged, name, records, others))
        except BaseException:
            # The space is given back; LATEST was not touched. Where the disk itself fails, the next start clears it.
            if self._agreement.rank == 0:
                shutil.rmtree(staged, ignore_errors=True)
            raise
        self.written = Written(step, time.perf_counter() - begun)

    def _publish(
        self, staged: Path, name: str, records: Sequence[Mapping[str, FileRecord]], others: dict[str, bytes]
    ) -> None:
        tensors = {file: record for each in records for file, record in each.items()}
        publish(staged, self._folder / name, tensors, others)
        try:
            delete_superfluous(self._folder, self._folder / name, self._section)
        except OSError as error:
            self._warn(f"{name} is saved, but an older checkpoint could not be deleted: {explain(error)}")
