"""The line that starts a run on one node, or on each of several, under torchrun."""

from __future__ import annotations

import re
import signal

from lauter.trainer.config.launch import LaunchSection
from lauter.trainer.launch.command import TrainCommand, beside_python
from lauter.trainer.loop.signals import ENDING

PORT = 29400
"""torchrun's own default for a rendezvous."""

_ENDPOINT = re.compile(r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?")


def torchrun_line(
    launch: LaunchSection, command: TrainCommand, *, name: str, endpoint: str | None
) -> tuple[dict[str, str], list[str]]:
    """Variables and words. The same ones on every node: who is which rank, the nodes agree about at `endpoint`.

    The agent of torchrun hands on every signal that ends a run in good order; by itself it would die of SIGUSR1 and
    SIGUSR2 and leave its ranks behind.

    Raises:
        ValueError: several nodes need an `endpoint` (host or host:port of one of them), or it is none.
    """
    least = launch.nodes if launch.least_nodes is None else launch.least_nodes
    if launch.nodes == 1:
        meeting = ["--standalone"]
    else:
        nodes = str(least) if least == launch.nodes else f"{least}:{launch.nodes}"
        meeting = [
            *("--nnodes", nodes, "--rdzv-backend", "c10d", "--rdzv-endpoint", _at(endpoint)),
            *("--rdzv-id", name),
        ]
    words = [
        beside_python("torchrun"),
        *meeting,
        *("--nproc-per-node", str(launch.ranks_per_node)),
        *("--max-restarts", str(launch.restarts)),
        *("--signals-to-handle", ",".join(one.name for one in (*ENDING, signal.SIGQUIT))),
        *("--shutdown-timeout", str(launch.stop_seconds)),
        *("--no-python", beside_python("lauter")),
        *command.words(),
    ]
    return {"OMP_NUM_THREADS": str(launch.threads)}, words


def _at(endpoint: str | None) -> str:
    """A host and a port, of which torchrun's own default stands where none is given."""
    if endpoint is None:
        raise ValueError("several nodes meet at one of them: give --endpoint HOST or HOST:PORT, the same on all")
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or int(found["port"] or PORT) > 65535:
        raise ValueError(f"--endpoint {endpoint!r}: expected HOST or HOST:PORT")
    return f"{found['host']}:{found['port'] or PORT}"
