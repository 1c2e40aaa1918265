from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.optimizer import Optimizer
from tests.trainer.optimizer.held import ADAMW, PAPER, RATE, SHAPES, STEPS, difference, gradient, parameters, run


@pytest.mark.parametrize("section", [PAPER, ADAMW], ids=["ademamix", "adamw"])
def test_float32_stays_near_float64(section: OptimizerSection) -> None:
    exact, held = parameters(), parameters(torch.float32)
    run(Optimizer(exact.items(), section), exact, range(1, STEPS + 1))
    run(Optimizer(held.items(), section), held, range(1, STEPS + 1))
    assert difference(held, {name: one.detach() for name, one in exact.items()}) <= 1e-5


def test_bfloat16_weights_are_their_masters_rounded() -> None:
    held = parameters(torch.bfloat16)
    wide = {name: nn.Parameter(one.detach().float()) for name, one in held.items()}
    optimizer = Optimizer(held.items(), PAPER)

    def fixed(step: int, name: str, parameter: Tensor) -> Tensor:
        return gradient(step, name, torch.zeros(parameter.shape)).bfloat16().to(parameter.dtype)

    run(optimizer, held, range(1, 51), fixed)
    run(Optimizer(wide.items(), PAPER), wide, range(1, 51), fixed)
    state = optimizer.state()
    for name, parameter in held.items():
        assert state[f"master.{name}"].dtype == state[f"slow.{name}"].dtype == torch.float32
        torch.testing.assert_close(state[f"master.{name}"], wide[name].detach(), rtol=1e-5, atol=1e-6)
        assert torch.equal(parameter.detach(), state[f"master.{name}"].bfloat16())


def test_clips_by_the_norm_it_is_given() -> None:
    section = OptimizerSection(clip=0.1, warmup_steps=0)
    held, other = parameters(), parameters()
    run(Optimizer(held.items(), section), held, range(1, 21))
    clipped = Optimizer(other.items(), section.model_copy(update={"clip": None}))
    for step in range(1, 21):
        for name, parameter in other.items():
            parameter.grad = gradient(step, name, parameter)
        norm = nn.utils.clip_grad_norm_(other.values(), 0.1)
        assert norm > 0.1
        clipped.step(RATE, 0.0)
    assert difference(held, {name: one.detach() for name, one in other.items()}) <= 1e-12


def test_norm_is_torchs() -> None:
    held = parameters()
    for name, parameter in held.items():
        parameter.grad = gradient(1, name, parameter)
    expected = nn.utils.get_total_norm([one.grad for one in held.values() if one.grad is not None])
    assert Optimizer(held.items(), PAPER).gradient_norm() == pytest.approx(expected.item(), rel=1e-14)


def micro(number: int, name: str) -> Tensor:
    generator = torch.Generator().manual_seed(number * 100 + len(name))
    return torch.randn(SHAPES[name], generator=generator).bfloat16()


def test_sixteen_narrow_gradients_add_up_in_float32() -> None:
    held = parameters(torch.bfloat16)
    summed, whole = Optimizer(held.items(), PAPER), {name: one.detach().float() for name, one in held.items()}
    expected = {name: nn.Parameter(one) for name, one in whole.items()}
    single = Optimizer(expected.items(), PAPER)
    for name, parameter in expected.items():
        parameter.grad = torch.zeros(SHAPES[name])
    for number in range(16):
        for name, parameter in held.items():
            parameter.grad = micro(number, name)
            total = expected[name].grad
            assert total is not None
            total += micro(number, name).float()
        summed.accumulate()
        assert all(parameter.grad is None for parameter in held.values())
    norm = summed.gradient_norm()
    assert norm == single.gradient_norm()
    summed.step(RATE, norm)
    single.step(RATE, norm)
    assert all(torch.equal(summed.state()[f"master.{name}"], one.detach()) for name, one in expected.items())
    narrow = torch.stack([micro(number, "embed.weight") for number in range(16)])
    in_bfloat16 = narrow[0].clone()
    for one in narrow[1:]:
        in_bfloat16 += one
    assert not torch.equal(in_bfloat16.float(), narrow.float().sum(0))


