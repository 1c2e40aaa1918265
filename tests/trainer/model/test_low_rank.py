"""Low-rank parts beside frozen weights."""

from __future__ import annotations

import pytest
import torch

from lauter.trainer.config.lora import LoraSection
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.linear import Linear
from lauter.trainer.model.low_rank import add_low_rank, is_low_rank, product
from lauter.trainer.model.shape import ModelShape
from tests.trainer.parallel.proof import LENGTH, windows

SHAPE = ModelShape(2, 32, 96, 4, 2, 8, 128, 64, init_std=0.05)


def model(section: LoraSection | None, dtype: torch.dtype = torch.float64) -> Apertus:
    made = Apertus(SHAPE, dtype=dtype)
    if section is not None:
        add_low_rank(made, section, dtype=dtype)
    initialise(made, 3)
    return made


def linear(made: Apertus, name: str) -> Linear:
    found = made.get_submodule(name)
    assert isinstance(found, Linear)
    return found


@torch.no_grad()
def learnt(section: LoraSection, dtype: torch.dtype = torch.float64) -> Apertus:
    """With a B that is not 0."""
    made = model(section, dtype)
    for name, parameter in made.named_parameters():
        if name.endswith("lora_b"):
            parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(len(name)))
    return made


def test_at_first_the_model_is_the_one_that_it_was() -> None:
    batch = windows(range(2))
    plain, low_rank = model(None), model(LoraSection())
    expected, found = (one(batch.tokens, batch.positions, batch.bounds) for one in (plain, low_rank))
    assert torch.equal(expected, found)


def test_only_the_low_rank_parts_of_the_targets_are_trained() -> None:
    made = learnt(LoraSection(rank=3, targets=("q_proj", "down_proj")))
    made.loss(windows(range(2)), 10.0).total.backward()
    trained = {name: tuple(one.shape) for name, one in made.named_parameters() if one.requires_grad}
    assert trained == {
        f"model.layers.{layer}.{name}": size
        for layer in range(2)
        for name, size in {
            "self_attn.q_proj.lora_a": (3, 32),
            "self_attn.q_proj.lora_b": (32, 3),
            "mlp.down_proj.lora_a": (3, 96),
            "mlp.down_proj.lora_b": (32, 3),
        }.items()
    }
    assert all((one.grad is not None) == is_low_rank(name) for name, one in made.named_parameters())


def test_it_is_the_product_with_the_merged_weight() -> None:
    section = LoraSection(rank=4, alpha=6)
    made, merged = learnt(section), model(None)
    for name, parameter in made.named_parameters():
        if name.endswith("lora_a"):
            beside = linear(made, name.removesuffix(".lora_a"))
            assert beside.lora_b is not None
            linear(merged, name.removesuffix(".lora_a")).weight.data += product(parameter, beside.lora_b, 1.5).detach()
    batch = windows(range(2))
    expected, found = (one(batch.tokens, batch.positions, batch.bounds) for one in (merged, made))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(model(None)(batch.tokens, batch.positions, batch.bounds), expected)


def test_a_step_is_that_of_peft() -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed: pip install 'lauter[dev]'")
    transformers = pytest.importorskip("transformers")
    section = LoraSection(rank=4, alpha=6, targets=("q_proj", "v_proj", "o_proj", "up_proj", "down_proj"))
    ours = learnt(section)
    config = transformers.ApertusConfig(
        vocab_size=SHAPE.vocabulary,
        hidden_size=SHAPE.hidden,
        intermediate_size=SHAPE.feed_forward,
        num_hidden_layers=SHAPE.layers,
        num_attention_heads=SHAPE.heads,
        num_key_value_heads=SHAPE.kv_heads,
        head_dim=SHAPE.head_dim,
        max_position_embeddings=SHAPE.positions,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": SHAPE.rope_theta,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        attn_implementation="eager",
    )
    base = transformers.ApertusForCausalLM(config).double()
    weights = {name: one for name, one in ours.state_dict().items() if not is_low_rank(name)}
    left = base.load_state_dict(weights, strict=False)
    assert not left.unexpected_keys and all(key.endswith((".beta", ".eps")) for key in left.missing_keys)
    adapter = peft.LoraConfig(r=4, lora_alpha=6, lora_dropout=0.0, target_modules=list(section.targets), bias="none")
    theirs = peft.get_peft_model(base, adapter)
    renamed = {
        f"base_model.model.{name.replace('lora_', 'lora_X').replace('Xa', 'A').replace('Xb', 'B')}.default.weight": one
        for name, one in ours.state_dict().items()
        if is_low_rank(name)
    }
    assert not theirs.load_state_dict(renamed, strict=False).unexpected_keys
    batch = windows(range(1))
    # One document: transformers' attention knows no bounds.
    end = int(batch.bounds.cu_seqlens[1])
    tokens = batch.tokens[:end]
    places = torch.arange(end - 1)
    logits = theirs(input_ids=tokens[None]).logits[0]
    torch.nn.functional.cross_entropy(logits[places], tokens[1:]).backward()
    single = type(batch.bounds).of([end])
    own = ours(tokens, torch.arange(end, dtype=torch.int32), single)
    torch.nn.functional.cross_entropy(own[places], tokens[1:]).backward()
    assert LENGTH >= end > 3
    # Norms, turns and softmax are fp32 there.
    torch.testing.assert_close(own, logits, rtol=0, atol=1e-6)
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        if is_low_rank(name):
            kind = "lora_A" if name.endswith("a") else "lora_B"
            key = f"base_model.model.{name.rpartition('.')[0]}.{kind}.default.weight"
            expected = gradients[key].grad
            assert expected is not None and parameter.grad is not None
            assert (parameter.grad - expected).norm() <= 1e-4 * expected.norm(), name
