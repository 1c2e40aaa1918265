"""What a checkpoint holds of a run, and how model and moments are filled: with first values, or from a checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from lauter.chat.control import ASSISTANT_END, TOOLS_SUFFIX
from lauter.trainer.checkpoint.read import Checkpoint, slots_of
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.loop.counts import Counts
from lauter.trainer.loop.guard import Guard
from lauter.trainer.loop.lineage import Lineage
from lauter.trainer.loop.parts import Parts
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import first_values, initialise
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.progress import Progress


def tensors(model: Apertus, optimizer: Optimizer) -> dict[str, Tensor]:
    """Name in a checkpoint -> live tensor: `weight.NAME` is the master (the parameter where it has none).

    So a run on one process (bf16 weights and fp32 masters) and one on many (fp32 shards) save and load the same.
    """
    state = optimizer.state()
    found = {
        f"weight.{name}": state.get(f"master.{name}", parameter.detach())
        for name, parameter in model.named_parameters()
    }
    return found | {name: one for name, one in state.items() if not name.startswith("master.")}


@torch.no_grad()
def begin(model: Apertus, optimizer: Optimizer, seed: int) -> None:
    """First values; moments 0, no update yet. Masters get what rounding takes from the weights."""
    initialise(model, seed)
    state = optimizer.state()
    for name, parameter in model.named_parameters():
        if f"master.{name}" in state:
            state[f"master.{name}"].copy_(first_values(name, parameter.shape, model.shape, seed))
    for name, one in state.items():
        if not name.startswith("master."):
            one.zero_()
    optimizer.write_weights()
    optimizer.load_steps(0)


def load(checkpoints: Checkpoints, checkpoint: Checkpoint, model: Apertus, optimizer: Optimizer) -> None:
    """Weights, moments and count of updates, to the bit. Raises `CheckpointError`."""
    checkpoints.load(checkpoint, tensors(model, optimizer))
    optimizer.write_weights()
    optimizer.load_steps(checkpoint.meta["optimizer_steps"])


def load_what_is_there(
    checkpoints: Checkpoints, checkpoint: Checkpoint, model: Apertus, optimizer: Optimizer
) -> list[str]:
    """Weights, and those moments that the checkpoint has, after `begin`. Raises `CheckpointError`.

    An import has none; AdamW has no slow average. The count of updates goes with the moments.

    Returns:
        The kinds of moments that it has not.
    """
    there = slots_of(checkpoint)
    everything = {name: (name.partition(".")[0], one) for name, one in tensors(model, optimizer).items()}
    checkpoints.load(checkpoint, {name: one for name, (kind, one) in everything.items() if kind in there})
    optimizer.write_weights()
    optimizer.load_steps(checkpoint.meta["optimizer_steps"])
    return sorted({kind for kind, _ in everything.values()} - there)


def _stops(parts: Parts) -> dict[str, list[int]]:
    """Of a model that answers, the ids after which others speak: the end of an answer, and of a call of tools."""
    tokenizer = parts.corpus.tokenizer
    added = json.loads(tokenizer.files["sidecar.json"]).get("added") or {}
    ends = [added[name] for name in (ASSISTANT_END, TOOLS_SUFFIX) if name in added]
    return {"stops": [tokenizer.eos, *ends]} if ends and parts.section.objective != "pretrain" else {}


def meta(parts: Parts, progress: Progress, guard: Guard, lineage: Lineage, counts: Counts) -> dict[str, Any]:
    """The JSON beside the tensors: all else that the next start needs, and where the model comes from."""
    tokenizer = parts.corpus.tokenizer
    return {
        "config": parts.section.model_dump(mode="json"),
        "shape": asdict(parts.shape),
        "progress": asdict(progress),
        "counts": asdict(counts),
        "optimizer_steps": parts.optimizer.steps,
        "data": {
            "fingerprint": parts.samples.fingerprint,
            "order": parts.samples.order,
            "read": parts.samples.read(progress.samples),
            "provenance": parts.corpus.provenance,
            "history": lineage.history,
            "languages": list(parts.corpus.languages),
            "language_tokens": dict(parts.corpus.language_tokens),
        },
        "tokenizer": {
            "digest": tokenizer.digest,
            "ids": tokenizer.ids,
            "bos": tokenizer.bos,
            "eos": tokenizer.eos,
            "pad": tokenizer.pad,
            **_stops(parts),
        },
        "guard": guard.state(),
        "sound": not guard.in_stretch,
        "parent": lineage.parent,
        "cooldown": lineage.cooldown,
        "changes": lineage.changes,
    }
