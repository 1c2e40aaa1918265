"""Tensors into a folder in the format of torch.distributed.checkpoint (DCP), by all ranks: hashed, and synced."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import FileSystem, FileSystemWriter
from torch.distributed.checkpoint.metadata import StorageMeta
from torch.distributed.checkpoint.state_dict_saver import save

from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.error import CheckpointError, explain
from lauter.trainer.checkpoint.inventory import FileRecord


class _HashedFile(io.RawIOBase):
    """A file written from its start to its end, hashed on the way: the digest is of what was meant to be written."""

    def __init__(self, file: IO[bytes], files: _SyncedFiles) -> None:
        super().__init__()
        self._file = file
        self._files = files
        self._sha256 = hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self._sha256.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            # torch's zip writer turns it into an enforce failure without its number.
            self._files.fault = error
            raise
        self._size += memoryview(data).nbytes
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._size

    def record(self) -> FileRecord:
        return FileRecord(self._size, self._sha256.hexdigest())


class _SyncedFiles(FileSystem):
    """DCP's local file system; what is written is hashed, and is on the disk when its stream is closed."""

    def __init__(self) -> None:
        self.written: dict[str, FileRecord] = {}
        self.fault: OSError | None = None

    @contextmanager
    def create_stream(self, path: str | os.PathLike[str], mode: str) -> Iterator[io.IOBase]:
        path = Path(path)
        with path.open(mode) as file:
            if mode == "rb":
                yield cast(io.IOBase, file)
                return
            stream = _HashedFile(cast(IO[bytes], file), self)
            yield stream
            try:
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                self.fault = error
                raise
            if hasattr(os, "posix_fadvise"):  # Not on macOS.
                # The check that follows must read the disk, and the corpus wants the page cache.
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self.written[path.name] = stream.record()

    def rename(self, path: str | os.PathLike[str], new_path: str | os.PathLike[str]) -> None:
        super().rename(path, new_path)
        self.written[Path(new_path).name] = self.written.pop(Path(path).name)


class _Writer(FileSystemWriter):
    """One file a rank. Equal tensors give equal files: DCP would write the folder's path and a random id."""

    def __init__(self, folder: Path, files: _SyncedFiles) -> None:
        super().__init__(folder, sync_files=False)
        self.fs = files

    def storage_meta(self) -> StorageMeta:
        return StorageMeta()


def write_tensors(tensors: Mapping[str, Tensor], folder: Path, agreement: Agreement) -> dict[str, FileRecord]:
    """Save tensors into a folder that is there; called by all ranks. Returns this rank's files, on the disk.

    Raises `CheckpointError` on all ranks where one failed.
    """
    files = _SyncedFiles()
    writer = _Writer(folder, files)
    failure: BaseException | None = None
    try:
        if agreement.group is None:
            _write_alone(dict(tensors), writer)
        else:
            save(dict(tensors), storage_writer=writer, process_group=agreement.group)
    except (Exception, CheckpointException) as error:  # CheckpointException is no Exception.
        failure = error

    def disk() -> None:
        if files.fault is not None:
            raise CheckpointError(f"cannot write {folder}: {explain(files.fault)}") from files.fault

    def anything_else() -> None:
        if failure is not None:
            raise CheckpointError(f"cannot write {folder}: {_words(failure)}") from failure

    # DCP fails on all ranks with the traceback of one; that rank's own words come first.
    agreement.here(disk)
    agreement.here(anything_else)
    return files.written


def _words(failure: BaseException) -> str:
    if isinstance(failure, CheckpointException):
        return "; ".join(f"rank {rank}: {error!r}" for rank, (error, _) in sorted(failure.failures.items()))
    return repr(failure)


def _write_alone(tensors: dict[str, Tensor], writer: _Writer) -> None:
    """The steps of DCP's `save` for one process. `save(no_dist=True)` warns each time that there is no group."""
    planner = DefaultSavePlanner()
    planner.set_up_planner(tensors, writer.storage_meta(), is_coordinator=True)
    writer.set_up_storage_writer(is_coordinator=True)
    plans, metadata = planner.create_global_plan([writer.prepare_local_plan(planner.create_local_plan())])
    [plan] = writer.prepare_global_plan(plans)
    writer.finish(metadata, [writer.write_data(planner.finish_plan(plan), planner).wait()])


@dataclass(frozen=True, slots=True)
class _Prefix:
    """What DCP's writer asks a plan for: how the names of its files begin."""

    prefix: str


def write_one_by_one(tensors: Iterable[tuple[str, Tensor]], folder: Path) -> dict[str, FileRecord]:
    """`write_tensors` for one process and tensors that are never all in memory: a file each.

    Raises `CheckpointError`; what the iterable raises is passed on.
    """
    files = _SyncedFiles()
    writer = _Writer(folder, files)
    writer.set_up_storage_writer(is_coordinator=True)
    plans, results = [], []
    try:
        for number, (name, tensor) in enumerate(tensors):
            planner = DefaultSavePlanner()
            planner.set_up_planner({name: tensor}, writer.storage_meta(), is_coordinator=True)
            plan = replace(planner.create_local_plan(), storage_data=_Prefix(f"__{number}_"))
            results.append(writer.write_data(plan, planner).wait())
            plans.append(plan)
        # To DCP this is a save by as many ranks as there are tensors.
        _, metadata = DefaultSavePlanner().create_global_plan(plans)
        writer.finish(metadata, results)
    except Exception as error:
        if files.fault is not None:
            raise CheckpointError(f"cannot write {folder}: {explain(files.fault)}") from error
        raise
    return files.written
