"""The whole model: against transformers, document by document, and in fp64 against itself."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.kernels import Kernels
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape

SHAPE = ModelShape(
    layers=2, hidden=48, feed_forward=112, heads=6, kv_heads=2, head_dim=10, vocabulary=160, positions=128, init_std=0.1
)


def made(dtype: torch.dtype = torch.float32, kernels: Kernels = "fast", seed: int = 3) -> Apertus:
    model = Apertus(SHAPE, dtype=dtype, kernels=kernels)
    initialise(model, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        # Norms of 1 and equal scalars in all layers would hide a mix-up.
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_((torch.rand(parameter.shape, generator=generator) * 0.4 - 0.2).to(dtype))
    return model


def packed(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor, Bounds]:
    """Tokens, positions and bounds of random documents."""
    tokens = torch.randint(0, SHAPE.vocabulary, (sum(lengths),), generator=torch.Generator().manual_seed(seed))
    return tokens, torch.cat([torch.arange(n, dtype=torch.int32) for n in lengths]), Bounds.of(lengths)


def gradient_of(model: nn.Module, name: str) -> Tensor:
    gradient = model.get_parameter(name).grad
    assert gradient is not None, name
    return gradient


@pytest.fixture(scope="module")
def transformers() -> ModuleType:
    # Six seconds, so not where tests are collected.
    return import_module("transformers")


def theirs(transformers: ModuleType, ours: Apertus, dtype: torch.dtype) -> nn.Module:
    """transformers' model with our weights."""
    scaling = SHAPE.rope_scaling
    assert scaling is not None
    config = transformers.ApertusConfig(
        vocab_size=SHAPE.vocabulary,
        hidden_size=SHAPE.hidden,
        intermediate_size=SHAPE.feed_forward,
        num_hidden_layers=SHAPE.layers,
        num_attention_heads=SHAPE.heads,
        num_key_value_heads=SHAPE.kv_heads,
        head_dim=SHAPE.head_dim,
        max_position_embeddings=16_384,
        rms_norm_eps=SHAPE.norm_eps,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": SHAPE.rope_theta,
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_frequency_factor,
            "high_freq_factor": scaling.high_frequency_factor,
            "original_max_position_embeddings": scaling.original_positions,
        },
        tie_word_embeddings=False,
        pad_token_id=None,
        dtype=dtype,
    )
    model = transformers.ApertusForCausalLM(config)
    assert torch.equal(model.model.rotary_emb.inv_freq, ours.model.frequencies)
    for module in model.modules():
        if module is not model.model.rotary_emb:
            # A cast of the whole model would round the frequencies too.
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(dtype))
    missing, unexpected = model.load_state_dict(ours.state_dict(), strict=False)
    assert not unexpected and {name.rpartition(".")[2] for name in missing} <= {"beta", "eps"}
    return model  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_logits_and_gradients_are_transformers_to_the_bit(transformers: ModuleType, dtype: torch.dtype) -> None:
    ours = made(dtype, "reference")
    other = theirs(transformers, ours, dtype)
    tokens, positions, bounds = packed([70])
    logits, expected = ours(tokens, positions, bounds), other(tokens[None]).logits[0]
    assert torch.equal(logits, expected)
    if dtype == torch.float32:
        cross_entropy(logits[:-1], tokens[1:]).backward()
        cross_entropy(expected[:-1], tokens[1:]).backward()
        for name, _ in ours.named_parameters():
            gradient, expected_gradient = gradient_of(ours, name), gradient_of(other, name)
            if "q_norm" in name or "k_norm" in name:
                # transformers sums them over (heads, tokens), we over (tokens, heads).
                assert (gradient - expected_gradient).norm() <= 1e-6 * expected_gradient.norm(), name
            else:
                assert torch.equal(gradient, expected_gradient), name


