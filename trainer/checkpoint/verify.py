"""Is a checkpoint whole? Sizes find what a kill or a full disk left; only digests find bytes that changed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.error import CheckpointError, FormatError
from lauter.trainer.checkpoint.inventory import digest_faults, read_inventory, share, size_faults
from lauter.trainer.checkpoint.meta import read_meta

Depth = Literal["sizes", "digests"]
"""`digests` reads everything: for the checkpoint that is about to be loaded, which is read anyway. A flipped bit in a
weight or a moment shows in no loss curve, and every later checkpoint would carry it on. `sizes` is for the others."""


def verify(folder: Path, depth: Depth = "digests", part: tuple[int, int] = (0, 1)) -> list[str]:
    """What is wrong with a checkpoint, one sentence each; nothing where it is whole.

    Raises `FormatError` where a later version of lauter wrote it.

    `part` is (rank, ranks): each rank hashes its share of the files, so that all of them together read each file once.
    """
    try:
        files = read_inventory(folder)
        faults = size_faults(folder, files)
        if not faults:
            read_meta(folder)
    except FormatError:
        raise
    except CheckpointError as error:
        return [str(error)]
    if not faults and depth == "digests":
        faults = digest_faults(folder, share(files, *part))
    return faults


def verify_together(folder: Path, agreement: Agreement) -> list[str]:
    """`verify` by digests, with the reading shared by all ranks, who all get the same answer."""
    found = agreement.every(lambda: verify(folder, "digests", (agreement.rank, agreement.ranks)))
    return list(dict.fromkeys(fault for faults in found for fault in faults))
