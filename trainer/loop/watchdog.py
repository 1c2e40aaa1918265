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
from typing import NamedTuple, TypeVar

import torch.distributed as dist
from torch._C._distributed_c10d import Store, TCPStore

from lauter.trainer.parallel.ranks import Ranks

HUNG = 75
"""Exit code of a rank that gave up waiting (EX_TEMPFAIL of sysexits.h): a launcher may start the run again."""

FOLDER = "hangs"
"""Of a run folder: what each rank was doing, by rank."""

TOLD = "told"
"""Key of the store: how many ranks have looked who hangs."""

NOTICED = "noticed-"
"""Key of the store, with a rank: it knows that somebody has given up, so its process runs."""

Answer = TypeVar("Answer")

ANSWER = 20.0
"""Seconds that the store has for an answer."""


class Beat(NamedTuple):
    """How far a rank is. Beats are ordered: fewer done is further behind."""

    done: int
    """Beats before this one: all ranks pass the same ones."""
    what: str
    host: str


class Looked(NamedTuple):
    """What a rank that gives up knows of all."""

    beats: dict[int, Beat | None]
    """By rank; None for one that never told anything."""
    first: bool
    """Whether no other has looked yet: that one tells, be it among those that wait or not."""


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
        self._look = min((seconds or 0) / 4, 5.0)
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
        # Where rank 0 and the store are gone, the next collective says so; a broken pipe here would hide it.
        with suppress(RuntimeError, OSError):
            self._store.set(str(self._ranks.rank), f"{self._done} {socket.gethostname()} {what}")

    def _watch(self) -> None:
        assert self._seconds is not None
        while not self._stop.wait(self._look):
            still = time.monotonic() - self._at
            if still > self._seconds:
                self._give_up(still)
                return
            if still > self._look:
                # It may have come later than others to where all wait now: it must not be taken for dead.
                self._asked(self._notice)

    def _give_up(self, still: float) -> None:
        began = time.monotonic()
        own = Beat(self._done, self._what, socket.gethostname())
        looked = self._asked(lambda store: self._look_up(store, own))
        folder = self._out / FOLDER
        if looked is None:
            self._tell(
                f"no progress for {still:.0f} s; this is rank {self._ranks.rank} in {own.what}, and rank 0, which "
                f"knows how far all ranks are, does not answer. See {folder}"
            )
        self._write_stacks(folder, own)
        if looked is not None and looked.first:
            # The others have noticed within one look, if they live.
            time.sleep(max(0.0, began + 1.5 * self._look - time.monotonic()))
            missing = self._asked(self._missing)
            self._tell(f"no progress for {still:.0f} s; {verdict(looked.beats, missing or [])}. See {folder}")
        # A launcher ends all ranks when the first has gone, and the store goes with rank 0: the others look first.
        time.sleep(max(0.0, began + 3 * self._look - time.monotonic()))
        self._leave(HUNG)

    def _write_stacks(self, folder: Path, own: Beat) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"rank-{self._ranks.rank}.txt").open("w", encoding="utf-8") as file:
                file.write(f"beat {own.done}, {own.what}, on {own.host}\n")
                file.flush()
                faulthandler.dump_traceback(file, all_threads=True)
        except OSError as error:
            self._tell(f"{folder}: where each thread stands could not be written: {error}")

    def _asked(self, question: Callable[[Store], Answer]) -> Answer | None:
        """What the store tells; None where it does not answer.

        In a thread of its own: where rank 0 is stopped, torch's calls wait for ever, whatever their timeout is.
        """
        found: list[Answer] = []

        def ask() -> None:
            assert self._store is not None
            # torch's DistStoreError and DistNetworkError are RuntimeErrors.
            with suppress(RuntimeError, OSError):
                found.append(question(self._store))

        asking = threading.Thread(target=ask, name="watchdog-asks", daemon=True)
        asking.start()
        asking.join(ANSWER)
        return found[0] if found else None

    def _look_up(self, store: Store, own: Beat) -> Looked:
        store.set(f"{NOTICED}{self._ranks.rank}", "")
        others = [str(rank) for rank in range(self._ranks.count) if rank != self._ranks.rank]
        if not store.check(others):  # At the start only.
            others = [rank for rank in others if store.check([rank])]
        # All in one message: thousands of ranks ask at the same time.
        told = [one.decode().split(" ", 2) for one in store.multi_get(others)] if others else []
        heard = {int(rank): Beat(int(done), what, host) for rank, (done, host, what) in zip(others, told, strict=True)}
        heard[self._ranks.rank] = own
        beats = {rank: heard.get(rank) for rank in range(self._ranks.count)}
        return Looked(beats, store.add(TOLD, 1) == 1)

    def _notice(self, store: Store) -> None:
        if store.check([TOLD]):
            store.set(f"{NOTICED}{self._ranks.rank}", "")

    def _missing(self, store: Store) -> list[int]:
        """Ranks that do not know that somebody has given up."""
        return [rank for rank in range(self._ranks.count) if not store.check([f"{NOTICED}{rank}"])]


def complain(message: str) -> None:
    """Write to standard error past Python's buffers, whose locks the thread that hangs may hold."""
    with suppress(OSError):
        os.write(2, f"{message}\n".encode())


def verdict(beats: Mapping[int, Beat | None], missing: Sequence[int] = ()) -> str:
    """Who is behind, in words; `missing` are ranks that did not notice that one gave up.

    >>> verdict({0: Beat(9, "gradient of step 4", "a"), 1: Beat(8, "reading of step 4", "b")})
    'rank 1 on b is still in reading of step 4; 1 rank waits in gradient of step 4'
    >>> verdict({0: Beat(9, "gradient of step 4", "a"), 1: None})
    'rank 1 does not answer; 1 rank waits in gradient of step 4'
    >>> verdict({0: Beat(9, "gradient of step 4", "a"), 1: Beat(9, "gradient of step 4", "b")}, [1])
    'rank 1 on b was stopped or killed in gradient of step 4; 1 rank waits in gradient of step 4'
    """
    silent = [rank for rank, beat in beats.items() if beat is None]
    heard = {rank: beat for rank, beat in beats.items() if beat is not None}
    last = max(heard.values())
    behind = [rank for rank, beat in heard.items() if beat.done < last.done]
    waiting = sum(beat.done == last.done for beat in heard.values())
    said = []
    if silent:
        said.append(f"{_ranks(silent)} {'does' if len(silent) == 1 else 'do'} not answer")
    # A process that was stopped or killed inside a collective told the same as those that wait for it.
    dead = [rank for rank in missing if rank in heard and heard[rank].done == last.done]
    told = [f"rank {rank} on {heard[rank].host} is still in {heard[rank].what}" for rank in behind]
    told += [f"rank {rank} on {heard[rank].host} was stopped or killed in {heard[rank].what}" for rank in dead]
    waiting -= len(dead)
    said += told[:3]
    if len(told) > 3:
        said.append(f"and {len(told) - 3} more")
    if not said:
        return (
            f"all {waiting} ranks run and were last in {last.what}: the network, or a kernel, hangs, or "
            "launch.hang_seconds is too short"
        )
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
