"""Files under one root, local or on S3, through one layer: list, read, atomic publish, digest, retry.

Whatever is written is staged in a local file first and then published whole: by fsync and rename locally, by one upload
that is checked and tried again on S3. A killed writer leaves at most a staging file, which no reader ever looks at.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from pyarrow import fs

UPLOAD_TRIES = 4
COPY_BYTES = 8 << 20
STAGING = "state/staging"
CLAIM = "state/run"


class StorageError(Exception):
    """A file could not be read or published; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Output:
    """One published file: path under the root, size in bytes, SHA-256, rows, and SHA-256 of each row group's bytes."""

    path: str
    size: int
    sha256: str
    rows: int = 0
    row_groups: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "path": self.path,
            "size": self.size,
            "sha256": self.sha256,
            "rows": self.rows,
            "row_groups": list(self.row_groups),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Output:
        """The inverse of `to_json`."""
        return Output(data["path"], data["size"], data["sha256"], data["rows"], tuple(data["row_groups"]))


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file as listed: URI, size in bytes, modification time in nanoseconds."""

    uri: str
    size: int
    mtime_ns: int


def filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path within it. `s3://` honours AWS_ENDPOINT_URL."""
    if uri.startswith("s3://"):
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        scheme, _, host = endpoint.partition("://") if endpoint else ("https", "", "")
        system = fs.S3FileSystem(
            endpoint_override=host or None,
            scheme=scheme,
            region=region,
            retry_strategy=fs.AwsDefaultS3RetryStrategy(max_attempts=4),
        )
        return system, uri.removeprefix("s3://").rstrip("/")
    if "://" in uri:
        raise StorageError(f"{uri}: only local paths and s3:// are supported")
    return fs.LocalFileSystem(), str(Path(uri).absolute())


def open_input(uri: str) -> pa.NativeFile:
    """Open a file for seekable reading; raises `StorageError` naming it."""
    system, path = filesystem(uri)
    try:
        return system.open_input_file(path)
    except OSError as error:
        raise StorageError(f"cannot read {uri}: {error}") from error


def stat(uri: str) -> FileStat | None:
    """Size and time of a file, or None where there is none."""
    system, path = filesystem(uri)
    info = system.get_file_info(path)
    return FileStat(uri, info.size, info.mtime_ns or 0) if info.type == fs.FileType.File else None


def digest_file(path: Path) -> str:
    """SHA-256 of a local file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Storage:
    """A root folder (local path or s3://bucket/prefix)."""

    def __init__(self, root: str, token: str = "") -> None:
        """`token` is the writing build's (`claim`); nothing is published with it once another build has the folder."""
        self.root = root if "://" in root else str(Path(root).absolute())
        self.token = token
        self.filesystem, self._base = filesystem(self.root)

    def claim(self) -> None:
        """Make this the folder's build. A worker that outlived its killed driver finds another token and gives up."""
        self.token = ""
        token = uuid.uuid4().hex
        self.write(CLAIM, token.encode())
        self.token = token

    def _check_claim(self, path: str) -> None:
        if self.token and self.read(CLAIM).decode() != self.token:
            raise StorageError(f"{self.root}/{path} is not published: another build has taken over the run folder")

    @property
    def is_local(self) -> bool:
        """Whether files are on this machine's disk."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def absolute(self, path: str) -> str:
        """The path within the file system of a path under the root."""
        return f"{self._base}/{path}"

    def open(self, path: str) -> pa.NativeFile:
        """Open for seekable reading, memory-mapped where it is local; raises `StorageError`."""
        try:
            if self.is_local:
                return pa.memory_map(self.absolute(path))
            return self.filesystem.open_input_file(self.absolute(path))
        except OSError as error:
            raise StorageError(f"cannot read {self.root}/{path}: {error}") from error

    def read(self, path: str) -> bytes:
        """All bytes of a file; raises `StorageError`."""
        with self.open(path) as file:
            return cast(bytes, file.read())

    def read_json(self, path: str) -> Any:  # noqa: ANN401 - JSON is whatever was written
        """The JSON content of a file; raises `StorageError` where it is absent or broken."""
        try:
            return json.loads(self.read(path))
        except ValueError as error:
            raise StorageError(f"{self.root}/{path} is no JSON: {error}") from error

    def size(self, path: str) -> int | None:
        """Size in bytes, or None where there is no such file."""
        info = self.filesystem.get_file_info(self.absolute(path))
        return cast(int, info.size) if info.type == fs.FileType.File else None

    def list(self, folder: str) -> dict[str, int]:
        """Path under the root -> size of every published file below a folder."""
        selector = fs.FileSelector(self.absolute(folder), recursive=True, allow_not_found=True)
        start = len(self._base) + 1
        return {
            info.path[start:]: info.size
            for info in self.filesystem.get_file_info(selector)
            if info.type == fs.FileType.File and not info.path[start:].startswith(STAGING + "/")
        }

    def delete(self, path: str) -> None:
        """Remove a file if it is there."""
        if self.size(path) is not None:
            self.filesystem.delete_file(self.absolute(path))

    def write(self, path: str, data: bytes) -> Output:
        """Publish bytes whole."""
        with self.staging(path) as staged:
            staged.write_bytes(data)
        return Output(path, len(data), hashlib.sha256(data).hexdigest())

    def write_json(self, path: str, data: object) -> Output:
        """Publish JSON: sorted keys, one trailing newline, so that equal content has equal bytes."""
        text = json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False)
        return self.write(path, text.encode() + b"\n")

    def clear_staging(self) -> None:
        """Remove what killed writers left. Only for the one who holds the run folder's lock."""
        if self.is_local:
            shutil.rmtree(self.absolute(STAGING), ignore_errors=True)

    @contextmanager
    def staging(self, path: str) -> Iterator[Path]:
        """A local file to write; published as `path` when the block ends well, removed when it does not."""
        if self.is_local:
            target = Path(self.absolute(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(self.absolute(STAGING))
            scratch.mkdir(parents=True, exist_ok=True)
            staged = scratch / f"{os.getpid()}-{uuid.uuid4().hex}"
            try:
                yield staged
                self._check_claim(path)
                _sync(staged)
                staged.replace(target)
                _sync(target.parent)
            finally:
                staged.unlink(missing_ok=True)
            return
        with tempfile.TemporaryDirectory(prefix="lauter-") as folder:
            staged = Path(folder) / "file"
            yield staged
            self._check_claim(path)
            self._upload(staged, path)

    def _upload(self, staged: Path, path: str) -> None:
        expected = staged.stat().st_size
        error: OSError | None = None
        for attempt in range(UPLOAD_TRIES):
            if attempt:
                time.sleep(0.2 * 2**attempt)
            try:
                # Leaving this block by an exception closes the stream; the half-written object that this may leave is
                # found by its size below or overwritten by the next try, and no done record names it before that.
                with staged.open("rb") as source, self.filesystem.open_output_stream(self.absolute(path)) as sink:
                    shutil.copyfileobj(source, sink, COPY_BYTES)
            except OSError as failure:
                error = failure
                continue
            if self.size(path) == expected:
                return
        raise StorageError(f"cannot publish {self.root}/{path} after {UPLOAD_TRIES} tries: {error}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
