"""AdEMAMix and AdamW over named parameters: bfloat16 weights with float32 masters, sharded or not."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer import foreach, kernels
from lauter.trainer.optimizer.coefficients import coefficients
from lauter.trainer.optimizer.norm import clip_scale, total_norm
from lauter.trainer.optimizer.slots import make_slots


class Optimizer:
    """Keeps its state for as long as it lives: a new stage, a new context length or a cooldown does not reset it.

    Apertus's long-context phases began with a fresh optimizer and warm-ups of 100,000 steps, longer than the phases
    were, so that the slow average hardly took part.
    """

    steps: int
    """Updates applied, skipped steps not counted: t of the formulas is one more in the next update."""

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        section: OptimizerSection,
        stages: dist.ProcessGroup | None = None,
    ) -> None:
        """Take the parameters as they are: their values go into the masters now.

        Args:
            parameters: As from `model.named_parameters()`; bfloat16, float32 or float64, plain or DTensors (FSDP2).
            section: Which optimizer, and its constants.
            stages: The ranks of a pipeline, which have other parameters: for the norm of the whole gradient.

        Raises:
            ValueError: a parameter of another dtype, on the device "meta", or not contiguous.
        """
        self.steps = 0
        self._section = section
        self._stages = stages
        self._slots = [make_slots(name, one, section) for name, one in parameters]
        self._on_cpu = all(slots.parameter.device.type == "cpu" for slots in self._slots)

    @torch.no_grad()
    def accumulate(self) -> None:
        """After each micro-batch's backward pass where a step has several: add its gradient up in float32, free it.

        Where the gradient has the master's dtype already (float32 and float64 weights, and all shards of FSDP2, which
        reduces in float32), nothing is done: torch adds the next one to `.grad` itself.
        """
        further: list[tuple[Tensor, Tensor]] = []
        for slots in self._slots:
            taken = slots.take()
            if taken is not None and slots.summed:
                further.append(taken)
            elif taken is not None:
                total, gradient = taken
                total.copy_(gradient)
                slots.summed = True
        if further:
            totals, gradients = zip(*further, strict=True)
            (kernels if self._on_cpu else foreach).add(totals, gradients)

    @torch.no_grad()
    def gradient_norm(self) -> float:
        """Euclidean norm of the whole gradient, over all ranks, added up in float64; inf or nan where it is not finite.

        Changes neither parameters nor state. Ranks call it together.

        Raises:
            RuntimeError: a parameter without gradient, by name.
        """
        self._finish_sum()
        sums = (kernels if self._on_cpu else foreach).sums_of_squares([slots.gradient() for slots in self._slots])
        parts = zip((slots.parameter for slots in self._slots), sums, strict=True)
        return total_norm(parts, self._stages)

    @torch.no_grad()
    def step(self, learning_rate: float, norm: float) -> None:
        """Clip, update masters and averages, write the weights.

        Args:
            learning_rate: Of this step.
            norm: From `gradient_norm`, for clipping. It must be finite: a guard decides what to do where it is not.

        Raises:
            ValueError: a norm that is not finite; nothing was changed.
            RuntimeError: a parameter without gradient, by name; nothing was changed.
        """
        if not math.isfinite(norm):
            raise ValueError(f"a gradient of norm {norm} must not be applied: leave this step out")
        c = coefficients(self._section, self.steps + 1, learning_rate, clip_scale(norm, self._section.clip))
        self._finish_sum()
        parts = [slots.part() for slots in self._slots]
        if self._on_cpu:
            kernels.update(parts, c)
        else:
            for bucket in foreach.buckets(parts):
                foreach.update(bucket, c)
        self.steps += 1

    def zero_grad(self) -> None:
        """Forget the gradients, summed ones included."""
        for slots in self._slots:
            slots.parameter.grad = None
            slots.summed = False

    def state(self) -> dict[str, Tensor]:
        """`"<slot>.<parameter name>"` -> live tensor, in the parameters' order, to save and to load in place.

        Slots are master (only where it is not the parameter itself), fast, slow (not in AdamW) and second; DTensors
        where the parameter is one. After loading masters call `write_weights`.
        """
        state: dict[str, Tensor] = {}
        for slots in self._slots:
            if slots.has_master:
                state[f"master.{slots.name}"] = slots.master
            state[f"fast.{slots.name}"] = slots.fast
            if slots.slow is not None:
                state[f"slow.{slots.name}"] = slots.slow
            state[f"second.{slots.name}"] = slots.second
        return state

    def load_steps(self, steps: int) -> None:
        """Go on from so many updates, those of the state that was loaded."""
        self.steps = steps

    @torch.no_grad()
    def write_weights(self) -> None:
        """Round the masters into the weights, to nearest, ties to even: for after loading masters in place."""
        for slots in self._slots:
            slots.write_weight()

    def _finish_sum(self) -> None:
        """Add a last micro-batch's gradient to the sum of those before it."""
        if any(slots.summed for slots in self._slots):
            self.accumulate()
