"""Linear and cross-entropy in chunks against torch's own, whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lauter.trainer.batch import IGNORE
from lauter.trainer.loss import cross_entropy
from lauter.trainer.loss.cross_entropy import LossTerms, linear_cross_entropy, token_hits, token_losses

VOCABULARY, WIDTH = 192, 16


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "CHUNK_BYTES", 16 * VOCABULARY * 2)


def batch(rows: int, ignored: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, WIDTH, generator=draw, dtype=torch.float64).to(dtype).requires_grad_()
    weight = torch.randn(VOCABULARY, WIDTH, generator=draw, dtype=torch.float64).to(dtype).requires_grad_()
    labels = torch.randint(VOCABULARY, (rows,), generator=draw)
    labels[torch.randperm(rows, generator=draw)[:ignored]] = IGNORE
    return hidden, weight, labels


def whole(hidden: Tensor, weight: Tensor, labels: Tensor, normaliser: float, z_loss: float) -> LossTerms:
    """The same by torch in fp64, with the gradients' own leaves."""
    logits = hidden @ weight.t()
    nll = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    z = logits.logsumexp(1)[labels != IGNORE].square().sum()
    return LossTerms((nll + z_loss * z) / normaliser, nll.detach(), z.detach())


def relative(found: Tensor | None, expected: Tensor | None) -> float:
    assert found is not None
    assert expected is not None
    return float((found.double() - expected).norm() / expected.norm().clamp(min=1e-300))


@pytest.mark.parametrize(
    ("dtype", "loss_bar", "gradient_bar"),
    [(torch.float64, 1e-12, 1e-12), (torch.float32, 1e-6, 1e-6), (torch.bfloat16, 5e-3, 1e-2)],
    ids=["fp64", "fp32", "bf16"],
)
@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
@pytest.mark.parametrize(("rows", "ignored"), [(7, 0), (70, 13), (150, 31)], ids=["one", "some", "many"])
def test_loss_and_gradients_are_torchs(
    dtype: torch.dtype, loss_bar: float, gradient_bar: float, z_loss: float, rows: int, ignored: int
) -> None:
    hidden, weight, labels = batch(rows, ignored, dtype)
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=33.0, z_loss=z_loss)
    terms.total.backward()
    wide_hidden, wide_weight = (x.detach().double().requires_grad_() for x in (hidden, weight))
    expected = whole(wide_hidden, wide_weight, labels, 33.0, z_loss)
    expected.total.backward()
    assert relative(terms.total.detach(), expected.total.detach()) <= loss_bar
    assert relative(terms.nll, expected.nll) <= loss_bar
    assert relative(terms.z, expected.z) <= loss_bar
    assert relative(hidden.grad, wide_hidden.grad) <= gradient_bar
    assert relative(weight.grad, wide_weight.grad) <= gradient_bar
    assert hidden.grad is not None
    assert weight.grad is not None
    assert (hidden.grad.dtype, weight.grad.dtype) == (dtype, dtype)
    assert not hidden.grad[labels == IGNORE].any()
    assert terms.total.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (terms.nll.dtype, terms.nll.requires_grad, terms.z.requires_grad) == (torch.float64, False, False)


def test_gradients_in_bf16_of_many_chunks_are_summed_in_float32() -> None:
    hidden, weight, labels = batch(40 * 16, 0, torch.bfloat16)
    linear_cross_entropy(hidden, weight, labels, normaliser=1.0).total.backward()
    wide_weight = weight.detach().double().requires_grad_()
    whole(hidden.detach().double(), wide_weight, labels, 1.0, 0.0).total.backward()
    # The sum of 40 chunks in bf16 is off by 6e-3 and more.
    assert relative(weight.grad, wide_weight.grad) <= 4e-3


def test_gradcheck() -> None:
    hidden, weight, labels = batch(37, 5, torch.float64)
    weight = weight.detach()[:20, :3].clone().requires_grad_()
    hidden = hidden.detach()[:, :3].clone().requires_grad_()
    labels = torch.where(labels == IGNORE, IGNORE, labels % 20)

    def total(hidden: Tensor, weight: Tensor) -> Tensor:
        return linear_cross_entropy(hidden, weight, labels, normaliser=7.0, z_loss=0.1).total

    assert torch.autograd.gradcheck(total, (hidden, weight))


