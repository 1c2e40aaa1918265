"""Figures and gradient of a step, and the held-out loss, against torch on whole logits."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import cross_entropy

from lauter.trainer.batch import IGNORE, Batch
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.loop.step import Figures, gradient
from lauter.trainer.loop.validate import validate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.passes import WholeModel
from tests.trainer.parallel.proof import ALONE, LANGUAGES, SHAPE, windows


def model_of(dtype: torch.dtype) -> Apertus:
    model = Apertus(SHAPE, dtype=dtype)
    initialise(model, 5)
    return model


def figures_of(model: Apertus, batches: list[Batch], *, z_loss: float) -> Figures:
    optimizer = Optimizer(model.named_parameters(), OptimizerSection())
    return gradient(WholeModel(model, ALONE), optimizer, batches, z_loss=z_loss, axes=ALONE)


def test_loss_and_gradient_are_those_of_the_mean_over_all_targets() -> None:
    model, z_loss = model_of(torch.float64), 0.01
    batches = [windows(range(2)), windows(range(6, 8))]
    assert batches[0].targets > 1.5 * batches[1].targets
    figures = gradient(
        WholeModel(model, ALONE),
        Optimizer(model.named_parameters(), OptimizerSection()),
        batches,
        z_loss=z_loss,
        axes=ALONE,
    )
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}

    model.zero_grad()
    logits = torch.cat([model(batch.tokens, batch.positions, batch.bounds) for batch in batches])
    labels = torch.cat([batch.labels for batch in batches])
    nll = cross_entropy(logits, labels, ignore_index=IGNORE)
    loss = nll + z_loss * torch.logsumexp(logits[labels != IGNORE], -1).square().mean()
    loss.backward()
    assert figures.targets == int((labels != IGNORE).sum())
    assert figures.loss == pytest.approx(loss.item(), rel=1e-12)
    assert figures.nll == pytest.approx(nll.item(), rel=1e-12)
    norm = math.sqrt(sum(float(one.grad.square().sum()) for one in model.parameters() if one.grad is not None))
    assert figures.norm == pytest.approx(norm, rel=1e-12)
    for name, one in model.named_parameters():
        assert one.grad is not None
        assert torch.allclose(found[name], one.grad, rtol=1e-11, atol=1e-14), name


def test_a_step_without_any_target_has_no_loss_and_no_gradient() -> None:
    model = model_of(torch.float32)
    whole = windows(range(2))
    empty = Batch(
        whole.tokens,
        torch.full_like(whole.labels, IGNORE),
        whole.positions,
        whole.bounds,
        whole.languages,
        targets=0,
        goldfish_dropped=3,
    )
    figures = gradient(
        WholeModel(model, ALONE),
        Optimizer(model.named_parameters(), OptimizerSection()),
        [empty],
        z_loss=0.0,
        axes=ALONE,
    )
    assert math.isnan(figures.loss)
    assert math.isnan(figures.nll)
    assert (figures.targets, figures.goldfish_dropped, figures.norm) == (0, 3, 0.0)


def test_the_context_is_the_mean_length_a_token_sees() -> None:
    model, batch = model_of(torch.float32), windows(range(3))
    figures = gradient(
        WholeModel(model, ALONE),
        Optimizer(model.named_parameters(), OptimizerSection()),
        [batch],
        z_loss=0.0,
        axes=ALONE,
    )
    ends = batch.bounds.cu_seqlens.tolist()
    lengths = [end - start for start, end in pairwise(ends)]
    assert figures.context == pytest.approx(sum(length**2 for length in lengths) / sum(lengths))


def test_held_out_losses_by_language() -> None:
    model = model_of(torch.float32)
    batches = [windows(range(2)), windows(range(4, 7))]
    found = validate(model, WholeModel(model, ALONE), iter(batches), LANGUAGES, ALONE)
    with torch.no_grad():
        logits = torch.cat([model(batch.tokens, batch.positions, batch.bounds) for batch in batches])
    labels, languages = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("labels", "languages"))
    losses = cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    for index, name in ((0, "deu_Latn"), (1, "fra_Latn"), (-1, "unknown")):
        counted = (languages == index) & (labels != IGNORE)
        loss, targets = found.languages[name]
        assert loss == pytest.approx(losses[counted].mean().item(), rel=1e-5)
        assert targets == int(counted.sum())
    assert found.targets == sum(batch.targets for batch in batches)
    assert found.loss == pytest.approx(losses[labels != IGNORE].mean().item(), rel=1e-5)
    shares = torch.unique(labels[labels != IGNORE], return_counts=True)[1].double() / found.targets
    assert found.unigram_entropy == pytest.approx(torch.special.entr(shares).sum().item(), rel=1e-12)


def test_a_language_without_targets_is_not_told_of() -> None:
    model, batch = model_of(torch.float32), windows(range(1))
    found = validate(model, WholeModel(model, ALONE), iter([batch]), ("aaa_Latn", "bbb_Latn", "ccc_Latn"), ALONE)
    assert "ccc_Latn" not in found.languages
