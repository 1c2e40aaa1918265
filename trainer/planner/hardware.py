"""Machines that a plan may be for: what their makers say of them, and what is assumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Hardware:
    """One device (a GPU; a rank's share of this machine on a CPU) and what connects it. Rates are each way."""

    name: str
    memory_bytes: int
    peak_flops: float
    """FLOP/s of dense bf16 products, without sparsity."""
    efficiency: float
    """Share of it that a model's products, attention and passes over memory reach together while no rank waits. A guess
    by what is published of whole runs; `--mfu` takes the place of all that is derived from it."""
    per_node: int
    inside_bandwidth: float
    """Bytes/s of one device to the others of its node."""
    between_bandwidth: float
    """Bytes/s of one device to other nodes."""
    host_bandwidth: float
    """Bytes/s from the device to its host's memory."""
    storage_bandwidth: float
    """Bytes/s of the whole job to the disks that hold checkpoints."""
    watts: float
    """A device draws so much while it trains."""
    runtime_bytes: int
    """Held before any tensor: context, kernels, buffers of the communication library."""
    node_mtbf_hours: float
    """Mean time between failures of one node."""


_STORAGE = 32e9
# Apertus waited 40 s for the save of a 70B (arXiv 2509.14233, section 6) of 18 bytes a parameter: 1.27 TB.

_MTBF = 6_340.0
# Llama 3: 419 interruptions in 54 days on 2,048 nodes of 8 GPUs (arXiv 2407.21783, section 3.3.4).

_RUNTIME = 2 * GIB
# CUDA's context takes about 0.5 GiB, NCCL's buffers some 10 MB a channel and communicator. Measured on no GPU here.

HARDWARE: Mapping[str, Hardware] = {
    # NVIDIA's data sheet of the H100 SXM5: 80 GB, 989 TFLOP/s, NVLink 900 GB/s both ways together, PCIe 5, 700 W; a
    # node of 8 with 400 Gb/s InfiniBand for each (DGX H100). Efficiency: Llama 3 405B reached 41 to 43 %, bubble and
    # messages included (arXiv 2407.21783, table 4).
    "h100": Hardware("h100", 80 * 10**9, 989e12, 0.5, 8, 450e9, 50e9, 64e9, _STORAGE, 700, _RUNTIME, _MTBF),
    # GH200 as on Alps: 96 GB, four a node all to all by NVLink (450 GB/s each way in all), Slingshot-11 200 Gb/s and
    # 560 W for each as measured (arXiv 2509.14233, section 6 and appendix E), NVLink-C2C 450 GB/s to the host.
    # Efficiency: Apertus reached 34 % with 8B and 32 % with 70B, bubble and messages included.
    "gh200": Hardware("gh200", 96 * 10**9, 989e12, 0.4, 4, 450e9, 25e9, 450e9, _STORAGE, 560, _RUNTIME, _MTBF),
    # NVIDIA's data sheet of the A100 SXM: 80 GB, 312 TFLOP/s, NVLink 600 GB/s both ways together, PCIe 4, 400 W; a node
    # of 8 with 200 Gb/s for each (DGX A100). Efficiency: Megatron-LM reached 44 to 52 % of peak (arXiv 2104.04473,
    # table 1), the operations of recomputation counted.
    "a100": Hardware("a100", 80 * 10**9, 312e12, 0.55, 8, 300e9, 25e9, 32e9, _STORAGE, 400, _RUNTIME, _MTBF),
}
"""By the name that `--hardware` takes; `cpu` is made by `this_machine`."""

_CPU_RUNTIME = 480 << 20
# Of a process that has trained a tiny model: Python, torch and compiled kernels, VmRSS (450 to 500 MiB).


def this_machine(ranks: int, peak_flops: float) -> Hardware:
    """A CPU whose memory and cores so many ranks share.

    Args:
        ranks: Processes on this machine.
        peak_flops: FLOP/s of all its cores together, as `throughput.measured` gives for those of one process.
    """
    # Bandwidths over loopback and to a local disk, and watts, are round guesses: nobody rents this machine by the plan.
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    whole = Hardware("cpu", memory, peak_flops, 0.6, ranks, 4e9, 1e9, 4e9, 0.5e9, 100, _CPU_RUNTIME, _MTBF)
    return replace(whole, memory_bytes=memory // ranks, peak_flops=peak_flops / ranks, watts=whole.watts / ranks)
