"""Runs the exchange and the steps of components over synthetic records, each phase in a process of its own.

A record's numbers are SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 15) of its place: spread as hashes are,
made as they are written, and its inverse leads back, so that every row of a result is checked against what it must be
without holding any of them. Files are deleted as soon as the next phase has read them.

    python -m tests.pipeline.scale_run exchange|components RECORDS FOLDER      prints one line of JSON a phase
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.pipeline import exchange
from lauter.pipeline.components import LABELS, write_edges
from lauter.pipeline.graph.connecting import connecting_nodes, labels_of
from lauter.pipeline.kernel import kernel
from lauter.pipeline.record_sort import sort_records
from lauter.pipeline.storage import Storage
from lauter.pipeline.task import Result
from lauter.pipeline.worker import execute
from tests.pipeline.component_run import Ranges

RECORDS = pa.schema([pa.field("key", pa.uint64(), nullable=False), pa.field("item", pa.uint64(), nullable=False)])
RANGE_RECORDS = 4_000_000
"""What a range holds, on average: 64 MB."""
FILE_RECORDS = 10_000_000
BATCH = 1 << 18

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
FIRST_INVERSE, SECOND_INVERSE = pow(FIRST, -1, 1 << 64), pow(SECOND, -1, 1 << 64)

CLUSTER = 5
STEP = 618_033_989
"""A prime: edges are written in the order of its multiples, so that neighbours come far from each other."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What one process did."""

    name: str
    records: int
    seconds: float
    """Of processor time: the machine may be busy with other things."""
    wall_seconds: float
    start_bytes: int
    """VmHWM before the first record."""
    peak_bytes: int
    """VmHWM at the end."""
    found: dict[str, int] = field(default_factory=dict)


Do = Callable[[str, int, Callable[[], dict[str, int]]], Phase]
"""Does the work of a phase: `in_a_process`, or `measured` in this one."""


@kernel
def mixed(place: np.uint64) -> np.uint64:
    number = place + np.uint64(GOLDEN)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(FIRST)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(SECOND)
    return number ^ (number >> np.uint64(31))


@kernel
def place_of(number: np.uint64) -> np.uint64:
    """The inverse of `mixed`."""
    number = (number ^ (number >> np.uint64(31)) ^ (number >> np.uint64(62))) * np.uint64(SECOND_INVERSE)
    number = (number ^ (number >> np.uint64(27)) ^ (number >> np.uint64(54))) * np.uint64(FIRST_INVERSE)
    return (number ^ (number >> np.uint64(30)) ^ (number >> np.uint64(60))) - np.uint64(GOLDEN)


