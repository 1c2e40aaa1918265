"""Changes a model so that each of its products is shared by the ranks of a tensor group."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import distribute_tensor

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.loss.vocabulary import Share
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.embedding import Embedding
from lauter.trainer.model.layer import MLP, Attention
from lauter.trainer.model.output import OutputLayer
from lauter.trainer.parallel.tensor.collectives import Group, collected, copied, gathered, scattered, summed
from lauter.trainer.parallel.tensor.pieces import Piece, kind, low_rank_pieces, pieces
from lauter.trainer.parallel.tensor.products import shared_products


def split(model: Apertus, section: ParallelSection, mesh: DeviceMesh) -> list[str]:
    """Keep this rank's piece of every parameter, and put the messages between the products; in place.

    The model may be on device "meta", and may be a part of one: layers, embeddings or the output layer that it has not
    are left out. With `section.sequence` what flows between attention and MLP has T / ranks tokens.

    Args:
        model: This rank's part of it; nothing has wrapped its modules yet.
        section: `sequence` and `vocabulary`; sizes fit (see `require_fit`).
        mesh: The ranks of the tensor group, one axis.

    Returns:
        Names of the trained parameters that every rank has whole and whose gradients must be summed over the ranks.
    """
    plan = pieces(model.shape, section)
    plan |= low_rank_pieces(plan)
    group = Group.of(mesh.get_group())
    names = [name for name, _ in model.named_parameters()]
    for name in names:
        _distribute(model, name, mesh, plan[kind(name)])
    # One object for all layers: a compiled layer then serves them all.
    products = partial(shared_products, group=group, sequence=section.sequence)
    leave = partial(scattered if section.sequence else summed, group=group)
    for name, module in model.named_modules():
        if isinstance(module, Attention):
            _share_keys(module, group)
        if isinstance(module, Attention | MLP):
            module.products = products
            last = module.o_proj if isinstance(module, Attention) else module.down_proj
            last.summed = leave
        elif isinstance(module, Embedding):
            module.forward = _embedding(module, section, group)  # type: ignore[assignment, method-assign]
        elif isinstance(module, OutputLayer) and section.vocabulary:
            ids = model.shape.vocabulary
            count = ids // group.size
            module.share = Share(group.at * count, count, ids, mesh.get_group())
        elif name == "model.norm":
            module.forward = _before_output(module.forward, section, group)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return [name for name in names if name in trained and plan[kind(name)] is Piece.summed]


def _distribute(model: Apertus, name: str, mesh: DeviceMesh, piece: Piece) -> None:
    path, _, last = name.rpartition(".")
    module = model.get_submodule(path)
    parameter = module.get_parameter(last)
    whole = parameter.detach()
    # No message: values, where there are any, are the same on all ranks.
    shared = distribute_tensor(whole, mesh, [piece.placement], src_data_rank=None)
    setattr(module, last, nn.Parameter(shared, requires_grad=parameter.requires_grad))


def _share_keys(attention: Attention, group: Group) -> None:
    """Where there are fewer key heads than ranks, as many neighbours as share a head compute the same one."""
    for projection in (attention.k_proj, attention.v_proj):
        heads = projection.out_features // attention.head_dim
        if heads < group.size:
            head = group.at * heads // group.size
            projection.rows = slice(head * attention.head_dim, (head + 1) * attention.head_dim)


def _embedding(module: Embedding, section: ParallelSection, group: Group) -> Callable[[Tensor], Tensor]:
    rows = module.forward

    def of_own_ids(tokens: Tensor) -> Tensor:
        """Rows of this rank's ids, zeros for others'; one rank has each, so that the sum is exact."""
        ids = module.weight.shape[0]
        if tokens.device.type == "cpu" and not 0 <= tokens.min() <= tokens.max() < ids:
            # No rank would have it, and zeros would pass for its row.
            raise IndexError(f"tokens from {tokens.min()} to {tokens.max()}, but there are {ids} ids")
        count = ids // group.size
        first = group.at * count
        places = ((tokens >= first) & (tokens < first + count)).nonzero()[:, 0]
        found = rows(tokens[places] - first)
        here = found.new_zeros(len(tokens), found.shape[1]).index_copy(0, places, found)
        return scattered(here, group) if section.sequence else summed(here, group)

    def of_own_tokens(tokens: Tensor) -> Tensor:
        return rows(tokens.chunk(group.size)[group.at])

    if section.vocabulary:
        return of_own_ids
    return of_own_tokens if section.sequence else rows


def _before_output(
    norm: Callable[[Tensor], Tensor], section: ParallelSection, group: Group
) -> Callable[[Tensor], Tensor]:
    """The last norm, then all tokens on every rank: the output layer takes them whole."""
    if section.vocabulary:
        enter = gathered if section.sequence else copied
    elif section.sequence:
        enter = collected
    else:
        return norm

    def whole(x: Tensor) -> Tensor:
        return enter(norm(x), group)

    return whole
