"""Which tasks must make their outputs again, because a takedown has blanked what a new task wants to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result, Task

LISTINGS = "state/listings/"
LISTINGS_HELD = 64


class MadeAgain:
    """Keeps account of tasks that wait for blanked files, and of those that make them again."""

    def __init__(self, storage: Storage, results: Mapping[str, Result]) -> None:
        self._storage = storage
        self.forced: set[str] = set()
        """Tasks that run although they are done."""
        self._waiting: dict[str, set[str]] = {}
        self._blanked: dict[tuple[str, str], str] = {}
        """(path, digest before the blanking) -> the task that makes it. Who names the digest after it reads that."""
        for name, result in results.items():
            self._note(name, result)
        self._listed = lru_cache(maxsize=LISTINGS_HELD)(self._outputs_of)

    def lacking(self, task: Task) -> list[str] | None:
        """Tasks to be run before this one, besides those that are under way; None where it can run now."""
        blanked = self._blanked
        wanted = {blanked[item] for item in self._read(task.args) if item in blanked} if blanked else set()
        if not wanted:
            return None
        self._waiting[task.name] = wanted
        more = sorted(wanted - self.forced)
        self.forced |= wanted
        return more

    def made(self, name: str, result: Result) -> list[str]:
        """Note that a task is done; returns those that waited for it last."""
        self._note(name, result)
        for others in self._waiting.values():
            others.discard(name)
        free = [waits for waits, others in self._waiting.items() if not others]
        for waits in free:
            del self._waiting[waits]
        return free

    def waiting(self) -> list[str]:
        """Tasks that still wait: what they wait for has failed."""
        return sorted(self._waiting)

    def _note(self, name: str, result: Result) -> None:
        for output in result.outputs:
            if output.path in result.masked:
                self._blanked[output.path, output.sha256] = name
            else:
                self._blanked.pop((output.path, output.sha256), None)

    def _read(self, args: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON-able
        """(path, digest) of all outputs that a task's arguments name, themselves or in a listing."""
        if isinstance(args, Mapping):
            if "path" in args and "sha256" in args:
                yield args["path"], args["sha256"]
            for value in args.values():
                yield from self._read(value)
        elif isinstance(args, list | tuple):
            for value in args:
                yield from self._read(value)
        elif isinstance(args, str) and args.startswith(LISTINGS):
            yield from self._listed(args)

    def _outputs_of(self, listing: str) -> tuple[tuple[str, str], ...]:
        return tuple((item["path"], item["sha256"]) for item in self._storage.read_json(listing))
