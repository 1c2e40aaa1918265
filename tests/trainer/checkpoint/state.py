"""A small state of a run, a function of its step, as the tests save and expect it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.config.sections import CheckpointSection

TOKENIZER = {"tokenizer.json": b'{"model": "BPE"}\n', "tokenizer_config.json": b"{}\n"}

SHAPE: dict[str, Any] = {
    "layers": 1,
    "hidden": 8,
    "feed_forward": 16,
    "heads": 2,
    "kv_heads": 1,
    "head_dim": 4,
    "vocabulary": 32,
    "positions": 64,
}

SIZES = {"model.embed_tokens.weight": (32, 8), "model.layers.0.mlp.up_proj.weight": (16, 8), "alpha": (1,)}


def state(step: int, slots: tuple[str, ...] = ("weight", "fast", "slow", "second")) -> dict[str, Tensor]:
    """What a run holds after so many steps."""
    generator = torch.Generator().manual_seed(step)
    return {f"{slot}.{name}": torch.randn(size, generator=generator) for slot in slots for name, size in SIZES.items()}


def meta(step: int) -> dict[str, Any]:
    """What the loop would write beside it."""
    return {
        "config": {"name": "test"},
        "shape": SHAPE,
        "progress": {"step": step, "samples": 4 * step, "tokens": 256 * step},
        "optimizer_steps": step,
        "data": {"fingerprint": "f", "provenance": [], "languages": []},
        "tokenizer": {"digest": "d", "bos": 1, "eos": 2, "pad": None, "ids": 32},
        "guard": {"norms": [0.5]},
        "parent": None,
    }


def section(*, asynchronous: bool = False, keep: int = 3, keep_every_steps: int | None = None) -> CheckpointSection:
    return CheckpointSection(asynchronous=asynchronous, keep=keep, keep_every_steps=keep_every_steps)


def run_of(out: Path, *steps: int) -> Checkpoints:
    """A run folder with these checkpoints."""
    checkpoints = Checkpoints(out / "checkpoints", section(), rank=0, ranks=1)
    for step in steps:
        checkpoints.save(state(step), meta(step), TOKENIZER)
    return checkpoints


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """To the bit, names included."""
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def zeros() -> dict[str, Tensor]:
    """A state to load into."""
    return {key: torch.zeros_like(tensor) for key, tensor in state(0).items()}
