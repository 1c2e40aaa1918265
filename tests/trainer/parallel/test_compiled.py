from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lauter.trainer.parallel.compiled import Compiler

CPU = torch.device("cpu")

HIDDEN_COMPILER = """
import torch
from tests.trainer.parallel.proof import ALONE, SHAPE, windows
from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.parallel.plan import lay_out
model = Apertus(SHAPE)
lay_out(model, ParallelSection(compile=True), ALONE, "fp32", tell=print)
initialise(model, 3)
for _ in range(2):
    model.loss(windows(range(2)), 8.0).total.backward()
print("done")
"""


@pytest.mark.slow
def test_without_a_compiler_layers_run_as_they_are_and_it_is_said_once(tmp_path: Path) -> None:
    hidden = {**os.environ, "PATH": str(tmp_path), "CXX": str(tmp_path / "none")}
    found = subprocess.run(
        [sys.executable, "-c", HIDDEN_COMPILER], env=hidden, capture_output=True, text=True, check=False
    )
    assert found.stdout.splitlines() == [
        "parallel.compile: no C++ compiler was found (the variable CXX, g++ or clang++ on the PATH); "
        "the layers run uncompiled",
        "done",
    ], found.stderr


def test_a_compilation_that_fails_serves_uncompiled_and_is_told_once() -> None:
    said: list[str] = []
    compiler = Compiler(CPU, said.append)
    if compiler.failure is not None:
        pytest.skip("there is no C++ compiler")
    torch._dynamo.reset()

    def one(x: Tensor) -> Tensor:
        return (x * 2).sin() + 41.0

    def two(x: Tensor) -> Tensor:
        return (x * 3).cos() - 17.0

    fast = [compiler.compiled(one), compiler.compiled(two)]
    x = torch.arange(12.0)
    # A compiler that is there and fails.
    with torch._inductor.config.patch({"cpp.cxx": ("/bin/false",), "force_disable_caches": True}):
        assert torch.equal(fast[0](x), one(x))
        assert torch.equal(fast[1](x), two(x))
    assert len(said) == 1
    assert "the layers run uncompiled" in said[0]


def test_a_backward_pass_that_does_not_compile_is_found_in_the_forward_pass(tmp_path: Path) -> None:
    said: list[str] = []
    compiler = Compiler(CPU, said.append)
    if compiler.failure is not None:
        pytest.skip("there is no C++ compiler")
    torch._dynamo.reset()

    def sine(x: Tensor) -> Tensor:
        return (x * 5).sin()

    # A compiler that fails at a cosine: the sine's derivative.
    script = tmp_path / "compiler"
    script.write_text(
        '#!/bin/sh\nfor one in "$@"; do [ -f "$one" ] && grep -q "\\.cos()\\|std::cos(" "$one" && exit 1; done\n'
        f'exec {" ".join(get_compiler())} "$@"\n'
    )
    script.chmod(0o755)
    x = torch.arange(12.0, requires_grad=True)
    # Headers that are compiled once for many kernels take 8 of 30 s here, and there are two kernels.
    once = {"cpp.cxx": (str(script),), "force_disable_caches": True, "cpp_cache_precompile_headers": False}
    with torch._inductor.config.patch(once):
        compiler.compiled(sine)(x).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, 5 * (5 * x.detach()).cos())
    assert len(said) == 1
    assert "the layers run uncompiled" in said[0]


def get_compiler() -> list[str]:
    from torch._inductor.cpp_builder import get_cpp_compiler

    return [get_cpp_compiler()]


@pytest.mark.slow
def test_compiled_layers_give_the_same_loss_and_gradients() -> None:
    from lauter.trainer.config.parallel import ParallelSection
    from lauter.trainer.model.apertus import Apertus
    from lauter.trainer.model.initialise import initialise
    from lauter.trainer.parallel.plan import lay_out
    from tests.trainer.parallel.proof import ALONE, SHAPE, windows

    said: list[str] = []
    losses, gradients = [], []
    for compiled in (False, True):
        model = Apertus(SHAPE)
        lay_out(model, ParallelSection(compile=compiled), ALONE, "fp32", tell=said.append)
        initialise(model, 3)
        terms = model.loss(windows(range(2)), 8.0)
        terms.total.backward()
        gradients.append({name: one.grad for name, one in model.named_parameters() if one.grad is not None})
        assert len(gradients[-1]) == len(list(model.parameters()))
        losses.append(terms.total.item())
    if said:
        pytest.skip(said[0])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for name, one in gradients[0].items():
        assert (gradients[1][name] - one).norm() <= 1e-5 * one.norm(), name
