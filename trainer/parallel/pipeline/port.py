"""torch's stage, with memory for what arrives only from when it is asked for until its backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule
from torch.distributed.pipelining._utils import TensorMeta, _make_tensor_from_meta, _TensorMeta
from torch.distributed.pipelining.stage import PipelineStage, _RecvInfo

from lauter.trainer.parallel.pipeline.stage import Stage


class Port(PipelineStage):
    """What a `Stage` receives and sends.

    torch makes the buffers of all micro-batches of a step at its start, for hidden states and for gradients: with 128
    of 4,096 tokens x 8,192 in bf16 17 GB a stage, where 1F1B over 8 ranks needs 8 of the former and 1 of the latter.
    """

    def __init__(
        self,
        stage: Stage,
        stages: int,
        shape: tuple[int, int],
        dtype: torch.dtype,
        *,
        device: torch.device,
        group: dist.ProcessGroup,
        splits: bool,
    ) -> None:
        """A stage whose hidden states have the shape (places, hidden).

        `splits`: whether the gradients of weights may be computed apart from that of the input.
        """
        # Said beforehand: torch would find it out by a forward and a backward pass of its own.
        state = torch.empty(shape, dtype=dtype, device="meta", requires_grad=True)
        super().__init__(
            stage,
            stage.index,
            stages,
            device,
            input_args=() if stage.first else (state,),
            output_args=(state,),
            group=group,
            dw_builder=None if splits else _nothing_left,
        )

    def _setup_forward_recv_info(self, num_microbatches: int, has_backward: bool) -> None:  # noqa: FBT001
        metas = self._stage_meta.inputs or ()
        self.args_recv_info = {
            number: tuple(_arriving(self.stage_index - 1, meta) for meta in metas) for number in range(num_microbatches)
        }

    def _create_grad_recv_info(self, act_send_info: dict[int, Any]) -> tuple[_RecvInfo, ...]:
        metas = () if self.is_last else self._stage_meta.output_grads or ()
        return tuple(_arriving(self.stage_index + 1, meta) for meta in metas)

    def get_fwd_recv_ops(self, fwd_chunk_id: int) -> list[dist.P2POp]:
        """Of the hidden states of a micro-batch, into new memory."""
        self._make(self.args_recv_info[fwd_chunk_id])
        return super().get_fwd_recv_ops(fwd_chunk_id)

    def get_bwd_recv_ops(self, bwd_chunk_id: int) -> list[dist.P2POp]:
        """Of the gradient of what was sent, into new memory."""
        if self.has_backward:
            self._make(self.grad_recv_info[bwd_chunk_id])
        return super().get_bwd_recv_ops(bwd_chunk_id)

    def backward_one_chunk(self, bwd_chunk_id: int, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """As torch's; what had arrived is forgotten."""
        super().backward_one_chunk(bwd_chunk_id, *arguments, **named)
        for info in (*self.args_recv_info[bwd_chunk_id], *self.grad_recv_info[bwd_chunk_id]):
            info.buffer = None

    def backward_weight_one_chunk(self, bwd_chunk_id: int, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """As torch's; a gradient in bf16 is added up in fp32 at once.

        FSDP2 does so where a backward pass leaves a layer, and none does here: several would be added up in bf16.
        """
        super().backward_weight_one_chunk(bwd_chunk_id, *arguments, **named)
        for module in self.submod.modules():
            if isinstance(module, FSDPModule):
                for group in module._get_fsdp_state()._fsdp_param_groups:
                    group.post_backward()

    def _make(self, infos: tuple[_RecvInfo, ...]) -> None:
        for info in infos:
            assert isinstance(info.tensor_meta, _TensorMeta)  # Hidden states are plain tensors.
            info.buffer = _make_tensor_from_meta(info.tensor_meta, self.device)


def _arriving(stage: int, meta: TensorMeta | None) -> _RecvInfo:
    return _RecvInfo(f"from {stage}", stage, None, meta)


def _nothing_left() -> Callable[[], None]:
    """For a backward pass that was whole: when the turn of the weights comes there is nothing to do."""
    return _nothing


def _nothing() -> None:
    """See `_nothing_left`."""