def test_fast_passes_are_transformers_but_for_rounding(transformers: ModuleType) -> None:
    ours = made()
    other = theirs(transformers, ours, torch.float32)
    lengths = [40, 1, 25]
    tokens, positions, bounds = packed(lengths)
    logits = ours(tokens, positions, bounds)
    expected = torch.cat([other(part[None]).logits[0] for part in tokens.split(lengths)])
    assert (logits - expected).abs().max() <= 1e-5
    exact = made(torch.float64)
    exact.load_state_dict(ours.state_dict())
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(5))
    for result in (logits, expected, exact(tokens, positions, bounds)):
        (result * weights).sum().backward()
    for name, _ in exact.named_parameters():
        truth = gradient_of(exact, name)
        norm = truth.norm()
        error, their_error = ((gradient_of(model, name).double() - truth).norm() / norm for model in (ours, other))
        # The gradients of xIELU's scalars are sums in which most cancels.
        limit = 2e-5 if "alpha" in name else 5e-6
        assert error <= limit and ("alpha" in name or error <= 2 * their_error), name


def test_fast_passes_in_bf16_are_no_further_from_the_truth_than_the_reference() -> None:
    tokens, positions, bounds = packed([50, 30])
    reference, fast = made(torch.bfloat16, "reference"), made(torch.bfloat16)
    exact = made(torch.float64)
    exact.load_state_dict(reference.state_dict())
    truth = exact(tokens, positions, bounds)
    error = [(model(tokens, positions, bounds).double() - truth).norm() / truth.norm() for model in (fast, reference)]
    assert error[0] < 0.02 and error[0] < 1.1 * error[1]


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["fp32", "fp64"])
def test_packed_documents_are_separate_documents(dtype: torch.dtype, limit: float) -> None:
    model = made(dtype)
    lengths = [12, 1, 30, 7]
    tokens, positions, bounds = packed(lengths)
    together = model(tokens, positions, bounds)
    weights = torch.randn(together.shape, generator=torch.Generator().manual_seed(5)).to(dtype)
    (together * weights).sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    apart = torch.cat([model(part, torch.arange(len(part)), Bounds.of([len(part)])) for part in tokens.split(lengths)])
    (apart * weights).sum().backward()
    assert (together - apart).abs().max() <= limit
    for one, parameter in zip(gradients, model.parameters(), strict=True):
        assert one is not None and parameter.grad is not None
        assert (one - parameter.grad).norm() <= limit * parameter.grad.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_changed_document_changes_no_bit_of_another(dtype: torch.dtype) -> None:
    model = made(dtype)
    tokens, positions, bounds = packed([20, 30, 14])
    before = model(tokens, positions, bounds)
    changed = tokens.clone()
    changed[20:50] = (tokens[20:50] + 1) % SHAPE.vocabulary
    same = (model(changed, positions, bounds) == before).all(dim=1)
    assert same[:20].all() and same[50:].all() and not same[20:50].any()


def test_a_token_changes_no_bit_before_it() -> None:
    model = made()
    tokens, positions, bounds = packed([40])
    before = model(tokens, positions, bounds)
    changed = tokens.clone()
    changed[25] = (tokens[25] + 1) % SHAPE.vocabulary
    same = (model(changed, positions, bounds) == before).all(dim=1)
    assert same[:25].all() and not same[25:].any()


def test_positions_matter_only_by_distance_and_restart() -> None:
    model = made(torch.float64)
    tokens, positions, bounds = packed([20, 20])
    tokens[20:] = tokens[:20]
    logits = model(tokens, positions, bounds)
    torch.testing.assert_close(logits[:20], logits[20:], rtol=1e-12, atol=1e-12)
    apart = model(tokens, positions * 3, bounds)
    assert (apart[19] - logits[19]).abs().max() > 1e-3


