"""Runs an extractor in one long-lived child process, so that a page which hangs or crashes costs only itself."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lauter.stages.extract import wire

_CHUNK_BYTES = 4 << 20
_CHUNK_PAGES = 64
_READ_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
_START_S = 120.0
"""How long a child may take to import its backend; 1 s on an idle machine."""

Status = Literal["ok", "failed", "timeout", "crash"]


class Outcome(NamedTuple):
    """What became of a page."""

    status: Status
    text: str
    """Empty unless the status is `ok`."""


class _ChildLost(Exception):
    """The child is gone, or has to go. `timeout` says that it was too slow."""

    def __init__(self, *, timeout: bool) -> None:
        super().__init__()
        self.timeout = timeout


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, loader: str, wall_clock_s: float, memory_bytes: int) -> None:
        arguments = [sys.executable, "-m", "lauter.stages.extract.child", loader, str(wall_clock_s), str(memory_bytes)]
        # The child finds the modules where the parent does (pytest and Ray both change sys.path), and string hashes
        # are fixed so that no library's set order differs between children.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0
        )
        self._end = weakref.finalize(self, _end, self.process)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        for pipe in (self._to, self._from):
            os.set_blocking(pipe, False)
            _widen(pipe)
        self._unread = bytearray()
        try:
            ready = self._receive(len(wire.READY), time.monotonic() + _START_S)
        except _ChildLost:
            ready = b""
        if ready != wire.READY:
            self.stop()
            raise RuntimeError(f"the extraction child could not load {loader}: see its messages above")

    def stop(self) -> None:
        """End the process, whatever it does, and wait for it."""
        self._end()

    def send(self, data: bytes, deadline: float) -> None:
        """Write all of `data`, or raise `_ChildLost`."""
        view = memoryview(data)
        while view:
            _wait(self._to, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._to, view) :]
            except BrokenPipeError:
                raise _ChildLost(timeout=False) from None

    def answer(self, deadline: float) -> Outcome:
        """The next answer, or `_ChildLost`."""
        status, length = wire.ANSWER.unpack(self._receive(wire.ANSWER.size, deadline))
        body = self._receive(length, deadline)
        return Outcome("ok", body.decode("utf-8")) if status == wire.OK else Outcome("failed", "")

    def _receive(self, size: int, deadline: float) -> bytes:
        while len(self._unread) < size:
            _wait(self._from, select.POLLIN, deadline)
            data = os.read(self._from, _READ_BYTES)
            if not data:
                raise _ChildLost(timeout=False)
            self._unread += data
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def resident_bytes(self) -> int:
        """Memory that the child holds now; 0 where /proc does not say."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")


class Sandbox:
    """Extracts pages in a child process that is replaced when it dies, hangs or has grown too large."""

    def __init__(self, loader: str, *, wall_clock_s: float, memory_bytes: int) -> None:
        """Start the child. Raises `RuntimeError` if it cannot load the backend `loader` (`module:function`)."""
        self._arguments = (loader, wall_clock_s, memory_bytes)
        self._wall_clock_s = wall_clock_s
        self._recycle_bytes = memory_bytes // 2
        self._child: _Child | None = _Child(*self._arguments)

    @property
    def pid(self) -> int | None:
        """Process id of the present child."""
        return self._child.process.pid if self._child else None

    def close(self) -> None:
        """End the child; the next page would start another."""
        if self._child:
            self._child.stop()
        self._child = None

    def extract(self, pages: Sequence[bytes]) -> list[Outcome]:
        """The outcome of each page (valid UTF-8), in order.

        A page is a timeout only if it hangs when it is sent alone, a crash only if it kills a fresh child: neither the
        pages before it nor a signal from outside is held against it.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(pages):
            stop = _chunk_end(pages, len(outcomes))
            if self._round(pages[len(outcomes) : stop], outcomes):
                while len(outcomes) < stop:
                    self._alone(pages[len(outcomes)], outcomes)
        return outcomes

    def _alone(self, page: bytes, outcomes: list[Outcome]) -> None:
        fresh = self._child is None
        lost = self._round([page], outcomes)
        if lost and not (lost.timeout or fresh):
            lost = self._round([page], outcomes)
        if lost:
            outcomes.append(Outcome("timeout" if lost.timeout else "crash", ""))

    def _round(self, pages: Sequence[bytes], outcomes: list[Outcome]) -> _ChildLost | None:
        # Appends an outcome for every page that was answered; says how the child was lost at the next one, if it was.
        child = self._child = self._child or _Child(*self._arguments)
        try:
            child.send(wire.chunk(pages), time.monotonic() + self._wall_clock_s)
            for _ in pages:
                outcomes.append(child.answer(time.monotonic() + self._wall_clock_s))
        except _ChildLost as lost:
            self.close()
            return lost
        if self._recycle_bytes and child.resident_bytes() > self._recycle_bytes:
            self.close()
        return None


def _chunk_end(pages: Sequence[bytes], start: int) -> int:
    size, stop = len(pages[start]), start + 1
    while stop < min(len(pages), start + _CHUNK_PAGES) and size + len(pages[stop]) <= _CHUNK_BYTES:
        size += len(pages[stop])
        stop += 1
    return stop


def _wait(pipe: int, event: int, deadline: float) -> None:
    # poll, since select takes no descriptor above 1023 and a Ray worker may hold more.
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _ChildLost(timeout=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.wait()


def _widen(pipe: int) -> None:
    # Linux pipes hold 64 KB; a page is larger, and each refill is a switch of processes. Elsewhere it stays as it is.
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return
