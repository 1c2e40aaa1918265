"""`config.json` of an Apertus model, both ways.

Rotary embeddings are written in both styles: `rope_parameters` (transformers 5) and `rope_theta` with `rope_scaling`
(4.56 and later, vLLM). transformers 5 reads the second style too and finds the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.model.shape import ModelShape, RopeScaling

_SCALING = {
    "factor": "factor",
    "low_frequency_factor": "low_freq_factor",
    "high_frequency_factor": "high_freq_factor",
    "original_positions": "original_max_position_embeddings",
}

_WANTED: Mapping[str, object] = {
    "hidden_act": "xielu",
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "qk_norm": True,
    "post_norm": False,
}
"""Keys that decide the function, and the one value that Apertus has; where a key is absent, transformers has it too."""

_DEFAULT_THETA, _DEFAULT_SCALING = 12_000_000.0, RopeScaling()
"""`ApertusConfig` of transformers without any rope key."""


def config_json(
    shape: ModelShape, *, dtype: str, bos: int | None, eos: int | Sequence[int] | None, pad: int | None
) -> dict[str, Any]:
    """The content of `config.json`; `dtype` is torch's name, as `bfloat16`."""
    scaling = None if shape.rope_scaling is None else _scaling_json(shape.rope_scaling)
    return {
        "architectures": ["ApertusForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": bos,
        "dtype": dtype,
        "eos_token_id": eos if eos is None or isinstance(eos, int) else list(eos),
        "head_dim": shape.head_dim,
        "hidden_act": "xielu",
        "hidden_size": shape.hidden,
        "initializer_range": shape.init_std,
        "intermediate_size": shape.feed_forward,
        "max_position_embeddings": shape.positions,
        "mlp_bias": False,
        "model_type": "apertus",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "pad_token_id": pad,
        "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {**(scaling or {"rope_type": "default"}), "rope_theta": shape.rope_theta},
        "rope_scaling": scaling,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": False,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }


def shape_of_config(config: Mapping[str, Any]) -> ModelShape:
    """The shape that a `config.json` describes.

    Raises:
        ModelImportError: it is no Apertus model, or one that Lauter can't compute; every such key is named.
    """
    if config.get("model_type") != "apertus":
        raise ModelImportError([f"config.json: model_type is {config.get('model_type')!r}; only 'apertus' can be read"])
    problems: list[str] = []
    for key, value in _WANTED.items():
        if config.get(key, value) != value:
            problems.append(f"config.json: {key} is {config[key]!r}; Apertus has {value!r}")
    names = config.get("architectures") or ["ApertusForCausalLM"]
    if names != ["ApertusForCausalLM"]:
        problems.append(f"config.json: architectures is {names!r}; only ['ApertusForCausalLM'] can be read")

    def whole(key: str, default: object = None) -> int:
        value = default if config.get(key) is None else config[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            problems.append(f"config.json: {key} is {value!r}; it must be a whole number from 1 on")
            return 1
        return value

    hidden, heads = whole("hidden_size"), whole("num_attention_heads")
    theta, scaling = _rope(config, problems)
    sizes = {
        "layers": whole("num_hidden_layers"),
        "hidden": hidden,
        "feed_forward": whole("intermediate_size"),
        "heads": heads,
        "kv_heads": whole("num_key_value_heads", heads),
        "head_dim": whole("head_dim", hidden // heads if hidden % heads == 0 else None),
        "vocabulary": whole("vocab_size"),
        "positions": whole("max_position_embeddings"),
    }
    norm_eps = _number(config, "rms_norm_eps", 1e-5, problems)
    init_std = _number(config, "initializer_range", 0.02, problems)
    if not problems:
        try:
            return ModelShape(**sizes, rope_theta=theta, rope_scaling=scaling, norm_eps=norm_eps, init_std=init_std)
        except ValueError as error:
            problems.append(f"config.json: {error}")
    raise ModelImportError(problems)


def _scaling_json(scaling: RopeScaling) -> dict[str, Any]:
    return {"rope_type": "llama3"} | {theirs: getattr(scaling, ours) for ours, theirs in _SCALING.items()}


def _rope(config: Mapping[str, Any], problems: list[str]) -> tuple[float, RopeScaling | None]:
    # transformers 5 lets `rope_scaling` win; both styles may be there, but they must say the same.
    found = []
    parameters = config.get("rope_parameters")
    if parameters is not None:
        found.append(_one_rope(parameters, config.get("rope_theta", _DEFAULT_THETA), "rope_parameters", problems))
    if config.get("rope_theta") is not None or config.get("rope_scaling") is not None:
        # A `rope_scaling` of null beside a theta is no scaling; a theta alone leaves the default in place.
        default = _scaling_json(_DEFAULT_SCALING) if parameters is None else parameters
        given = config.get("rope_scaling", default)
        theta = config.get("rope_theta", (parameters or {}).get("rope_theta", _DEFAULT_THETA))
        found.append(_one_rope({**(given or {}), "rope_theta": theta}, theta, "rope_scaling", problems))
    if len(found) > 1 and found[0] != found[1] and not problems:
        problems.append("config.json: rope_parameters and rope_theta/rope_scaling contradict each other; keep one")
    return found[0] if found else (_DEFAULT_THETA, _DEFAULT_SCALING)


def _one_rope(
    given: Mapping[str, Any], theta: object, key: str, problems: list[str]
) -> tuple[float, RopeScaling | None]:
    kind = given.get("rope_type", given.get("type", "default"))
    base = _number({"rope_theta": given.get("rope_theta", theta)}, "rope_theta", None, problems)
    if given.get("partial_rotary_factor", 1) != 1:
        problems.append(f"config.json: {key}.partial_rotary_factor must be 1: Apertus turns whole heads")
    if kind == "default":
        return base, None
    if kind != "llama3":
        problems.append(f"config.json: {key} has rope_type {kind!r}; only 'llama3' and 'default' can be read")
        return base, None
    numbers = {ours: _number(given, theirs, None, problems) for ours, theirs in _SCALING.items()}
    original = int(numbers.pop("original_positions"))
    return base, RopeScaling(**numbers, original_positions=original)


def _number(config: Mapping[str, Any], key: str, default: float | None, problems: list[str]) -> float:
    value = config.get(key, default)
    if value is None:
        problems.append(f"config.json: {key} is missing")
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        problems.append(f"config.json: {key} is {value!r}; it must be a number above 0")
        return 1.0
    return float(value)
