from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lauter.stages.extract import wire
from lauter.stages.extract.sandbox import Sandbox

HOSTILE = "tests.stages.extract.hostile:load"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    running = Sandbox(HOSTILE, wall_clock_s=0.5, memory_bytes=1 << 30)
    yield running
    running.close()


def statuses(sandbox: Sandbox, *pages: str) -> list[str]:
    return [outcome.status for outcome in sandbox.extract([page.encode() for page in pages])]


def gone(pid: int, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_order_and_text(sandbox: Sandbox) -> None:
    pages = [f"page {number} ß世" * (number % 7) for number in range(500)]
    outcomes = sandbox.extract([page.encode() for page in pages])
    assert [outcome.text for outcome in outcomes] == [page.upper() for page in pages]
    assert sandbox.extract([]) == []


def test_pages_larger_than_a_pipe_and_a_chunk(sandbox: Sandbox) -> None:
    pages = ["x" * (6 << 20), "y", "z" * (5 << 20)]
    assert [outcome.text for outcome in sandbox.extract([page.encode() for page in pages])] == [
        page.upper() for page in pages
    ]


@pytest.mark.parametrize(
    ("evil", "status"),
    [
        ("EXIT", "crash"),
        ("SEGV", "crash"),
        ("GROW", "crash"),
        ("HOARD", "crash"),
        ("HANG", "timeout"),
        ("SPIN", "timeout"),
        ("RAISE", "failed"),
        ("DEEP", "failed"),
    ],
)
def test_an_evil_page_costs_only_itself(sandbox: Sandbox, evil: str, status: str) -> None:
    assert statuses(sandbox, "a", "b", evil, "c", "d") == ["ok", "ok", status, "ok", "ok"]


def test_a_page_that_dies_of_its_forerunners_is_asked_again_alone(sandbox: Sandbox) -> None:
    assert statuses(sandbox, "a", "ONCE", "b", "ONCE") == ["ok", "ok", "ok", "ok"]


def test_several_evil_pages_in_one_chunk(sandbox: Sandbox) -> None:
    pages = ["a", "EXIT", "b", "HANG", "SEGV", "c", "RAISE"]
    assert statuses(sandbox, *pages) == ["ok", "crash", "ok", "timeout", "crash", "ok", "failed"]


def test_a_child_killed_from_outside_costs_no_page(sandbox: Sandbox) -> None:
    before = sandbox.pid
    assert before
    os.kill(before, signal.SIGKILL)
    assert statuses(sandbox, "a", "b") == ["ok", "ok"]
    assert sandbox.pid != before


@pytest.mark.parametrize("page", ["a", "x" * (3 << 20)])
def test_a_child_stopped_from_outside_costs_no_page(sandbox: Sandbox, page: str) -> None:
    # It takes neither a small chunk, which fits into the pipe, nor a large one.
    before = sandbox.pid
    assert before
    os.kill(before, signal.SIGSTOP)
    assert statuses(sandbox, page, "b") == ["ok", "ok"]
    assert gone(before, within_s=1)


def test_output_of_a_library_does_not_mix_with_answers(sandbox: Sandbox) -> None:
    assert sandbox.extract([b"PRINT", b"x"])[1].text == "X"


def test_half_surrogates_become_replacement_characters(sandbox: Sandbox) -> None:
    assert sandbox.extract([b"SURROGATE"])[0].text == "a\U0001f600b\ufffdc"


def test_a_child_that_has_grown_is_replaced() -> None:
    sandbox = Sandbox(HOSTILE, wall_clock_s=5.0, memory_bytes=200 << 20)
    children = set()
    for _ in range(12):  # 12 * 30 MB that the backend never frees
        assert statuses(sandbox, "KEEP") == ["ok"]
        children.add(sandbox.pid)
    sandbox.close()
    assert len(children - {None}) > 1


def test_a_backend_that_cannot_be_loaded() -> None:
    with pytest.raises(RuntimeError, match="load_nothing"):
        Sandbox("tests.stages.extract.hostile:load_nothing", wall_clock_s=0.5, memory_bytes=0)


@pytest.mark.parametrize("page", ["", "HANG"])
def test_the_child_dies_with_its_parent(page: str) -> None:
    # The parent is killed while its child is idle, and while its child hangs on a page.
    code = (
        "from lauter.stages.extract.sandbox import Sandbox\n"
        f"sandbox = Sandbox({HOSTILE!r}, wall_clock_s=0.5, memory_bytes=0)\n"
        "print(sandbox.pid, flush=True)\n"
        f"sandbox.extract([b'{page}'])\n"
        "import time; time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry or "." for entry in sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        time.sleep(0.3)
        parent.kill()
    assert gone(child, within_s=5)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def dead_children() -> int:
    mine = str(os.getpid())
    found = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += fields[0] == "Z" and fields[1] == mine
    return found


def restarts(sandbox: Sandbox, times: int) -> None:
    # The child dies in the middle of a chunk, with answers held back, and the pages after the evil one come back.
    evil = ("EXIT", "SEGV")
    for number in range(times):
        assert statuses(sandbox, "a", evil[number % 2], "b") == ["ok", "crash", "ok"]


def test_a_replaced_child_leaves_nothing_behind(sandbox: Sandbox) -> None:
    restarts(sandbox, 2)
    before = descriptors()
    restarts(sandbox, 3)
    assert descriptors() == before
    assert dead_children() == 0


@pytest.mark.soak
def test_a_thousand_replaced_children_leave_nothing_behind(sandbox: Sandbox) -> None:
    restarts(sandbox, 2)
    before = descriptors()
    restarts(sandbox, 500)  # each kills a child twice: in its chunk, and alone
    assert descriptors() == before
    assert dead_children() == 0


def test_wire_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "chunk"
    path.write_bytes(wire.chunk([b"", b"ab", b"\0" * 5]))
    with path.open("rb") as source:
        assert wire.read_chunk(source) == [b"", b"ab", b"\0" * 5]
        assert wire.read_chunk(source) is None
