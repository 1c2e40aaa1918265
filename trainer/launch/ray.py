"""Runs the ranks of a run on Ray: one actor a rank, close together, started again where one is lost.

Ray finds the places; the ranks meet and talk by torch alone, as under torchrun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from lauter.pipeline.cli import FAILED, INTERRUPTED
from lauter.pipeline.executors.ray import connect
from lauter.trainer.config.sections import RunSection
from lauter.trainer.launch.ending import FINAL, WAIT_SECONDS, code_of
from lauter.trainer.launch.fitting import most_ranks
from lauter.trainer.launch.seat import OUT, Place, Seat
from lauter.trainer.loop.signals import Signals

_LOOK_SECONDS = 5.0
"""Between two looks at what room a cluster has."""

_SIGNAL_SECONDS = 1.0
"""At most so long until a signal is handed on."""

_DEAD_SECONDS = 5.0
"""Of the other ranks after one was killed: what it leaves undone can't be finished, but its neighbours may say why."""


class NoRoom(Exception):
    """A cluster has too few cores or GPUs."""


def run_on_ray(section: RunSection, words: Sequence[str], address: str, ranks: int, tell: Callable[[str], None]) -> int:
    """Run `lauter WORDS` on so many ranks until it ends; its exit code.

    `address`: a cluster's, or `local` for this machine. A lost run is started again `launch.restarts` times, on fewer
    ranks where the cluster has become smaller.

    Raises:
        ConnectionError: there is no Ray at the address.
        NoRoom: the cluster has room for fewer ranks, at the start; or for none that the config runs on, later.
        RayError: the cluster itself went away.
    """
    launch = section.launch
    local = address == "local"
    connect(None if local else address, ranks * launch.threads if local else None)
    try:
        wants = {"CPU": float(launch.threads)}
        if not local and ray.cluster_resources().get("GPU", 0.0) >= 1:  # type: ignore[no-untyped-call]
            wants["GPU"] = 1.0
        there = room(_nodes(), wants)
        if there < ranks:
            raise NoRoom(f"{ranks} rank(s) do not fit: the cluster at {address} has room for {there}; give --ranks")
        started = 0
        # Ray tells of lost workers on standard output, which is for the result of the first rank.
        with redirect_stdout(sys.stderr), Signals(speaks=False) as signals:
            while True:
                group = _take(section, wants, ranks, tell, signals)
                if group is None:
                    return INTERRUPTED if signals.received == signal.SIGINT else FAILED
                try:
                    code = _run(group, wants, words, launch.threads, signals)
                finally:
                    remove_placement_group(group)
                if code in FINAL or signals.received is not None or started == launch.restarts:
                    return code
                started += 1
                tell(f"the run ended with code {code}; starts again, {started} of {launch.restarts}")
    finally:
        ray.shutdown()


