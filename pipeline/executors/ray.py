"""Runs tasks on Ray Core: local by default, a cluster by its address.

Ray places, retries and scales our processes; bytes stay in files, so through Ray travel only tasks and results of a few
kilobytes. A worker that dies (killed, out of memory, lost node) is replaced and its task tried again; what raised an
exception of its own is not tried again, since it would raise again.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from lauter.pipeline.executors.executor import Outcome
from lauter.pipeline.stopped import NothingOpens, told
from lauter.pipeline.task import Result, Task
from lauter.pipeline.worker import execute

CRASH_RETRIES = 3
OBJECT_STORE_BYTES = 96 << 20
"""Ray's least is 75 MiB; only paths and numbers pass through it."""


CONNECT_TIMEOUT_S = 5.0
"""Ray itself goes on trying for minutes where nothing listens."""

HOST_AND_PORT = re.compile(r"(?:ray://)?\[?(?P<host>[^/\[\]]+?)\]?:(?P<port>\d{1,5})")


def check_listens(address: str) -> None:
    """Raise `ConnectionError` where nothing listens at `host:port`; other addresses (`auto`) are left to Ray."""
    match = HOST_AND_PORT.fullmatch(address)
    if match is None:
        return
    try:
        socket.create_connection((match["host"], int(match["port"])), CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"no Ray cluster at {address}: {error}") from error


def connect(address: str | None, cores: int | None) -> None:
    """Join the cluster at an address, or start a Ray of so many cores on this machine. Raises `ConnectionError`."""
    if address is not None:
        check_listens(address)
    # Ray's own usage report and its log forwarding would write over the progress display.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    local: dict[str, Any] = {}
    if address is None:
        local = {"num_cpus": cores, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
    except (RuntimeError, ValueError, OSError, RayError) as error:
        hint = "; a cluster with tokens wants RAY_AUTH_MODE and RAY_AUTH_TOKEN set" if address else ""
        raise ConnectionError(f"cannot start or join Ray at {address or 'this machine'}: {error}{hint}") from error


class RayExecutor:
    """Ray Core, with the cores and GPUs that each task asks for."""

    def __init__(self, workers: int | None, address: str | None) -> None:
        """`workers` None: the cores of the machine, or of the cluster. Raises `ConnectionError`."""
        if address is None:
            workers = workers or os.cpu_count() or 1
        connect(address, workers)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cores = workers or int(resources.get("CPU", 1))
        # Twice as many as run, so that none waits for the driver. A cluster may have more cores than we were given.
        self.window = cores if address is not None and workers is not None else 2 * max(1, cores)
        # No limit of calls: Ray would end a process that had a GPU after each task, and with it the model it holds.
        self._run = ray.remote(num_cpus=1, max_retries=CRASH_RETRIES, max_calls=0)(execute)
        self._flying: dict[Any, Task] = {}
        # A cluster may grow, this machine does not.
        self._machine = (float(cores), float(resources.get("GPU", 0))) if address is None else None
        self._refused: list[Outcome] = []

    def submit(self, task: Task) -> None:
        """Hand a task to Ray."""
        cpus = task.cpus
        if self._machine is not None:
            cores, gpus = self._machine
            cpus = min(cpus, cores)
            if task.gpus > gpus:
                # Ray would wait for one for ever.
                wants = f"{task.name} wants {task.gpus:g} GPU and this machine has {gpus:g}"
                self._refused.append(Outcome(task, None, f"{wants}; set the stage's device to cpu, or give --address"))
                return
        self._flying[self._run.options(num_cpus=cpus, num_gpus=task.gpus).remote(task)] = task

    def wait(self) -> list[Outcome]:
        """Every task that has ended, at least one."""
        if self._refused:
            refused, self._refused = self._refused, []
            return refused
        done, _ = ray.wait(list(self._flying), num_returns=1)
        ready, _ = ray.wait(list(self._flying), num_returns=len(self._flying), timeout=0)
        return [self._outcome(reference) for reference in dict.fromkeys([*done, *ready])]

    def _outcome(self, reference: Any) -> Outcome:  # noqa: ANN401 - Ray's object reference is untyped
        task = self._flying.pop(reference)
        try:
            result: Result = ray.get(reference)
            return Outcome(task, result)
        except RayTaskError as error:
            return Outcome(task, None, told(error.cause, str(error)), isinstance(error.cause, NothingOpens))
        except RayError as error:
            return Outcome(task, None, f"the worker died {CRASH_RETRIES + 1} times: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Stop the local Ray, or leave the cluster."""
        ray.shutdown()