@pytest.mark.parametrize("scale", [0.0, -1.0, 0.3, 2.5])
def test_the_incoming_gradient_scales(scale: float) -> None:
    hidden, weight, labels = batch(20, 3, torch.float64)
    one = torch.autograd.grad(linear_cross_entropy(hidden, weight, labels, normaliser=5.0).total, (hidden, weight))
    total = linear_cross_entropy(hidden, weight, labels, normaliser=5.0).total * scale
    for found, expected in zip(torch.autograd.grad(total, (hidden, weight)), one, strict=True):
        assert torch.allclose(found, expected * scale, rtol=1e-14, atol=0)


def test_gradients_are_handed_over_without_a_copy() -> None:
    hidden, weight, labels = batch(20, 0, torch.float32)
    total = linear_cross_entropy(hidden, weight, labels, normaliser=5.0).total
    addresses = [tensor.data_ptr() for tensor in total.grad_fn.saved_tensors]  # type: ignore[union-attr]
    total.backward()
    assert [hidden.grad.data_ptr(), weight.grad.data_ptr()] == addresses  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [0, 40])
def test_nothing_to_predict_is_a_loss_of_nothing(dtype: torch.dtype, rows: int) -> None:
    hidden, weight, labels = batch(rows, rows, dtype)
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=100.0, z_loss=1e-4)
    terms.total.backward()
    assert (terms.total.item(), terms.nll.item(), terms.z.item()) == (0, 0, 0)
    for gradient in (hidden.grad, weight.grad):
        assert gradient is not None
        assert not gradient.any()


@pytest.mark.parametrize("frozen", ["hidden", "weight"])
def test_what_is_frozen_gets_no_gradient(frozen: str) -> None:
    hidden, weight, labels = batch(40, 4, torch.float32)
    tensors = {"hidden": hidden, "weight": weight, "labels": labels}
    linear_cross_entropy(hidden, weight, labels, normaliser=9.0).total.backward()
    expected = {name: tensor.grad for name, tensor in tensors.items()}
    for tensor in tensors.values():
        tensor.grad = None
    tensors[frozen].requires_grad_(False)
    linear_cross_entropy(hidden, weight, labels, normaliser=9.0).total.backward()
    expected[frozen] = None
    for name, tensor in tensors.items():
        found, wanted = tensor.grad, expected[name]
        assert (found is None) if wanted is None else (found is not None and torch.equal(found, wanted))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_without_gradients_the_numbers_are_the_same(dtype: torch.dtype) -> None:
    hidden, weight, labels = batch(70, 11, dtype)
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=9.0, z_loss=0.1)
    with torch.no_grad():
        plain = linear_cross_entropy(hidden, weight, labels, normaliser=9.0, z_loss=0.1)
    assert torch.equal(plain.total, terms.total)
    assert torch.equal(plain.z, terms.z)
    assert not plain.total.requires_grad
    losses = token_losses(hidden, weight, labels)
    assert losses.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert not losses.requires_grad
    assert not losses[labels == IGNORE].any()
    assert float(losses.double().sum()) == pytest.approx(float(terms.nll), rel=1e-6)
    wide = functional.cross_entropy(hidden.double() @ weight.double().t(), labels, reduction="none")
    assert torch.allclose(losses.double(), wide, atol=0.1 if dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_hit_is_the_likeliest_id_and_the_lowest_of_equals(dtype: torch.dtype) -> None:
    hidden, weight, labels = batch(70, 11, dtype)
    likeliest = (weight @ hidden.t()).argmax(0)
    labels[::2] = likeliest[::2].where(labels[::2] != IGNORE, IGNORE)
    found = token_hits(hidden, weight, labels)
    assert found.dtype == torch.bool
    assert torch.equal(found, likeliest == labels)
    assert found.sum() > 20
    with torch.no_grad():
        weight[5:9] = weight[5]
    best = torch.full((1,), 5)
    states = 9 * weight[5:6]
    assert token_hits(states, weight, best).item() == (int((weight @ states.t()).argmax()) == 5)
    assert not token_hits(states, weight, best + 1).item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_never_hidden(dtype: torch.dtype, value: float) -> None:
    hidden, weight, labels = batch(40, 4, dtype)
    row = int((labels != IGNORE).nonzero()[20, 0])
    with torch.no_grad():
        hidden[row, 3] = value
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=9.0)
    terms.total.backward()
    assert not terms.total.isfinite()
    assert weight.grad is not None
    assert not weight.grad.isfinite().all()


