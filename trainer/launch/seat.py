"""What runs on a node of Ray for each rank: the rank's process, its output, and signals to it.

Ray's workers import this module, so it asks for nothing heavy. The rank is a process of its own, and not the actor,
because a run takes signals in its main thread while the actor must answer meanwhile.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import ray

OUT, ERR = 1, 2
"""Descriptors that a line of a rank came from."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a seat is."""

    node: str
    """Ray's id of the node."""
    host: str
    """Its address, as the other nodes reach it."""
    gpus: tuple[str, ...]
    """Ids of those that are the seat's own."""
    port: int
    """One that was free there."""


class Seat:
    """An actor; several of its methods run at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def place(self) -> Place:
        """Where Ray put it."""
        context = ray.get_runtime_context()
        host = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        with socket.create_server((host, 0)) as found:
            port: int = found.getsockname()[1]
        gpus = tuple(context.get_accelerator_ids().get("GPU", ()))
        return Place(context.get_node_id(), host, gpus, port)

    def run(self, words: Sequence[str], variables: Mapping[str, str], folder: str) -> Iterator[tuple[int, bytes]]:
        """Run `lauter` with these words: what it writes, as descriptor and bytes, and last (0, exit code)."""
        # Stays in this call, and with it in this thread, until the end: the kernel ends a bound child with its
        # parent's thread.
        with subprocess.Popen(
            [sys.executable, "-m", "lauter.trainer.launch.bound", str(os.getpid()), *words],
            env={**os.environ, **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            self._process = process
            assert process.stdout is not None
            assert process.stderr is not None
            lines: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
            pipes = ((OUT, process.stdout), (ERR, process.stderr))
            readers = [threading.Thread(target=_read, args=(*pipe, lines), daemon=True) for pipe in pipes]
            for reader in readers:
                reader.start()
            left = len(readers)
            while left:
                descriptor, line = lines.get()
                if line:
                    yield descriptor, line
                else:
                    left -= 1
            yield 0, str(process.wait()).encode()

    def signal(self, number: int) -> None:
        """Hand a signal on to the rank, if it is there."""
        if self._process is not None:
            self._process.send_signal(number)


def _read(descriptor: int, pipe: IO[bytes], lines: queue.SimpleQueue[tuple[int, bytes]]) -> None:
    """Every line, then an empty one."""
    for line in pipe:
        lines.put((descriptor, line))
    lines.put((descriptor, b""))