def room(nodes: Sequence[Mapping[str, Any]], wants: Mapping[str, float]) -> int:
    """How many ranks find a place on the nodes that are alive, were nothing else there.

    >>> room([{"Alive": True, "Resources": {"CPU": 5.0}}, {"Alive": False, "Resources": {"CPU": 9.0}}], {"CPU": 2.0})
    2
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return sum(int(min(has.get(key, 0.0) / amount for key, amount in wants.items())) for has in alive)


def _nodes() -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def variables_of(places: Sequence[Place], threads: int) -> list[tuple[int, dict[str, str]]]:
    """Who is which rank: for each of the ranks in order, the number of its seat and torchrun's variables.

    Ranks of one node follow each other, as the innermost axes of a grid talk most; nodes with more come first, so that
    a smaller last one breaks as few groups as can be. The ranks of a node see the GPUs of all of them, and each takes
    that of its place in the node.
    """
    sizes = Counter(place.node for place in places)
    order = sorted(range(len(places)), key=lambda seat: _order(places[seat], sizes))
    first = places[order[0]]
    found: list[tuple[int, dict[str, str]]] = []
    inside: Counter[str] = Counter()
    for rank, seat in enumerate(order):
        node = places[seat].node
        gpus = [gpu for other in order if places[other].node == node for gpu in places[other].gpus]
        variables = {
            "RANK": str(rank),
            "WORLD_SIZE": str(len(places)),
            "LOCAL_RANK": str(inside[node]),
            "LOCAL_WORLD_SIZE": str(sizes[node]),
            "MASTER_ADDR": first.host,
            "MASTER_PORT": str(first.port),
            "OMP_NUM_THREADS": str(threads),
        }
        inside[node] += 1
        found.append((seat, variables | ({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {})))
    return found


def _order(place: Place, sizes: Mapping[str, int]) -> tuple[int, str, tuple[tuple[int, str], ...]]:
    return -sizes[place.node], place.node, tuple((len(gpu), gpu) for gpu in place.gpus)


def _take(
    section: RunSection, wants: Mapping[str, float], ranks: int, tell: Callable[[str], None], signals: Signals
) -> PlacementGroup | None:
    """Places for so many ranks, or for as many as are there; waits while others are in them. None after a signal."""
    waits = False
    while signals.received is None:
        # Of a node that died Ray knows after some 30 s: until then places are promised on it.
        there = room(_nodes(), wants)
        fits = most_ranks(section, min(ranks, there))
        if fits is None:
            raise NoRoom(f"the cluster has room for {there} rank(s), and on so few this config does not run")
        group: PlacementGroup = placement_group([dict(wants)] * fits, strategy="PACK")
        with suppress(GetTimeoutError):
            ray.get(group.ready(), timeout=_LOOK_SECONDS)
            if fits < ranks:
                tell(f"goes on with {fits} rank(s): the cluster has room for {there} of {ranks}")
            return group
        remove_placement_group(group)
        if not waits:
            tell(f"waits for {fits} places that are in use")
            waits = True
    return None


def _run(
    group: PlacementGroup, wants: Mapping[str, float], words: Sequence[str], threads: int, signals: Signals
) -> int:
    """Once from start to end; the exit code."""
    seats = []
    for bundle in range(group.bundle_count):
        strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle)
        # A rank that is lost is started again with all others, never alone. Two calls at a time: its run, and signals.
        actor: Any = ray.remote(Seat).options(
            num_cpus=wants["CPU"],
            num_gpus=wants.get("GPU", 0.0),
            max_restarts=0,
            max_concurrency=2,
            scheduling_strategy=strategy,
        )
        seats.append(actor.remote())
    try:
        places: list[Place] = ray.get([seat.place.remote() for seat in seats])
        seated = variables_of(places, threads)
        runs = [
            seats[seat].run.options(num_returns="streaming").remote(list(words), variables, str(Path.cwd()))
            for seat, variables in seated
        ]
        return _attend(runs, seats, signals)
    except RayError:
        # Lost before it ran.
        return FAILED
    finally:
        for seat in seats:
            ray.kill(seat)


def _attend(runs: Sequence[Any], seats: Sequence[Any], signals: Signals) -> int:
    """Write what the ranks write, hand signals on, and wait for the end of all, or a while after the first fault."""
    rank_of = {run: rank for rank, run in enumerate(runs)}
    codes: dict[int, int] = {}
    until = float("inf")
    handed: signal.Signals | None = None
    while rank_of and time.monotonic() < until:
        if signals.received is not handed:
            handed = signals.received
            assert handed is not None
            for seat in seats:
                seat.signal.remote(int(handed))
        ready, _ = ray.wait(list(rank_of), num_returns=1, timeout=_SIGNAL_SECONDS)
        for run in ready:
            rank = rank_of[run]
            ended = _next(run)
            if ended is None:
                continue
            codes[rank] = ended
            del rank_of[run]
            if ended != 0:
                until = min(until, time.monotonic() + (WAIT_SECONDS if ended > 0 else _DEAD_SECONDS))
    return code_of([*codes.values(), *(-signal.SIGKILL for _ in rank_of)])


def _next(run: Any) -> int | None:  # noqa: ANN401 - Ray's generator of references
    """Write the next line of a rank; its exit code where there is none left, that of SIGKILL for a dead actor."""
    try:
        descriptor, line = ray.get(next(run))
    except (RayError, StopIteration):
        return -signal.SIGKILL
    if descriptor == 0:
        return int(line)
    os.write(1 if descriptor == OUT else 2, line)
    return None
