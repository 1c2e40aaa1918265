"""The process that extracts. It imports no more than the backend, and any page may kill it.

On its input: chunks of pages; on its output: one answer a page, a few at a time. Formats are in `wire`.
"""

from __future__ import annotations

import gc
import importlib
import io
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import BinaryIO

from lauter.stages.extract import wire

_HOLD_S = 0.02
"""Answers are held back this long, since each write wakes the parent: some 40 us, a tenth of resiliparse's work on a
small page. What is lost when a page kills the child is asked again."""
_PARENT_CHECK_S = 5.0
"""How often an idle child looks whether its parent lives. End of input says so at once, unless another process
inherited the pipe."""


def main(loader: str, wall_clock_s: float, memory_bytes: int) -> None:
    """Serve until the input ends. `loader` is `module:function`; the function returns a function from HTML to text."""
    source, sink = sys.stdin.buffer, io.FileIO(os.dup(1), "wb")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    module, _, function = loader.partition(":")
    extract: Callable[[str], str] = getattr(importlib.import_module(module), function)()
    # What a library prints must reach neither the answers nor the log of a run.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    gc.freeze()
    sink.write(wire.READY)
    parent = os.getppid()
    while (pages := _next_chunk(source, parent)) is not None:
        held, sent = bytearray(), time.monotonic()
        for page in pages:
            # The kernel ends a page that hangs even if the parent is gone; the parent's own clock is shorter.
            signal.setitimer(signal.ITIMER_REAL, 1 + math.ceil(wall_clock_s))
            held += _answer(extract, page)
            if time.monotonic() - sent > _HOLD_S:
                _send(sink, held)
                held, sent = bytearray(), time.monotonic()
        _send(sink, held)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _send(sink: io.FileIO, data: bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[sink.write(view) or 0 :]


def _next_chunk(source: BinaryIO, parent: int) -> list[bytes] | None:
    while not select.select([source], [], [], _PARENT_CHECK_S)[0]:
        if os.getppid() != parent:
            return None
    return wire.read_chunk(source)


def _answer(extract: Callable[[str], str], page: bytes) -> bytes:
    try:
        return wire.answer(wire.OK, _sound(extract(page.decode("utf-8"))))
    except MemoryError:
        os._exit(1)  # what is left of the heap is not to be trusted: the parent counts it as a crash
    except Exception as failure:
        return wire.answer(wire.FAILED, type(failure).__name__.encode())


def _sound(text: str) -> bytes:
    # `&#xD800;` can leave half of a surrogate pair, which is no Unicode text; whole pairs are joined.
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
