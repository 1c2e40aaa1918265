"""`torch.compile` for a layer; where it can't be had, the eager path serves and says so once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._functorch import config as autograd


class Compiler:
    """Compiles functions until the first failure; from then on all of them run as they are."""

    def __init__(self, device: torch.device, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.failure: str | None = None
        if device.type == "cpu":
            self._look_for_compiler()

    def compiled(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`function`, compiled at its first call. It must have no effects: after a failure it is called again."""
        # Documents of any number and length pass through one program.
        fast: Callable[..., Tensor] = torch.compile(function, dynamic=True)

        def run(*arguments: Any) -> Tensor:  # noqa: ANN401 - whatever the function takes
            if self.failure is None:
                try:
                    # Its gradient is compiled with it: a failure in the backward pass could not be caught there.
                    with autograd.patch(force_non_lazy_backward_lowering=True):
                        return fast(*arguments)
                except (torch._dynamo.exc.TorchDynamoException, OSError) as error:
                    self._give_up(str(error).strip().partition("\n")[0])
            return function(*arguments)

        return run

    def _look_for_compiler(self) -> None:
        # Cached machine code would load without one, and the first layer that is not cached would fail.
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            self._give_up("no C++ compiler was found (the variable CXX, g++ or clang++ on the PATH)")

    def _give_up(self, why: str) -> None:
        self.failure = why
        self._tell(f"parallel.compile: {why}; the layers run uncompiled")
