"""AdEMAMix and AdamW over named parameters: bfloat16 weights with float32 masters, sharded or not."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer import foreach
from lauter.trainer.optimizer.coefficients import coefficients
from lauter.trainer.optimizer.norm import clip_scale, total_norm
from lauter.trainer.optimizer.slots import local, make_slots


class Optimizer:
    """Keeps its state for as long as it lives: a new stage, a new context length or a cooldown does not reset it.

    Apertus's long-context phases began with a fresh optimizer and a warm-up of 100,000 steps, longer than they were,
    so that the slow average hardly took part.
    """

    steps: int
    """Updates applied, skipped steps not counted: t of the formulas is one more in the next update."""

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]], section: OptimizerSection) -> None:
        """Take the parameters as they are: their values go into the masters now.

        Args:
            parameters: As from `model.named_parameters()`; bfloat16, float32 or float64, plain or DTensors (FSDP2).
            section: Which optimizer, and its constants.

        Raises:
            ValueError: a parameter of another dtype, on the device "meta", or not contiguous.
        """
        self.steps = 0
        self._section = section
        self._slots = [make_slots(name, one, slow=section.name == "ademamix") for name, one in parameters]

    def accumulate(self) -> None:
        """After each micro-batch's backward pass where a step has several: add its gradient up in float32, free it.

        Where the gradient has the master's dtype already (float32 and float64 weights, and all shards of FSDP2, which
        reduces in float32), nothing is done: torch adds the next one to `.grad` itself.
        """
        for slots in self._slots:
            slots.accumulate()

    @torch.no_grad()
    def gradient_norm(self) -> float:
        """Euclidean norm of the whole gradient, over all ranks, added up in float64; inf or nan where it is not finite.

        Changes neither parameters nor state.

        Raises:
            RuntimeError: a parameter without gradient, by name.
        """
        squares = foreach.sums_of_squares([slots.gradient() for slots in self._slots])
        return total_norm(zip((slots.parameter for slots in self._slots), squares, strict=True))

    @torch.no_grad()
    def step(self, learning_rate: float, norm: float) -> None:
        """Clip, update masters and averages, write the weights.

        Args:
            learning_rate: Of this step.
            norm: From `gradient_norm`, for clipping. It must be finite: a guard decides what to do where it is not.

        Raises:
            ValueError: a norm that is not finite; nothing was changed.
            RuntimeError: a parameter without gradient, by name.
        """
        if not math.isfinite(norm):
            raise ValueError(f"a gradient of norm {norm} must not be applied: leave this step out")
        c = coefficients(self._section, self.steps + 1, learning_rate, clip_scale(norm, self._section.clip))
        for slots in self._slots:
            slow = None if slots.slow is None else [local(slots.slow)]
            decay = self._section.weight_decay if slots.decays else 0.0
            one = local(slots.master), slots.gradient(), local(slots.fast), local(slots.second)
            foreach.update([one[0]], [one[1]], [one[2]], slow, [one[3]], c, decay)
        self.steps += 1
        self.write_weights()

    @torch.no_grad()
    def write_weights(self) -> None:
        """Round the masters to the weights, to the nearest, ties to even; call it after loading masters in place."""
        for slots in self._slots:
            if slots.has_master:
                local(slots.parameter).copy_(local(slots.master))

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
