"""DPO against TRL's own loss, and its slopes against autograd."""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lauter.trainer.batch import Completions
from lauter.trainer.preference.dpo import DPO


def known(reference: Tensor, lengths: Tensor) -> Completions:
    return Completions(torch.empty(0, dtype=torch.int64), torch.zeros(len(lengths)), reference, lengths)


numbers = st.tuples(st.floats(-90, 0), st.floats(-90, 0), st.integers(1, 900))


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9), st.booleans())
def test_slopes_are_the_derivative(pairs: list[tuple[Any, Any]], normalised: bool) -> None:  # noqa: FBT001
    found, reference, lengths = (torch.tensor(column) for column in zip(*sum(pairs, ()), strict=True))
    values = found.double().requires_grad_()
    terms = DPO(0.3, normalised=normalised)(values, known(reference.double(), lengths))
    assert terms.losses.shape == (len(pairs),)
    (expected,) = torch.autograd.grad(terms.losses.sum(), values)
    assert torch.allclose(terms.slopes.detach(), expected, rtol=1e-12, atol=1e-15)


def test_the_loss_is_that_worked_out_by_hand() -> None:
    # Chosen 1.5 nats up over 10 tokens, rejected 1 nat down over 20: 0.15 - (-0.05) = 0.2 a token, times beta.
    found = torch.tensor([-8.5, -31.0], dtype=torch.float64)
    given = known(torch.tensor([-10.0, -30.0], dtype=torch.float64), torch.tensor([10, 20]))
    terms = DPO(5.0)(found, given)
    assert terms.losses.tolist() == pytest.approx([math.log(1 + math.exp(-1.0))], rel=1e-12)
    pull = 5.0 / (1 + math.exp(1.0))
    assert terms.slopes.tolist() == pytest.approx([-pull / 10, pull / 20], rel=1e-12)
    terms = DPO(0.4, normalised=False)(found, given)
    assert terms.losses.tolist() == pytest.approx([math.log(1 + math.exp(-0.4 * 2.5))], rel=1e-12)


# Importing trl takes longer than all other tests of this folder that run in one process.
@pytest.mark.soak
@pytest.mark.parametrize(("kind", "normalised", "beta"), [("sigmoid_norm", True, 5.0), ("sigmoid", False, 0.1)])
def test_loss_and_gradient_are_trls(kind: str, normalised: bool, beta: float) -> None:  # noqa: FBT001
    trl = pytest.importorskip("trl.trainer.dpo_trainer", reason="trl is not installed: pip install 'lauter[dev]'")
    draw = torch.Generator().manual_seed(5)
    pairs, width = 6, 40
    prompts = torch.randint(1, 9, (2 * pairs,), generator=draw)
    lengths = torch.randint(1, width - 9, (2 * pairs,), generator=draw)
    places = torch.arange(width)
    # TRL: all chosen ones, then all rejected ones. The model's part is left out: it is given log-probabilities.
    mask = ((places >= prompts[:, None]) & (places < (prompts + lengths)[:, None])).long()
    tokens = (-6 * torch.rand(2 * pairs, width, generator=draw, dtype=torch.float64)) * mask
    tokens.requires_grad_()
    reference = -3 * lengths.double() + torch.randn(2 * pairs, generator=draw, dtype=torch.float64)
    zeros = torch.zeros_like(tokens)
    outputs = SimpleNamespace(log_probs=tokens, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    stand_in = SimpleNamespace(
        model=SimpleNamespace(training=False),
        aux_loss_enabled=False,
        ld_alpha=None,
        beta=beta,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        use_weighting=False,
        loss_types=[kind],
        loss_weights=[1.0],
        label_smoothing=0.0,
        _total_train_tokens=0,
        accelerator=SimpleNamespace(device="cpu", gather=lambda value: value, gather_for_metrics=lambda value: value),
        _metrics={"eval": defaultdict(list), "train": defaultdict(list)},
    )
    inputs = {
        "input_ids": torch.ones_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "ref_chosen_logps": reference[:pairs],
        "ref_rejected_logps": reference[pairs:],
    }
    theirs = trl.DPOTrainer._compute_loss(stand_in, lambda **_: outputs, inputs, return_outputs=False)
    theirs.backward()

    woven = torch.arange(2 * pairs).unflatten(0, (2, -1)).t().flatten()
    found = tokens.detach()[:, 1:].sum(1)[woven]
    terms = DPO(beta, normalised=normalised)(found, known(reference[woven], lengths[woven]))
    assert float(terms.losses.mean()) == pytest.approx(theirs.item(), rel=1e-6)
    assert tokens.grad is not None
    # Each token of a completion has the completion's slope.
    slopes = tokens.grad[:, 1]
    assert torch.equal(tokens.grad[:, 1:], slopes[:, None].expand(-1, width - 1))
    assert torch.allclose(terms.slopes / pairs, slopes[woven], rtol=1e-6, atol=1e-12)
