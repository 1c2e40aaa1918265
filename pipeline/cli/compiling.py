"""A note on standard error that kernels are being compiled, where a command waits for it.

The first run of a version on a machine compiles what it calls: half a minute to a minute, in this process or in those
that it starts. What tells it is machine code that appears in the folder of all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from rich.console import Console
from rich.text import Text

WAIT_S = 5.0
"""Seconds that nobody need be told of; also how often the folder is looked at."""
NOTE = "note: compiling kernels for this machine, which takes a minute or so, once; the next run finds them in"


@contextmanager
def told_of_kernels(folder: Path | None = None, wait_s: float = WAIT_S) -> Iterator[None]:
    """Say within the context, once, that kernels are being compiled, after `wait_s` seconds of it.

    `folder`: where compiled kernels go; that of the stages if not given.
    """
    ended = Event()
    watch = Thread(target=_watch, args=(folder, wait_s, time.time(), ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(folder: Path | None, wait_s: float, started: float, ended: Event) -> None:
    while not ended.wait(wait_s):
        if folder is None:
            # Half a second, which a command that ends before needs not spend.
            from lauter.pipeline.kernel import cache_folder

            folder = cache_folder("stages")
        if any(path.stat().st_mtime > started for path in folder.rglob("*.nbc")):
            Console(stderr=True, emoji=False).print(Text(f"{NOTE} {folder.parent}"), soft_wrap=True)
            return
