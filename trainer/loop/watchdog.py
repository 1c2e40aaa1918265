"""Finds the rank that all others wait for.

A collective that one rank never joins hangs without a word, and its timeout names the operation, not the culprit. Here
every rank tells a store how far it is; a thread that sees no progress reads what all told and names those that are
behind.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import torch.distributed as dist
from torch._C._distributed_c10d import Store, TCPStore

from lauter.trainer.parallel.ranks import Ranks

HUNG = 75
"""Exit code of a rank that gave up waiting (EX_TEMPFAIL of sysexits.h): a launcher may start the run again."""

FOLDER = "hangs"
"""Of a run folder: what each rank was doing, by rank."""


class Beat(NamedTuple):
    """How far a rank is. Beats are ordered: fewer done is further behind."""

    done: int
    """Beats before this one: all ranks pass the same ones."""
    what: str
    host: str


class Watchdog:
    """While used as a context, ends this process where the ranks make no progress for so many seconds.

    With one process, or without a limit, it does nothing.
    """

    def __init__(
        self,
        ranks: Ranks,
        seconds: float | None,
        out: Path,
        tell: Callable[[str], None],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        """Called by all ranks. `leave` ends the process: an exception could not get it out of a hung collective."""
        self._ranks, self._seconds, self._out, self._tell, self._leave = ranks, seconds, out, tell, leave
        self._done, self._at = 0, time.monotonic()
        self._what = "start"
        self._stop = threading.Event()
        self._store = None if seconds is None or ranks.count == 1 else _meet(ranks)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watchdog:
        """Begin to watch."""
        if self._store is not None:
            self.beat("start")
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Watch no longer."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def beat(self, what: str) -> None:
        """Say what begins now; every rank says the same things in the same order. One message to the store."""
        if self._store is None:
            return
        self._done += 1
        self._what, self._at = what, time.monotonic()
        self._store.set(str(self._ranks.rank), f"{self._done} {socket.gethostname()} {what}")

    def _watch(self) -> None:
        assert self._seconds is not None
        while not self._stop.wait(min(self._seconds / 4, 5.0)):
            still = time.monotonic() - self._at
            if still > self._seconds:
                self._give_up(still)
                return

    def _give_up(self, still: float) -> None:
        own = Beat(self._done, self._what, socket.gethostname())
        beats = self._beats(own)
        if speaker(beats) == self._ranks.rank:
            self._tell(f"no progress for {still:.0f} s; {verdict(beats)}. See {self._out / FOLDER}")
        folder = self._out / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"rank-{self._ranks.rank}.txt").open("w", encoding="utf-8") as file:
                file.write(f"beat {own.done}, {own.what}, on {own.host}\n")
                file.flush()
                faulthandler.dump_traceback(file, all_threads=True)
        except OSError as error:
            self._tell(f"{folder}: where each thread stands could not be written: {error}")
        self._leave(HUNG)

    def _beats(self, own: Beat) -> dict[int, Beat | None]:
        """Of all ranks; None where the store does not answer or a rank never told anything."""
        found: dict[int, Beat | None] = {self._ranks.rank: own}
        for rank in range(self._ranks.count):
            if rank != self._ranks.rank:
                found[rank] = self._beat_of(rank)
        return dict(sorted(found.items()))

    def _beat_of(self, rank: int) -> Beat | None:
        assert self._store is not None
        try:
            done, host, what = self._store.get(str(rank)).decode().split(" ", 2)
        except (RuntimeError, OSError):  # torch's DistStoreError and DistNetworkError are RuntimeErrors.
            return None
        return Beat(int(done), what, host)


def complain(message: str) -> None:
    """Write to standard error past Python's buffers, whose locks the thread that hangs may hold."""
    with suppress(OSError):
        os.write(2, f"{message}\n".encode())


def speaker(beats: Mapping[int, Beat | None]) -> int:
    """The one rank that speaks for all: the first of those that are ahead.

    >>> speaker({0: Beat(8, "reading of step 4", "a"), 1: Beat(9, "gradient of step 4", "b"), 2: None})
    1
    """
    last = max(beat.done for beat in beats.values() if beat is not None)
    return next(rank for rank, beat in beats.items() if beat is not None and beat.done == last)


def verdict(beats: Mapping[int, Beat | None]) -> str:
    """Who is behind, in words.

    >>> verdict({0: Beat(9, "gradient of step 4", "a"), 1: Beat(8, "reading of step 4", "b")})
    'rank 1 on b is still in reading of step 4; 1 rank waits in gradient of step 4'
    >>> verdict({0: Beat(9, "gradient of step 4", "a"), 1: None})
    'rank 1 does not answer; 1 rank waits in gradient of step 4'
    """
    silent = [rank for rank, beat in beats.items() if beat is None]
    heard = {rank: beat for rank, beat in beats.items() if beat is not None}
    last = max(heard.values())
    behind = [rank for rank, beat in heard.items() if beat.done < last.done]
    waiting = sum(beat.done == last.done for beat in heard.values())
    said = []
    if silent:
        said.append(f"{_ranks(silent)} {'does' if len(silent) == 1 else 'do'} not answer")
    said += [f"rank {rank} on {heard[rank].host} is still in {heard[rank].what}" for rank in behind[:3]]
    if len(behind) > 3:
        said.append(f"and {len(behind) - 3} more")
    if not said:
        return f"all {waiting} ranks are in {last.what}: the network, or a kernel, hangs"
    said.append(f"{waiting} rank{' waits' if waiting == 1 else 's wait'} in {last.what}")
    return "; ".join(said)


def _ranks(numbers: Sequence[int]) -> str:
    some = ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
    return f"rank{'s' if len(numbers) > 1 else ''} {some}"


def _meet(ranks: Ranks) -> Store:
    """A store of our own, at the first rank: the process group's may be busy in the very call that hangs."""
    place: list[tuple[str, int] | None] = [None]
    wait = timedelta(seconds=20)
    store: Store | None = None
    if ranks.first:
        host = os.environ.get("MASTER_ADDR", "localhost")
        store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=wait)
        place = [(host, store.port)]
    dist.broadcast_object_list(place, src=0)
    if store is None:
        assert place[0] is not None  # What the first rank sent.
        store = TCPStore(*place[0], is_master=False, wait_for_workers=False, timeout=wait)
    return store
