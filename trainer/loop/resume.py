"""May this config go on from that checkpoint? Refused, with keys and both values, where it would be another run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lauter.trainer.checkpoint.read import Checkpoint
from lauter.trainer.config.sections import RunSection
from lauter.trainer.data.source import SampleSource
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.lineage import flat, words
from lauter.trainer.model.shape import ModelShape

TENSORS = ("layers", "hidden", "feed_forward", "heads", "kv_heads", "head_dim", "vocabulary")
"""Of a shape, what a branch can't change: the sizes of the tensors. Positions and rotary angles it may."""


def identity(section: RunSection, shape: ModelShape, tokenizer: str, fingerprint: str) -> dict[str, Any]:
    """Key -> value of everything that decides what is computed, and that a run keeps for its life."""
    return {
        **{f"model.{key}": value for key, value in asdict(shape).items()},
        "seed": section.seed,
        "precision": section.precision,
        "optimizer.name": section.optimizer.name,
        "objective": section.objective,
        "lora": _words(None if section.lora is None else section.lora.model_dump(mode="json")),
        "tokenizer": tokenizer,
        "data": fingerprint,
    }


def identity_of(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a checkpoint; keys that it does not know are left out (an import has neither seed nor data)."""
    config, data = meta["config"] or {}, meta["data"] or {}
    found = {
        **{f"model.{key}": value for key, value in meta["shape"].items()},
        "seed": config.get("seed"),
        "precision": config.get("precision"),
        "optimizer.name": config.get("optimizer", {}).get("name"),
        "objective": config.get("objective"),
        "lora": _words(config.get("lora")) if config else None,
        "tokenizer": meta["tokenizer"].get("digest"),
        "data": data.get("fingerprint"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _words(lora: Mapping[str, Any] | None) -> str:
    """Of the low-rank parts, or that there are none: in a line, as they are another model together."""
    return "none" if lora is None else json.dumps(lora, sort_keys=True)


def require_same_run(checkpoint: Checkpoint, now: Mapping[str, Any], samples: SampleSource) -> None:
    """A resumed run must be the same run, and the samples that it has read must be those of this config.

    What it may change: totals, batch, learning rate, checkpoints, metrics, and the stages that come later.

    Raises:
        ConfigError: naming every key that differs, with both values.
    """
    before = identity_of(checkpoint.meta)
    wrong = _differences({key: value for key, value in before.items() if key != "data"}, now)
    if not reads_on(checkpoint, samples):
        # The fingerprint says that the order differs; what it is made of says where.
        was, is_now = flat("data", checkpoint.meta["data"]["order"]), flat("data", samples.order)
        wrong += _differences({**dict.fromkeys(is_now), **was}, is_now)
    if wrong:
        raise ConfigError(
            f"{checkpoint.path} was trained with another config:\n  "
            + "\n  ".join(wrong)
            + "\nput these back to go on, or give another --out (with --from, to begin at this checkpoint)"
        )


def reads_on(checkpoint: Checkpoint, samples: SampleSource) -> bool:
    """Whether the samples that a checkpoint's run has read are the first ones here; what comes later may differ."""
    data = checkpoint.meta["data"]
    return data["fingerprint"] == samples.fingerprint or samples.continues(
        data["order"], checkpoint.meta["progress"]["samples"]
    )


def require_fitting(checkpoint: Checkpoint, now: Mapping[str, Any]) -> list[str]:
    """A branch may change much, but not the tensors' sizes.

    Returns:
        What else differs, in words.

    Raises:
        ConfigError: naming every key that differs and may not, with both values.
    """
    before = identity_of(checkpoint.meta)
    firm = {f"model.{key}" for key in TENSORS}
    wrong = _differences({key: value for key, value in before.items() if key in firm}, now)
    if wrong:
        raise ConfigError(f"--from {checkpoint.path} does not fit this config:\n  " + "\n  ".join(wrong))
    return _differences({key: value for key, value in before.items() if key not in firm}, now)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        words({"key": key, "before": before[key], "after": now.get(key)})
        for key in before
        if before[key] != now.get(key)
    ]