def test_fp64_gradients_are_those_of_differences() -> None:
    model = made(torch.float64)
    tokens, positions, bounds = packed([5, 6])
    model(tokens, positions, bounds).square().mean().backward()
    generator = torch.Generator().manual_seed(9)
    # One layer has every kind of parameter, and the other one behind it.
    named = {name: parameter for name, parameter in model.named_parameters() if "layers.1." not in name}
    for name, parameter in named.items():
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        assert parameter.grad is not None
        with torch.no_grad():
            values = []
            for step in (1e-6, -2e-6, 1e-6):
                parameter.add_(step * direction)
                values.append(model(tokens, positions, bounds).square().mean().item())
        slope = (values[0] - values[1]) / 2e-6
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_loss_is_cross_entropy_of_the_logits() -> None:
    model = made(torch.float64)
    tokens, positions, bounds = packed([9, 16])
    labels = tokens.roll(-1)
    labels[[8, 24, 3]] = IGNORE
    batch = Batch(tokens, labels, positions, bounds, torch.zeros(25, dtype=torch.int16), 22, 0)
    terms = model.loss(batch, 22.0)
    logits = model(tokens, positions, bounds)
    expected = cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(terms.total, expected, rtol=1e-12, atol=0)
    terms.total.backward()
    ours = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    expected.backward()
    for one, parameter in zip(ours, model.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, rtol=1e-10, atol=1e-14)


def test_fp64_gradients_of_the_whole_loss_are_those_of_differences() -> None:
    model = made(torch.float64)
    # The last document is one token, which predicts nothing; labels are the first id and the last one.
    tokens, positions, bounds = packed([7, 4, 1])
    labels = tokens.roll(-1)
    labels[[1, 8]] = torch.tensor([0, SHAPE.vocabulary - 1])
    labels[[6, 10, 11]] = IGNORE
    batch = Batch(tokens, labels, positions, bounds, torch.zeros(12, dtype=torch.int16), 9, 0)
    # Large enough to weigh as much as the rest.
    model.loss(batch, 9.0, z_loss=0.1).total.backward()
    generator = torch.Generator().manual_seed(9)
    for name, parameter in model.named_parameters():
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        assert parameter.grad is not None
        with torch.no_grad():
            values = []
            for step in (1e-6, -2e-6, 1e-6):
                parameter.add_(step * direction)
                values.append(model.loss(batch, 9.0, z_loss=0.1).total.item())
        slope = (values[0] - values[1]) / 2e-6
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-8), name


@pytest.mark.parametrize(("preset", "parameters"), [("apertus-8b", 8_053_338_176), ("apertus-70b", 70_599_864_480)])
def test_apertus_has_as_many_parameters_as_published(preset: str, parameters: int) -> None:
    model = Apertus(PRESETS[preset], device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters == PRESETS[preset].parameters


def test_frequencies_survive_casts_and_meta() -> None:
    whole = made().model.frequencies.clone()
    model = Apertus(SHAPE, device="meta").to_empty(device="cpu")
    initialise(model, 3)
    model.to(torch.bfloat16)
    assert model.model.frequencies.dtype == torch.float32 and torch.equal(model.model.frequencies, whole)
    assert not any("freq" in name for name in model.state_dict()) and not list(model.buffers())


def test_a_model_from_meta_is_the_model_made_at_once() -> None:
    once, later = Apertus(SHAPE), Apertus(SHAPE, device="meta").to_empty(device="cpu")
    for model in (once, later):
        initialise(model, 8)
    tokens, positions, bounds = packed([11])
    assert torch.equal(once(tokens, positions, bounds), later(tokens, positions, bounds))


def test_tokens_positions_and_bounds_must_be_of_one_length() -> None:
    model = made()
    tokens, positions, bounds = packed([6, 5])
    for arguments, message in (
        ((tokens, positions[:10], bounds), r"\(11,\) and \(10,\)"),
        ((tokens[None], positions[None], bounds), r"\(1, 11\) and \(1, 11\)"),
        ((tokens, positions, Bounds.of([6, 4])), "end at 10 of 11 tokens"),
        ((tokens[:10], positions[:10], bounds), "end at 11 of 10 tokens"),
    ):
        with pytest.raises(ValueError, match=message):
            model(*arguments)
