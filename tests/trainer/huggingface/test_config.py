from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lauter.trainer.huggingface.config import config_json, shape_of_config
from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.model.shape import ModelShape, RopeScaling
from tests.trainer.huggingface.small import SHAPE

UNSCALED = replace(SHAPE, rope_scaling=None, rope_theta=10_000.0)


def written(shape: ModelShape = SHAPE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(config_json(shape, dtype="float32", bos=1, eos=2, pad=3)))
    return found


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_read_again_it_is_the_same_shape(name: str) -> None:
    assert shape_of_config(written(PRESETS[name])) == PRESETS[name]


@given(
    st.floats(2, 1e8),
    st.none() | st.builds(RopeScaling, st.floats(1, 64), st.floats(0.5, 2), st.floats(3, 8), st.integers(256, 1 << 20)),
)
def test_either_style_of_rope_alone_says_the_same(theta: float, scaling: RopeScaling | None) -> None:
    shape = replace(SHAPE, rope_theta=theta, rope_scaling=scaling)
    both = written(shape)
    new = {key: value for key, value in both.items() if key not in ("rope_theta", "rope_scaling")}
    old = {key: value for key, value in both.items() if key != "rope_parameters"}
    assert shape_of_config(both) == shape_of_config(new) == shape_of_config(old) == shape


@pytest.mark.parametrize("shape", [SHAPE, UNSCALED, PRESETS["apertus-8b"]], ids=["llama3", "default", "8b"])
def test_transformers_reads_the_same_numbers(shape: ModelShape, tmp_path: Path) -> None:
    from transformers import AutoConfig
    from transformers.models.apertus.modeling_apertus import ApertusRotaryEmbedding

    from lauter.trainer.model.rope import inverse_frequencies

    both = written(shape)
    old = {key: value for key, value in both.items() if key != "rope_parameters"}
    # An explicit null makes transformers 5 fall back to its own default; only 4.56 wrote it, and meant it.
    for content in (both, old) if shape.rope_scaling else (both,):
        (tmp_path / "config.json").write_text(json.dumps(content))
        config = AutoConfig.from_pretrained(tmp_path)
        assert type(config).__name__ == "ApertusConfig"
        assert (
            config.vocab_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.num_key_value_heads,
        ) == (
            shape.vocabulary,
            shape.layers,
            shape.heads,
            shape.kv_heads,
        )
        assert (config.hidden_size, config.intermediate_size, config.head_dim) == (
            shape.hidden,
            shape.feed_forward,
            shape.head_dim,
        )
        assert (config.rms_norm_eps, config.initializer_range) == (shape.norm_eps, shape.init_std)
        assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 3)
        assert config.dtype == torch.float32
        assert not config.tie_word_embeddings
        assert torch.equal(ApertusRotaryEmbedding(config).inv_freq, inverse_frequencies(shape).float())


def test_what_transformers_saves_is_read(tmp_path: Path) -> None:
    from transformers import ApertusConfig

    ApertusConfig(hidden_size=64, num_attention_heads=4, intermediate_size=128).save_pretrained(tmp_path)
    shape = shape_of_config(json.loads((tmp_path / "config.json").read_text()))
    assert (shape.hidden, shape.kv_heads, shape.head_dim, shape.rope_theta) == (64, 4, 16, 12_000_000.0)
    assert shape.rope_scaling == RopeScaling()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hidden_act": "silu"}, "hidden_act"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings"),
        ({"attention_bias": True}, "attention_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"qk_norm": False}, "qk_norm"),
        ({"post_norm": True}, "post_norm"),
        ({"architectures": ["ApertusForTokenClassification"]}, "architectures"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"vocab_size": "many"}, "vocab_size"),
        ({"hidden_size": None}, "hidden_size"),
        ({"head_dim": None, "num_attention_heads": 7, "num_key_value_heads": 7}, "head_dim"),
        ({"num_key_value_heads": 4}, "kv_heads"),
        ({"head_dim": 7}, "head_dim"),
        ({"rms_norm_eps": -1.0}, "rms_norm_eps"),
        ({"rope_theta": 7.0}, "contradict"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "yarn"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "original_max_position_embeddings"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
    ],
    ids=str,
)
def test_what_apertus_cannot_have_is_refused_by_its_key(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelImportError, match=named):
        shape_of_config({**written(), **changes})


def test_another_model_is_refused_at_once_and_all_faults_are_told() -> None:
    with pytest.raises(ModelImportError, match="model_type is 'llama'"):
        shape_of_config({"model_type": "llama"})
    with pytest.raises(ModelImportError) as caught:
        shape_of_config({**written(), "hidden_act": "silu", "vocab_size": -1})
    assert len(caught.value.problems) == 2


def test_the_published_apertus_is_read() -> None:
    """Fields of swiss-ai/Apertus-8B-2509's config.json, as transformers 4.56 wrote it."""
    shape = shape_of_config(
        {
            "architectures": ["ApertusForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "hidden_act": "xielu",
            "hidden_dropout": 0.0,
            "hidden_size": 4096,
            "initializer_range": 0.02,
            "intermediate_size": 21504,
            "max_position_embeddings": 65536,
            "mlp_bias": False,
            "model_type": "apertus",
            "num_attention_heads": 32,
            "num_hidden_layers": 32,
            "num_key_value_heads": 8,
            "pad_token_id": 3,
            "post_norm": False,
            "qk_norm": True,
            "rms_norm_eps": 1e-05,
            "rope_scaling": {
                "factor": 8.0,
                "high_freq_factor": 4.0,
                "low_freq_factor": 1.0,
                "original_max_position_embeddings": 8192,
                "rope_type": "llama3",
                "type": "llama3",
            },
            "rope_theta": 12000000,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "vocab_size": 131072,
        }
    )
    assert shape.parameters == 8_053_338_176
    assert shape == replace(PRESETS["apertus-8b"], positions=65536, rope_theta=12e6, init_std=0.02)
