from __future__ import annotations

import gc
import weakref

from lauter.trainer.loop.garbage import EVERY_STEPS, Garbage


class Ring:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


def test_a_cycle_is_freed_when_it_is_time_however_old_it_is() -> None:
    with Garbage() as garbage:
        ring = Ring()
        seen = weakref.ref(ring)
        garbage.after(EVERY_STEPS)
        garbage.after(2 * EVERY_STEPS)
        del ring
        garbage.after(2 * EVERY_STEPS + 1)
        assert seen() is not None
        garbage.after(3 * EVERY_STEPS)
        assert seen() is None


def test_the_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    with Garbage():
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