@kernel
def make_records(first: int, total: int, key: NDArray[np.uint64], item: NDArray[np.uint64]) -> None:
    """Every key comes twice, half of all records apart."""
    for index in range(key.size):
        key[index] = mixed(np.uint64((first + index) % (total // 2)))
        item[index] = mixed(np.uint64(first + index))


@kernel
def check_sorted(records: NDArray[np.uint64], total: int) -> int:
    """How many records are as they must be: in order, of a key and an item that belong together, in pairs."""
    right = 0
    for row in range(records.shape[0]):
        place = place_of(records[row, 1])
        same = place < total and records[row, 0] == mixed(place % np.uint64(total // 2))
        other = row + 1 if row % 2 == 0 else row - 1
        paired = other < records.shape[0] and records[other, 0] == records[row, 0]
        if row % 2 and records[row, 1] <= records[row - 1, 1]:
            paired = False
        if row % 2 == 0 and row and records[row, 0] <= records[row - 1, 0]:
            paired = False
        if same and paired:
            right += 1
    return right


@kernel
def make_edges(first: int, total: int, chain: int, edges: NDArray[np.uint64]) -> None:
    """Rings of `CLUSTER` nodes, and one of all nodes from `chain` on: as many edges as nodes."""
    for index in range(edges.shape[0]):
        node = (first + index) * STEP % total
        if node < chain:
            other = node + 1 if (node + 1) % CLUSTER else node + 1 - CLUSTER
        else:
            other = node + 1 if node + 1 < total else chain
        left, right = mixed(np.uint64(node)), mixed(np.uint64(other))
        edges[index, 0] = min(left, right)
        edges[index, 1] = max(left, right)


@kernel
def check_labels(item: NDArray[np.uint64], cluster: NDArray[np.uint64], chain: int, least: np.uint64) -> int:
    """How many labels are the smallest item of the ring that the item is in; `least`: that of the large one."""
    right = 0
    for index in range(item.size):
        place = np.int64(place_of(item[index]))
        smallest = least
        if place < chain:
            start = place - place % CLUSTER
            smallest = item[index]
            for node in range(start, start + CLUSTER):
                smallest = min(smallest, mixed(np.uint64(node)))
        right += cluster[index] == smallest
    return right


@kernel
def smallest_from(chain: int, total: int) -> np.uint64:
    smallest = mixed(np.uint64(chain))
    for node in range(chain, total):
        smallest = min(smallest, mixed(np.uint64(node)))
    return smallest


def ranges_of(records: int) -> int:
    """As many ranges as keep one at a size: what `sharding.ranges` is for."""
    return max(2, -(-records // RANGE_RECORDS))


def chain_of(total: int) -> int:
    """The first node of the large component, which holds 1 % of all."""
    return total // 100 * 99 // CLUSTER * CLUSTER


def peak_bytes() -> int:
    """VmHWM of this process."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def batches(total: int) -> Iterator[tuple[str, Iterator[tuple[int, int]]]]:
    """Files, and in each (first, count) of its batches."""
    for start in range(0, total, FILE_RECORDS):
        end = min(total, start + FILE_RECORDS)
        yield f"found-{start:012d}", ((first, min(BATCH, end - first)) for first in range(start, end, BATCH))


def write_records(storage: Storage, total: int) -> dict[str, int]:
    """What the map tasks of a corpus leave: files of band records by range."""
    for name, some in batches(total):
        with storage.staging(f"keys/{name}") as staged:
            sink = exchange.PartitionedSink(staged, RECORDS)
            for first, count in some:
                key, item = np.empty(count, np.uint64), np.empty(count, np.uint64)
                make_records(first, total, key, item)
                sink.write(pa.table([key, item], schema=RECORDS), exchange.partition_of(key, ranges_of(total)))
            sink.close()
            exchange.describe(staged, name, sink.rows)
    return {"bytes": sum(storage.list("keys").values())}


def meet_records(storage: Storage, total: int) -> dict[str, int]:
    """What the tasks of the ranges do: read, sort, look at equal keys."""
    paths = sorted(storage.list("keys"))
    right = 0
    read = sort = 0.0
    for partition in range(ranges_of(total)):
        start = time.process_time()
        records = exchange.read_records(storage, paths, partition, RECORDS)
        read += time.process_time() - start
        start = time.process_time()
        sort_records(records)
        sort += time.process_time() - start
        right += check_sorted(records, total)
    return {"right": right, "read_ms": round(read * 1000), "sort_ms": round(sort * 1000)}


def exchange_phases(folder: Path, records: int, do: Do) -> Iterator[Phase]:
    """Write records by range, then sort every range."""
    storage = Storage(str(folder))
    yield do("write", records, partial(write_records, storage, records))
    yield do("meet", records, partial(meet_records, storage, records))
    shutil.rmtree(folder / "keys")


SPENT = {
    "number-left": "ends",
    "number-right": "edges",
    "unite": "halves",
    "roots": "numbered",
    "labels": "forest",
    "check": "roots",
}
"""Phase -> the folder that it and all later ones have no use for."""


def component_phases(folder: Path, edges: int, do: Do) -> Iterator[Phase]:
    """Write edges, run the steps, check every label."""
    storage = Storage(str(folder))
    yield do("edges", edges, partial(leave_edges, storage, edges))
    for step in ("nodes", *SPENT):
        if step in SPENT:
            shutil.rmtree(folder / "state" / SPENT[step])
        work = partial(check_all_labels, storage, edges) if step == "check" else partial(run_step, storage, edges, step)
        yield do(step, edges, work)
    shutil.rmtree(folder / "state")


def leave_edges(storage: Storage, total: int) -> dict[str, int]:
    """What the tasks leave that find edges."""

    def made(some: Iterator[tuple[int, int]]) -> Iterator[NDArray[np.uint64]]:
        for first, count in some:
            edges = np.empty((count, 2), np.uint64)
            make_edges(first, total, chain_of(total), edges)
            yield edges

    results = {name: Result(write_edges(storage, name, made(some), ranges_of(total))) for name, some in batches(total)}
    remember(storage, results)
    return {"bytes": sum(output.size for result in results.values() for output in result.outputs)}


def run_step(storage: Storage, total: int, step: str) -> dict[str, int]:
    """All tasks of a step, one after the other."""
    results = remembered(storage)
    plan = Ranges(storage, ranges_of(total))
    before = [name for name in results if "/" not in name]
    done = [node for node in connecting_nodes(plan, before) if node.name.startswith(step + "/")]
    made = {node.name: execute(node.build(results)) for node in done}
    remember(storage, results | made)
    info = made["unite/all"].info if step == "unite" else {}
    return {"bytes": sum(output.size for result in made.values() for output in result.outputs), **info}


def check_all_labels(storage: Storage, total: int) -> dict[str, int]:
    """Every label against what it must be."""
    results = remembered(storage)
    chain = chain_of(total)
    least = smallest_from(chain, total)
    right = 0
    for output in labels_of(Ranges(storage, ranges_of(total)), results):
        for batch in exchange.messages(storage, output.path, LABELS):
            right += check_labels(batch.column(0).to_numpy(), batch.column(1).to_numpy(), chain, least)
    return {"right": right}


def remember(storage: Storage, results: dict[str, Result]) -> None:
    """For the next process."""
    storage.write("state/results", pickle.dumps(results))


def remembered(storage: Storage) -> dict[str, Result]:
    """What the processes before made."""
    results: dict[str, Result] = pickle.loads(storage.read("state/results"))
    return results


def in_a_process(name: str, records: int, work: Callable[[], dict[str, int]]) -> Phase:
    """Do the work in a fresh process and measure it."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(measured, name, records, work).result()


def measured(name: str, records: int, work: Callable[[], dict[str, int]]) -> Phase:
    """Do the work and measure it."""
    pa.set_cpu_count(1)
    before, start, wall = peak_bytes(), time.process_time(), time.perf_counter()
    found = work()
    seconds, waited = time.process_time() - start, time.perf_counter() - wall
    return Phase(name, records, round(seconds, 2), round(waited, 2), before, peak_bytes(), found)


def main() -> None:
    """Print a line of JSON for each phase."""
    kind, records, folder = sys.argv[1], int(float(sys.argv[2])), Path(sys.argv[3])
    phases = {"exchange": exchange_phases, "components": component_phases}[kind]
    for phase in phases(folder, records, in_a_process):
        rate = round(phase.records / phase.seconds / 1e6, 2) if phase.seconds else None
        print(json.dumps({**asdict(phase), "M_records_a_second": rate}), flush=True)


if __name__ == "__main__":
    main()
