"""xIELU: published vectors, transformers, gradients in fp64, and the compiled passes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lauter.trainer.model.initialise import first_values
from lauter.trainer.model.kernels import Kernels
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.xielu import XIELU, xielu
from lauter.trainer.model.xielu_kernel import CHUNK, expm1


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def module(dtype: torch.dtype, kernels: Kernels) -> XIELU:
    activation = XIELU(device=None, dtype=dtype, kernels=kernels)
    with torch.no_grad():
        for name, parameter in activation.named_parameters():
            parameter.copy_(first_values(name, parameter.shape, PRESETS["nano"], 0))
    return activation


def results(activation: nn.Module, x: Tensor, grad: Tensor) -> list[Tensor]:
    """Result, then gradients of x, alpha_p and alpha_n, in fp64."""
    x = x.clone().requires_grad_()
    y = activation(x)
    y.backward(grad)
    found = [y, x.grad, *(activation.get_parameter(name).grad for name in ("alpha_p", "alpha_n"))]
    return [each.detach().double() for each in found if each is not None]


def drawn(size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(size)
    x, grad = (torch.randn(size, generator=generator) * scale for scale in (3, 1))
    # In (-1e-6, 0] the two derivatives differ, as the docstring says.
    return torch.where((x > -1e-5) & (x <= 0), -1e-5, x).to(dtype), grad.to(dtype)


@pytest.mark.parametrize("kernels", ["reference", "fast"])
def test_values_at_the_start(kernels: Kernels) -> None:
    activation = module(torch.float32, kernels)
    assert activation.alpha_p.item() == pytest.approx(0.203382, abs=1e-6)
    assert activation.alpha_n.item() == pytest.approx(-1.050226, abs=1e-6)
    places = torch.tensor([-10, -3, -1, -0.5, 0.5, 1, 2, 3])
    expected = [2.200036, 0.139830, -0.205696, -0.164775, 0.45, 1.3, 4.2, 8.7]
    assert activation(places).tolist() == pytest.approx(expected, abs=1e-6)
    assert activation(torch.zeros(1)).item() == pytest.approx(-8e-7, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_reference_is_transformers_to_the_bit(dtype: torch.dtype) -> None:
    theirs = import_module("transformers.activations").XIELUActivation(dtype=dtype)
    ours = XIELU(device=None, dtype=dtype, kernels="reference")
    ours.load_state_dict({name: theirs.get_parameter(name).detach() for name in ("alpha_p", "alpha_n")})
    x, grad = drawn(5000, dtype)
    pairs = zip(results(ours, x, grad), results(theirs, x, grad), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_gradients_of_the_formula_in_fp64() -> None:
    x = torch.tensor([-30, -4, -0.3, -1e-3, 1e-3, 0.2, 5], dtype=torch.float64, requires_grad=True)
    coefficients = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (0.8, 1.1)]
    assert torch.autograd.gradcheck(xielu, (x, *coefficients))


def test_fast_pass_is_fp64_rounded() -> None:
    x, grad = drawn(3 * CHUNK + 17, torch.float32)
    # The same coefficients to the last digit: those of fp32.
    exact = module(torch.float64, "reference")
    exact.load_state_dict(module(torch.float32, "fast").state_dict())
    ours, theirs = results(module(torch.float32, "fast"), x, grad), results(exact, x.double(), grad.double())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_fast_pass_in_bf16_is_nearer_to_fp64_than_the_reference() -> None:
    x, grad = drawn(2 * CHUNK + 3, torch.bfloat16)
    fast, reference = (module(torch.bfloat16, kernels) for kernels in ("fast", "reference"))
    y, slope = results(fast, x, grad)[:2]
    # With the coefficients that both have after rounding to bf16.
    positive = nn.functional.softplus(fast.alpha_p).double()
    negative = (0.5 + nn.functional.softplus(fast.alpha_n)).double()
    wide = x.double().requires_grad_()
    exact = xielu(wide, positive, negative)
    (exact_slope,) = torch.autograd.grad(exact, wide, grad.double())
    torch.testing.assert_close(y, exact, rtol=2**-8, atol=2**-12)
    torch.testing.assert_close(slope, exact_slope, rtol=2**-8, atol=2**-12)
    other = results(reference, x, grad)
    assert (y - exact).norm() < (other[0] - exact).norm()
    # A few units in the last place of the reference's own intermediate results, which are larger than what is left.
    torch.testing.assert_close(y, other[0], rtol=2**-6, atol=2**-6)


@pytest.mark.usefixtures("threads_as_before")
def test_gradients_of_the_coefficients_do_not_depend_on_threads() -> None:
    x, grad = drawn(50 * CHUNK + 5, torch.float32)
    torch.set_num_threads(1)
    alone = results(module(torch.float32, "fast"), x, grad)
    torch.set_num_threads(2)
    together = results(module(torch.float32, "fast"), x, grad)
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_expm1_is_within_one_unit_in_the_last_place() -> None:
    places = -np.concatenate([np.logspace(-12, 1.6, 4000), np.linspace(0, 25, 8000)]).astype(np.float32)
    ours = np.array([expm1(x) for x in places], np.float64)
    theirs = np.expm1(places.astype(np.float64))
    units = np.spacing(np.maximum(np.abs(theirs), 1e-37).astype(np.float32))
    assert np.max(np.abs(ours - theirs) / units) <= 1
    assert expm1(np.float32(-np.inf)) == -1 and np.isnan(expm1(np.float32(np.nan)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_nan_and_infinity_are_not_hidden(dtype: torch.dtype) -> None:
    x = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30], dtype=dtype)
    y, expected = module(dtype, "fast")(x), module(dtype, "reference")(x)
    torch.testing.assert_close(y, expected, equal_nan=True)
    assert y.isfinite().tolist() == [False, False, False, False]


def test_operator_keeps_the_rules_of_torch_library() -> None:
    coefficients = [torch.tensor([value], requires_grad=True) for value in (0.8, 1.1)]
    arguments = (torch.randn(3, 5, requires_grad=True), *coefficients)
    torch.library.opcheck(
        torch.ops.lauter.xielu.default, arguments, test_utils=("test_schema", "test_autograd_registration")
    )
