"""Values that cost much to make, the ones used last, for several threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentlyUsed(Generic[Key, Value]):
    """Holds at most `limit` values."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Key, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of the key, made now if it is not held."""
        # Made under the lock: two threads that want the same value must not both make it.
        with self._lock:
            if key not in self._held:
                self._held[key] = make()
                if len(self._held) > self._limit:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key]