def test_the_result_does_not_depend_on_rows_that_are_ignored() -> None:
    hidden, weight, labels = batch(70, 30, torch.float32)
    kept = labels != IGNORE
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=9.0)
    alone = linear_cross_entropy(hidden[kept], weight, labels[kept], normaliser=9.0)
    assert torch.equal(terms.total, alone.total)


@pytest.mark.parametrize("label", [-1, VOCABULARY, -101])
def test_a_label_that_is_no_id_is_an_error(label: int) -> None:
    hidden, weight, labels = batch(20, 3, torch.float32)
    labels[5] = label
    with pytest.raises(IndexError, match=f"{label}.* there are {VOCABULARY} ids"):
        linear_cross_entropy(hidden, weight, labels, normaliser=1.0)


def test_what_does_not_fit_is_an_error() -> None:
    hidden, weight, labels = batch(20, 3, torch.float32)
    with pytest.raises(ValueError, match="normaliser must be above 0, not 0"):
        linear_cross_entropy(hidden, weight, labels, normaliser=0.0)
    with pytest.raises(ValueError, match="normaliser must be above 0, not nan"):
        linear_cross_entropy(hidden, weight, labels, normaliser=float("nan"))
    with pytest.raises(ValueError, match=r"must be \(T, d\), \(V, d\), \(T,\)"):
        linear_cross_entropy(hidden, weight, labels[1:], normaliser=1.0)
    with pytest.raises(ValueError, match="one dtype and labels int64"):
        token_losses(hidden.bfloat16(), weight, labels)
    with pytest.raises(ValueError, match="one dtype and labels int64"):
        token_losses(hidden, weight, labels.int())


def test_a_second_derivative_is_refused() -> None:
    hidden, weight, labels = batch(20, 3, torch.float32)
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=1.0)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(terms.total, hidden, create_graph=True)


@pytest.mark.parametrize(
    ("dtype", "bar"),
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)],
    ids=["fp64", "fp32", "bf16"],
)
def test_weights_scale_each_labels_loss_and_gradient(dtype: torch.dtype, bar: float) -> None:
    hidden, weight, labels = batch(70, 13, dtype)
    weights = torch.randn(70, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    weights[:5] = 0
    terms = linear_cross_entropy(hidden, weight, labels, normaliser=7.0, z_loss=1e-2, weights=weights)
    terms.total.backward()
    wide_hidden, wide_weight = (x.detach().double().requires_grad_() for x in (hidden, weight))
    logits = wide_hidden @ wide_weight.t()
    nll = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    z = logits.logsumexp(1).square() * (labels != IGNORE)
    expected = (weights * (nll + 1e-2 * z)).sum() / 7
    expected.backward()
    assert relative(terms.total.detach(), expected.detach()) <= 10 * bar
    assert relative(hidden.grad, wide_hidden.grad) <= bar
    assert relative(weight.grad, wide_weight.grad) <= bar
    # What metrics are made of is not weighted.
    assert relative(terms.nll, nll.sum().detach()) <= bar
    assert relative(terms.z, z.sum().detach()) <= bar
    with torch.no_grad():
        plain = linear_cross_entropy(
            hidden, weight, labels, normaliser=7.0, z_loss=1e-2, weights=weights.to(torch.float32)
        )
    assert float(plain.total) == pytest.approx(float(terms.total.detach()), rel=1e-5)


def test_weights_of_another_length_are_an_error() -> None:
    hidden, weight, labels = batch(20, 3, torch.float32)
    with pytest.raises(ValueError, match=r"weights must be \(T,\), not \(19,\)"):
        linear_cross_entropy(hidden, weight, labels, normaliser=1.0, weights=torch.ones(19))
