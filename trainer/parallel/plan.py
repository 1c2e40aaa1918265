"""How a model's parts are laid over the ranks, part by part: recompute, compile, shard, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

from lauter.trainer.attention.attention import attention
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.layer import Layer
from lauter.trainer.parallel.axes import CONTEXT, PIPELINE, TENSOR, Axes
from lauter.trainer.parallel.compiled import Compiler
from lauter.trainer.parallel.context.attend import context_attention
from lauter.trainer.parallel.float8 import use_float8
from lauter.trainer.parallel.passes import Passes, WholeModel
from lauter.trainer.parallel.pipeline.passes import Pipelined
from lauter.trainer.parallel.pipeline.stage import cut
from lauter.trainer.parallel.recompute import recompute
from lauter.trainer.parallel.tensor.collectives import Group
from lauter.trainer.parallel.tensor.copies import SummedCopies
from lauter.trainer.parallel.tensor.split import split

ENTRANCES = ("loss", "token_losses", "token_hits", "hidden_states")
"""Methods of the model besides `forward` that are called from outside: each gathers the shards.

None of them may call another: FSDP2 would let the output layer go at the end of the outer one, and gather it once more
for the backward pass.
"""


def compute_dtype(precision: Literal["bf16", "fp32", "fp64"]) -> torch.dtype:
    """Dtype of products and activations."""
    return {"bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}[precision]


def held_dtype(precision: Literal["bf16", "fp32", "fp64"], axes: Axes) -> torch.dtype:
    """Dtype of the parameters as they are kept.

    bf16 shards are kept in fp32 and are their own masters; bf16 copies exist while a layer runs. One process keeps bf16
    weights, and the optimizer its masters: 2 bytes a parameter are read in each pass, not 4.
    """
    return torch.float32 if precision == "bf16" and axes.fsdp is not None else compute_dtype(precision)


def lay_out(
    model: Apertus,
    section: ParallelSection,
    axes: Axes,
    precision: Literal["bf16", "fp32", "fp64"],
    *,
    tell: Callable[[str], None],
) -> Passes:
    """Change a model in place; it may be on device "meta". Further axes go before the sharding, layer by layer.

    A failure to compile is told once, through `tell`.
    """
    stages = cut(model, section, axes.at(PIPELINE)) if section.pipeline > 1 else []
    tensor = axes.along(TENSOR)
    copies = [] if tensor is None else split(model, section, tensor)
    if section.float8:
        use_float8(model)
    compiler = Compiler(axes.ranks.device, tell) if section.compile else None
    context = axes.along(CONTEXT)
    attend = attention if context is None else context_attention(section.context_kind, context.get_group())
    for module in model.model.layers.children():  # Without those of other stages, which are None.
        layer = cast(Layer, module)
        layer.self_attn.attend = attend
        recompute(layer, section.recompute)
        if compiler is not None:
            layer.forward = compiler.compiled(layer.forward)  # type: ignore[method-assign]
        if axes.fsdp is not None:
            shard(layer, axes.fsdp, precision, once_a_step=bool(stages))
    if axes.fsdp is not None:
        roots: Sequence[nn.Module] = stages or [model]
        for root in roots:
            shard(root, axes.fsdp, precision, once_a_step=bool(stages))
        if not stages:
            for entrance in ENTRANCES:
                register_fsdp_forward_method(model, entrance)
    passes = Pipelined(stages, section, axes, compute_dtype(precision)) if stages else WholeModel(model, axes)
    return passes if tensor is None else SummedCopies(passes, model, copies, Group.of(tensor.get_group()))


def shard(
    module: nn.Module, mesh: DeviceMesh, precision: Literal["bf16", "fp32", "fp64"], *, once_a_step: bool
) -> None:
    """FSDP2 (SimpleFSDP and its kin: arXiv 2304.11277): split each parameter's rows over the mesh's last axis.

    Gradients are summed over ranks, never averaged: the loss is divided by the global count of targets before. They
    are reduced after every micro-batch; to wait for the last one would hold the whole gradient on every rank.
    `once_a_step`: where each rank has few layers, as in a pipeline, that is what is done: stages are gathered for a
    whole step and their gradients reduced at its end, not once a micro-batch.
    """
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if precision == "bf16" else None,
        reduce_dtype=torch.float32 if precision == "bf16" else None,
        # Cosines and sines come in the activations' dtype; positions are whole numbers.
        cast_forward_inputs=False,
    )
    again = False if once_a_step else None  # None: torch's choice, which is all but the outermost.
    sharded = fully_shard(module, mesh=mesh, mp_policy=policy, reshard_after_forward=again)
    assert isinstance(sharded, FSDPModule)
    sharded.set_gradient_divide_factor(1.0)
    # With a factor alone, torch asks for a scaled sum, which gloo does not have.
    sharded.set_force_sum_reduction_for_comms(True)


def let_go(model: Apertus) -> None:
    """After a forward pass without a backward one: back to shards.

    FSDP2 keeps the outermost part gathered until the backward pass; `named_parameters` would give the gathered copies,
    which under bf16 are rounded, and a checkpoint would hold them.
    """
    if isinstance(model, FSDPModule):
        model.reshard()
