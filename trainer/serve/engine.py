"""The one thread that runs the model, for all requests: first come, first served."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lauter.trainer.serve.batching import Speaker, SpeakingBatch, Spoken

_LOG = logging.getLogger(__name__)


class Busy(Exception):
    """As many sequences wait as may; the message says how many."""


class Stopped(Exception):
    """The model is not running: the server is stopping, or a pass failed; the message says why."""


@dataclass(eq=False)
class Job:
    """One sequence of a request."""

    speaker: Speaker
    most: int
    """Tokens that it may say."""
    ends: frozenset[int]
    """Ids after which it ends by itself."""
    told: Callable[[Spoken | Stopped], None]
    """Called from the model's thread with every token, and at most once with what stopped it."""
    cancelled: bool = field(default=False, init=False)
    """Set by who needs no more of it; it is dismissed before the next pass."""
    said: int = field(default=0, init=False)


class Engine:
    """Takes jobs from any thread, and tells their tokens from its own.

    `waiting`: at most so many jobs wait for a place in the batch.
    """

    def __init__(self, batch: SpeakingBatch, waiting: int) -> None:
        self.capacity = batch.capacity
        self._batch = batch
        self._most = waiting
        self._waiting: deque[Job] = deque()
        self._running: dict[Speaker, Job] = {}
        self._changed = threading.Condition()
        self._fault: str | None = "the model has not started"
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._fault = None
        self._thread.start()

    def stop(self) -> None:
        """End all jobs, and wait for the pass that is under way."""
        self._fail("the server is stopping")
        self._thread.join()

    @property
    def fault(self) -> str | None:
        """Why it takes no jobs; None where it does."""
        return self._fault

    @property
    def counts(self) -> tuple[int, int]:
        """Sequences in the batch, and those that wait."""
        return len(self._running), len(self._waiting)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take all of the jobs, or none.

        Raises:
            Busy: there is no place for so many.
            Stopped: it takes none at all.
            ValueError: a prompt can't be read.
        """
        for job in jobs:
            self._batch.check(job.speaker.prompt)
        with self._changed:
            if self._fault is not None:
                raise Stopped(self._fault)
            places = self._batch.free + self._most - len(self._waiting)
            if len(jobs) > places:
                raise Busy(f"{len(self._running)} sequences are under way and {len(self._waiting)} wait")
            self._waiting.extend(jobs)
            self._changed.notify()

    def cancel(self, jobs: Sequence[Job]) -> None:
        """Nothing more is wanted of these, whether they are done, speak or wait."""
        with self._changed:
            for job in jobs:
                job.cancelled = True
            self._waiting = deque(job for job in self._waiting if not job.cancelled)
            self._changed.notify()

    def _run(self) -> None:
        try:
            while self._next():
                self._tell(self._batch.step())
        except Exception as error:
            # Whatever broke a pass, no job may wait for ever.
            _LOG.exception("a pass of the model failed")
            self._fail(f"a pass of the model failed: {error}")

    def _next(self) -> bool:
        """Dismiss who is cancelled, let in who waits; sleep while nobody is there. False: stop."""
        with self._changed:
            while self._fault is None:
                gone = {speaker for speaker, job in self._running.items() if job.cancelled}
                self._dismiss(gone)
                while self._waiting and self._batch.free:
                    job = self._waiting.popleft()
                    self._batch.admit(job.speaker)
                    self._running[job.speaker] = job
                if self._running:
                    return True
                self._changed.wait()
        return False

    def _tell(self, spoken: Sequence[Spoken]) -> None:
        done: set[Speaker] = set()
        with self._changed:
            for one in spoken:
                job = self._running.get(one.speaker)
                if job is None or job.cancelled:
                    continue
                job.said += 1
                if one.token in job.ends or job.said == job.most:
                    done.add(one.speaker)
                job.told(one)
            self._dismiss(done)

    def _dismiss(self, speakers: set[Speaker]) -> None:
        self._batch.dismiss(speakers)
        for speaker in speakers:
            del self._running[speaker]

    def _fail(self, why: str) -> None:
        with self._changed:
            self._fault = self._fault or why
            for job in (*self._running.values(), *self._waiting):
                if not job.cancelled:
                    job.told(Stopped(self._fault))
            self._running.clear()
            self._waiting.clear()
            self._changed.notify()
