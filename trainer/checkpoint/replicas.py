"""Copies of one tensor on several ranks must be equal: DCP saves one of them and would hide that they are not.

A gradient that is not reduced over all its ranks makes them drift apart without a sign; a checkpoint of one copy then
starts a run that nobody trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import xxhash
from torch import Tensor
from torch.distributed.tensor import DTensor, Partial, Replicate

from lauter.trainer.checkpoint.agreement import Agreement
from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.held import held_names

Place = tuple[int | None, ...]
"""Where on its mesh a part of a tensor is, None where it is replicated: parts of one name and place are copies."""


def require_equal_replicas(tensors: Mapping[str, Tensor], agreement: Agreement) -> None:
    """Compare the copies of all replicated tensors; called by all ranks.

    Raises `CheckpointError` on all ranks, naming tensors and ranks, where copies differ by a bit, and where a DTensor
    holds sums that are not yet reduced (`Partial`).
    """
    if agreement.ranks == 1:
        return
    held = held_names(tensors, agreement)
    digests = agreement.here(lambda: _digests(tensors, held.ranks))
    # One digest for each place first: thousands of ranks with thousands of tensors would send gigabytes.
    together = {(held.key, place): _digest_of_all(named) for place, named in digests.items()}
    suspect = _differing(agreement.gather(together))
    if not suspect:
        return
    single = {
        (name, place): value
        for place, named in digests.items()
        if (held.key, place) in suspect
        for name, value in named.items()
    }
    differing = _differing(agreement.gather(single))
    if not differing:  # Without a clear split by stages, ranks of one place may hold other tensors.
        return
    (name, _), groups = min(differing.items(), key=lambda item: (item[0][0], item[1]))
    where = " and ".join(f"rank{'s' if len(group) > 1 else ''} {', '.join(map(str, group))}" for group in groups)
    count = len({name for name, _ in differing})
    raise CheckpointError(
        f"not saved: {count} replicated tensor{'s differ' if count > 1 else ' differs'} between ranks, first {name} "
        f"({where} hold different values). Gradients were not reduced over all copies; go back to the last checkpoint"
    )


def _digests(tensors: Mapping[str, Tensor], holders: int) -> dict[Place, dict[str, str]]:
    """Digests of this rank's parts, but for those that no other of the `holders` of these names has a copy of."""
    found: dict[Place, dict[str, str]] = {}
    for name, tensor in tensors.items():
        place: Place = ()
        if isinstance(tensor, DTensor):
            mesh, placements = tensor.device_mesh, tensor.placements
            if any(isinstance(placement, Partial) for placement in placements):
                raise CheckpointError(f"not saved: {name} holds partial sums ({placements}), which are to be reduced")
            copied = any(
                isinstance(placement, Replicate) and mesh.size(dim) > 1 for dim, placement in enumerate(placements)
            )
            if not copied and mesh.size() == holders:
                continue
            coordinate = mesh.get_coordinate()
            if coordinate is None:  # This rank has no part of it.
                continue
            pairs = zip(coordinate, placements, strict=True)
            place = tuple(None if isinstance(placement, Replicate) else at for at, placement in pairs)
            tensor = tensor.to_local()
        found.setdefault(place, {})[name] = _digest(tensor)
    return found


def _digest(tensor: Tensor) -> str:
    """Of the bytes. Not cryptographic: 10 GB/s a core, and nobody forges a replica."""
    plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return xxhash.xxh3_128_hexdigest(plain.numpy().data)


def _digest_of_all(named: Mapping[str, str]) -> str:
    return xxhash.xxh3_128_hexdigest("".join(f"{name} {named[name]} " for name in sorted(named)))


def _differing(
    found: Sequence[Mapping[tuple[str, Place], str]],
) -> dict[tuple[str, Place], list[list[int]]]:
    """Pieces whose digests are not all the same, with the ranks that agree with each other."""
    groups: dict[tuple[str, Place], dict[str, list[int]]] = {}
    for rank, digests in enumerate(found):
        for piece, digest in digests.items():
            groups.setdefault(piece, {}).setdefault(digest, []).append(rank)
    return {piece: list(by_digest.values()) for piece, by_digest in groups.items() if len(by_digest) > 1}
