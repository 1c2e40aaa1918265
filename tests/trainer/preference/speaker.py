"""A model of a million weights that answers requests with any of many good answers: one CPU minute of tuning."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import torch

from lauter.chat.encode import encode
from lauter.chat.formats.messages import conversation
from lauter.chat.pieces import pieces
from lauter.stages.tokens.training import _bpe, _canonical
from lauter.trainer.batch import IGNORE, Batch, Bounds
from lauter.trainer.checkpoint.read import write_weights_only
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.generate.tokenizer import TextTokenizer, text_tokenizer
from lauter.trainer.loop.step import gradient
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.parallel.passes import WholeModel
from quickstart.instructions import Task, open_tasks
from tests.trainer.parallel.proof import ALONE
from tests.trainer.preference.world import digest

SHAPE = ModelShape(3, 128, 384, 4, 2, 32, 1024, 512)
STEPS, DIALOGUES, RATE = 400, 32, 3e-3


def speaker(folder: Path) -> Path:
    """A run folder that holds it. Requests that are held out, it has never seen."""
    tasks = [task for task in islice(open_tasks(30), 8000) if not task.held_out]
    texts = [[str(message["content"]) for message in task.row()["messages"]] for task in tasks[:2000]]  # type: ignore[attr-defined]
    files = _canonical(_bpe(iter(texts), SHAPE.vocabulary, 2))
    tokenizer = text_tokenizer(files, bos=1, ends=frozenset({2}))
    documents = [document(tokenizer, task) for task in tasks]
    model = Apertus(SHAPE)
    initialise(model, 1)
    section = OptimizerSection(name="adamw", learning_rate=RATE, weight_decay=0.01, clip=1.0)
    optimizer = Optimizer(model.named_parameters(), section)
    draw = random.Random(0)
    for step in range(STEPS):
        batch = together(draw.sample(documents, DIALOGUES))
        figures = gradient(WholeModel(model, ALONE), optimizer, [batch], z_loss=0.0, axes=ALONE)
        optimizer.step(RATE * min(1, (step + 1) / 30, (STEPS - step) / (0.4 * STEPS)), figures.norm)
        optimizer.zero_grad()
    said = {"digest": digest(files), "ids": SHAPE.vocabulary, "bos": 1, "eos": 2, "pad": 3}
    write_weights_only(folder, SHAPE, model.state_dict().items(), {"tokenizer": said}, files)
    return folder


def document(tokenizer: TextTokenizer, task: Task) -> tuple[list[int], list[int]]:
    """Ids of a dialogue, and its labels."""
    said = pieces(conversation(task.row()), open_answer=False)
    found = encode(said, tokenizer.plain, tokenizer.chat, bos=tokenizer.bos)
    labels = [IGNORE] * len(found.ids)
    for start, end in zip(found.loss_spans[::2], found.loss_spans[1::2], strict=True):
        labels[start - 1 : end - 1] = found.ids[start:end]
    return found.ids, labels


def together(some: list[tuple[list[int], list[int]]]) -> Batch:
    """Dialogues as one micro-batch."""
    labels = torch.tensor([label for _, own in some for label in own])
    return Batch(
        torch.tensor([token for ids, _ in some for token in ids]),
        labels,
        torch.cat([torch.arange(len(ids), dtype=torch.int32) for ids, _ in some]),
        Bounds.of([len(ids) for ids, _ in some]),
        torch.full((len(labels),), -1, dtype=torch.int16),
        int((labels != IGNORE).sum()),
        0,
    )
