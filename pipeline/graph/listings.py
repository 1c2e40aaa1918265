"""Lists of outputs, for tasks that read one slice of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from lauter.pipeline.storage import Output, Storage


class Listings:
    """Publishes lists into a run folder and remembers where."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._paths: dict[str, str] = {}

    def publish(self, name: str, outputs: Callable[[], Sequence[Output]]) -> str:
        """The path of a list of outputs; it ends with the list's digest.

        A list is made, and its outputs are asked for, once a plan: they are final when the first task that waits for
        them is built, and 4,096 tasks that each gather the outputs of 47,000 parts would look up 193 million.
        """
        if name in self._paths:
            return self._paths[name]
        content = json.dumps([output.to_json() for output in outputs()], sort_keys=True).encode()
        path = f"state/listings/{name}-{hashlib.sha256(content).hexdigest()[:24]}.json"
        if self._storage.size(path) != len(content):
            self._storage.write(path, content)
        self._paths[name] = path
        return path

    def paths(self) -> list[str]:
        """Where all lists lie."""
        return list(self._paths.values())
