from __future__ import annotations

import mmap
import subprocess
import sys
import time

from lauter.pipeline.cost import meter

BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint('busy', flush=True)\ninput()\n"


def test_a_living_child_counts_and_so_does_one_that_has_ended() -> None:
    before = meter.now()
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"busy\n"
        assert child.pid in meter.children()
        alive = meter.since(before)
        assert alive.cpu_s >= 0.25
        child.communicate(b"\n")
    ended = meter.since(before)
    assert ended.cpu_s >= alive.cpu_s - 0.05
    assert child.pid not in meter.children()


def test_sleep_is_wall_time_and_no_processor_time() -> None:
    before = meter.now()
    time.sleep(0.05)
    spent = meter.since(before)
    assert spent.wall_s >= 0.04
    assert spent.cpu_s <= spent.wall_s


def test_the_peak_begins_anew() -> None:
    meter.forget_peak()
    # A mapping of its own: what is freed of the heap may stay with the process.
    with mmap.mmap(-1, 64 << 20) as block:
        block[::4096] = bytes(len(block) // 4096)
        high = meter.peak_bytes()
    meter.forget_peak()
    assert meter.peak_bytes() < high - (32 << 20)


def test_a_process_has_spent_something_since_it_was_started() -> None:
    spent = meter.since_start()
    assert 0 < spent.cpu_s <= spent.wall_s
