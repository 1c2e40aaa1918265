"""A language that a small model learns in some dozens of steps, as a corpus, and the config of a run over it."""

from __future__ import annotations

import random
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from lauter.trainer.config.sections import RunSection
from tests.trainer.data.corpora import BOS, EOS, VOCABULARY, Document, write_corpus

FIRST, WORDS = 10, 100
"""Ids FIRST to FIRST + WORDS - 1 are in use, all alike often; each is followed by one of two others."""


def document(generator: random.Random, length: int) -> Document:
    """BOS, a walk, EOS."""
    word = generator.randrange(WORDS)
    tokens = []
    for _ in range(length):
        tokens.append(FIRST + word)
        word = (word * 7 + (3 if generator.random() < 0.9 else 11)) % WORDS
    return Document([BOS, *tokens, EOS], generator.choice(["deu_Latn", "fra_Latn"]))


def noise(generator: random.Random, length: int) -> Document:
    """No language at all: a loss of ln 100 at best, more for a model that has learned the other."""
    return Document([BOS, *(FIRST + generator.randrange(WORDS) for _ in range(length)), EOS], "roh_Latn")


def write_language(folder: Path, *, shards: int = 3, rows: int = 40, length: int = 60, noisy: range = range(0)) -> Path:
    """Shards of 2 row groups each; documents `noisy` of the whole are noise."""
    generator = random.Random(5)
    number = 0
    stream = []
    for _ in range(shards):
        groups = []
        for _ in range(2):
            group = []
            for _ in range(rows):
                group.append((noise if number in noisy else document)(generator, length))
                number += 1
            groups.append(group)
        stream.append(groups)
    return write_corpus(folder, {"main": stream})


def section(corpus: Path, steps: int, **changes: Any) -> RunSection:  # noqa: ANN401 - any section
    """A run of so many steps of 8 windows of 32 tokens, with nothing but what is needed."""
    content = {
        "name": "test",
        "precision": "fp32",
        "model": {
            "preset": "nano",
            "layers": 2,
            "hidden": 32,
            "feed_forward": 64,
            "heads": 2,
            "kv_heads": 1,
            "head_dim": 16,
            "init_std": 0.1,
        },
        "optimizer": {"learning_rate": 1e-2, "warmup_steps": 10, "beta3": 0.99, "clip": 1.0},
        "schedule": {"total_tokens": steps * 8 * 32},
        "batch": {"sequences": 8, "micro": 8},
        "checkpoint": {"every_steps": 5, "asynchronous": False},
        "metrics": {"peak_flops": 1e12},
        **changes,
    }
    data = {"corpora": [{"path": str(corpus)}], "sequence_length": 32, **changes.get("data", {})}
    return RunSection.model_validate({**content, "data": data})


def quiet() -> Console:
    """Keeps what it is told: `.file.getvalue()`."""
    return Console(file=StringIO(), width=200)


def told(console: Console) -> str:
    """All that a `quiet` console was told."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


__all__ = ["VOCABULARY", "document", "quiet", "section", "told", "write_language"]