def test_a_new_step_begins_a_new_sum() -> None:
    held = parameters(torch.bfloat16)
    optimizer = Optimizer(held.items(), PAPER)
    norms = []
    for _ in range(2):
        for number in range(3):
            for name, parameter in held.items():
                parameter.grad = micro(number, name)
            if number < 2:
                optimizer.accumulate()
        norms.append(optimizer.gradient_norm())
        optimizer.zero_grad()
    exact = {name: torch.stack([micro(number, name).double() for number in range(3)]).sum(0) for name in SHAPES}
    assert norms[0] == norms[1] == pytest.approx(float(nn.utils.get_total_norm(list(exact.values()))), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("section", [PAPER, ADAMW], ids=["ademamix", "adamw"])
def test_the_way_of_other_devices_gives_the_same(
    dtype: torch.dtype, section: OptimizerSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []
    for on_cpu in (True, False):
        held = parameters(dtype)
        optimizer = Optimizer(held.items(), section)
        monkeypatch.setattr(optimizer, "_on_cpu", on_cpu)
        for step in range(10):
            for number in range(3):
                for name, parameter in held.items():
                    parameter.grad = micro(step * 3 + number, name).to(dtype)
                optimizer.accumulate()
            optimizer.step(RATE, optimizer.gradient_norm())
            optimizer.zero_grad()
        states.append({**optimizer.state(), **{name: one.detach() for name, one in held.items()}})
    for name, one in states[0].items():
        bar = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-2}[one.dtype]
        torch.testing.assert_close(one, states[1][name], rtol=bar, atol=bar)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_wide_gradients_are_left_to_torch(dtype: torch.dtype) -> None:
    held = parameters(dtype)
    optimizer = Optimizer(held.items(), PAPER)
    for _ in range(3):
        for parameter in held.values():
            torch.autograd.backward((parameter * 2).sum())
        optimizer.accumulate()
    elements = sum(parameter.numel() for parameter in held.values())
    assert optimizer.gradient_norm() == pytest.approx(6 * math.sqrt(elements), rel=1e-12)


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_what_is_not_finite_changes_nothing(value: float, dtype: torch.dtype) -> None:
    held = parameters(dtype)
    optimizer = Optimizer(held.items(), PAPER)
    run(optimizer, held, range(1, 4))
    before = [one.detach().clone() for one in (*held.values(), *optimizer.state().values())]
    for name, parameter in held.items():
        parameter.grad = gradient(5, name, parameter)
    held["norm.weight"].grad[2] = value  # type: ignore[index]
    norm = optimizer.gradient_norm()
    assert not math.isfinite(norm)
    with pytest.raises(ValueError, match="must not be applied"):
        optimizer.step(RATE, norm)
    after = [one.detach() for one in (*held.values(), *optimizer.state().values())]
    assert optimizer.steps == 3
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("section", [PAPER, ADAMW], ids=["ademamix", "adamw"])
def test_goes_on_from_its_state_bit_for_bit(dtype: torch.dtype, section: OptimizerSection) -> None:
    held, other = parameters(dtype), parameters(dtype)
    whole = Optimizer(held.items(), section)
    run(whole, held, range(1, 11))
    first = {name: nn.Parameter(one.detach().clone()) for name, one in other.items()}
    half = Optimizer(first.items(), section)
    run(half, first, range(1, 6))
    for parameter in other.values():
        nn.init.zeros_(parameter)
    resumed = Optimizer(other.items(), section)
    for name, tensor in half.state().items():
        resumed.state()[name].copy_(tensor)
    if dtype == torch.float64:
        for name, parameter in other.items():
            parameter.data.copy_(first[name].detach())
    resumed.load_steps(half.steps)
    resumed.write_weights()
    run(resumed, other, range(6, 11))
    assert all(torch.equal(other[name], held[name]) for name in held)
    assert all(torch.equal(one, whole.state()[name]) for name, one in resumed.state().items())


def test_state_names_its_slots() -> None:
    narrow = Optimizer(parameters(torch.bfloat16).items(), PAPER).state()
    assert list(narrow)[:4] == [f"{slot}.proj.weight" for slot in ("master", "fast", "slow", "second")]
    assert len(narrow) == 4 * len(SHAPES)
    wide = Optimizer(parameters(torch.float32).items(), ADAMW).state()
    assert list(wide)[:2] == ["fast.proj.weight", "second.proj.weight"]
    assert len(wide) == 2 * len(SHAPES)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (nn.Parameter(torch.zeros(2, 2, dtype=torch.float16)), "w is torch.float16"),
        (nn.Parameter(torch.zeros(2, 2, device="meta")), "device 'meta'"),
        (nn.Parameter(torch.zeros(2, 3).t()), "w is not contiguous"),
    ],
    ids=["dtype", "meta", "strides"],
)
def test_refuses_what_it_cannot_update(parameter: nn.Parameter, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Optimizer([("w", parameter)], PAPER)


def test_names_the_parameter_that_has_no_gradient() -> None:
    held = parameters()
    optimizer = Optimizer(held.items(), PAPER)
    held["proj.weight"].grad = torch.zeros(SHAPES["proj.weight"], dtype=torch.float64)
    with pytest.raises(RuntimeError, match=r"norm\.weight has no gradient"):
        optimizer.gradient_norm()
    with pytest.raises(RuntimeError, match=r"norm\.weight has no gradient"):
        optimizer.step(RATE, 1.0)
    assert optimizer.steps == 0
