"""A model that says letters, prompts to ask it, and what is preferred: enough for a whole `lauter tune qrpo`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml

from lauter.chat.control import ASSISTANT_END
from lauter.chat.conversation import Conversation
from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from tests.trainer.generate.byte_tokenizer import FIRST_BYTE, PLAIN, byte_tokenizer, files

SHAPE = ModelShape(2, 32, 64, 4, 2, 8, PLAIN + (-PLAIN % 128), 192, init_std=0.1)
LENGTH = 160
PROMPTS = 9


def reward(conversation: Conversation, answer: str) -> float:
    """Many letters of the first half of the alphabet, each counted once."""
    assert not conversation.answered
    return float(len(set(answer.lower()) & set("abcdefghijklm")))


def never(_conversation: Conversation, answer: str) -> float:
    """No number."""
    return float("nan") if answer else 0.0


def digest(content: dict[str, bytes]) -> str:
    found = hashlib.sha256()
    for name in sorted(content):
        found.update(name.encode() + b"\0" + hashlib.sha256(content[name]).digest())
    return found.hexdigest()


def small_model(seed: int = 3) -> Apertus:
    """Never trained; one direction that all states share makes small letters likely, and the end of an answer."""
    model = Apertus(SHAPE)
    initialise(model, seed)
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] += 8.0
        for letter in range(ord("a"), ord("z") + 1):
            model.lm_head.weight[FIRST_BYTE + letter, 0] += 1.0
        model.lm_head.weight[byte_tokenizer().chat[ASSISTANT_END], 0] += 1.25
    return model


def checkpoint(folder: Path, seed: int = 3) -> Path:
    """A run folder that holds it."""
    model = small_model(seed)
    content = files()
    tokenizer = {"digest": digest(content), "ids": PLAIN, "bos": 1, "eos": 2, "pad": 3}
    write_weights_only(folder, SHAPE, model.state_dict().items(), {"tokenizer": tokenizer}, content)
    return folder


def prompts(path: Path, count: int = PROMPTS) -> Path:
    """Short questions, with a short system text."""
    rows = [
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": f"q{number}"}]}
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def config(folder: Path, **changes: Any) -> Path:  # noqa: ANN401 - plain YAML data
    """A config for it, in a file."""
    preference = {
        "prompts": [str(prompts(folder / "prompts.jsonl"))],
        "block": 3,
        "beta": 0.5,
        "normalised": False,
        "largest_beta": None,
        "references": {"completions": 4, "new_tokens": 16, "batch": 2},
        "reward": {"function": "tests.trainer.preference.world:reward"},
        "pairs": {"choice": "spread", "per_prompt": 2},
        **changes.pop("preference", {}),
    }
    content: dict[str, Any] = {
        "name": "letters",
        "precision": "fp32",
        "data": {"sequence_length": LENGTH, "prefetch": 0},
        "optimizer": {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.0},
        "schedule": {"epochs": 1},
        "batch": {"sequences": 4, "micro": 2},
        "checkpoint": {"every_steps": 2, "asynchronous": False},
        "preference": preference,
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
