"""One training step: Lauter beside transformers' ApertusForCausalLM at its best options, on the same random tokens.

Every case is a process of its own that holds its model; they take turns, one step each, so that all see the same load.
transformers gets bf16 autocast with torch's fused AdamW, and pure bf16 weights with the same (which keeps no fp32
masters, so it does less). `--documents N` packs N documents a row: transformers is given a 4-D mask and positions that
restart, which is its way to the same function. Memory is the peak of the whole process, libraries included.

    python benchmarks/train_step.py [--vocabulary 131072] [--sequence 512] [--batch 2] [--documents 1] [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imports of the package stay inside the children
    from lauter.trainer.model.shape import ModelShape

Step = Callable[[], float]


def lauter_step(options: argparse.Namespace, optimizer: str) -> Step:
    import torch

    from lauter.trainer.batch import IGNORE, Batch, Bounds
    from lauter.trainer.config.sections import OptimizerSection
    from lauter.trainer.model.apertus import Apertus
    from lauter.trainer.model.initialise import initialise
    from lauter.trainer.optimizer.optimizer import Optimizer

    model = Apertus(shape(options), dtype=torch.bfloat16)
    initialise(model, 0)
    section = OptimizerSection(name="adamw" if optimizer == "adamw" else "ademamix", learning_rate=3e-4, clip=1.0)
    steps = Optimizer(model.named_parameters(), section)
    length = options.sequence // options.documents
    lengths = [length] * (options.batch * options.documents)

    def step() -> float:
        tokens = torch.randint(0, options.vocabulary, (options.batch * options.sequence,))
        labels = torch.roll(tokens, -1)
        labels[length - 1 :: length] = IGNORE
        positions = torch.arange(length, dtype=torch.int32).repeat(len(lengths))
        targets = int((labels != IGNORE).sum())
        batch = Batch(
            tokens, labels, positions, Bounds.of(lengths), torch.zeros(len(tokens), dtype=torch.int16), targets, 0
        )
        terms = model.loss(batch, targets)
        terms.total.backward()
        steps.step(3e-4, steps.gradient_norm())
        steps.zero_grad()
        return terms.total.item()

    return step


def transformers_step(options: argparse.Namespace, precision: str) -> Step:
    import logging
    import warnings

    import torch
    from transformers import ApertusConfig, ApertusForCausalLM

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    config = ApertusConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.hidden,
        intermediate_size=options.feed_forward,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads,
        max_position_embeddings=options.sequence,
        use_cache=False,
        attn_implementation="sdpa",
        dtype=torch.float32,
    )
    model = ApertusForCausalLM(config).train()
    if precision == "bf16":
        model = model.to(torch.bfloat16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1, fused=True)
    forward = torch.compile(model) if options.compile else model
    extra = {}
    length = options.sequence // options.documents
    if options.documents > 1:
        place = torch.arange(options.sequence)
        allowed = (place[:, None] // length == place[None] // length) & (place[:, None] >= place[None])
        extra["attention_mask"] = allowed[None, None].expand(options.batch, 1, -1, -1)
        extra["position_ids"] = (place % length)[None].expand(options.batch, -1)

    def step() -> float:
        tokens = torch.randint(0, options.vocabulary, (options.batch, options.sequence))
        labels = tokens.clone()
        labels[:, ::length] = -100  # The label of a first token would be predicted from another document.
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "amp"):
            loss = forward(input_ids=tokens, labels=labels, **extra).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found: float = loss.item()
        return found

    return step


CASES: dict[str, tuple[Callable[[argparse.Namespace, str], Step], str]] = {
    "transformers, bf16 autocast, fused AdamW": (transformers_step, "amp"),
    "transformers, pure bf16, fused AdamW": (transformers_step, "bf16"),
    "Lauter, AdamW": (lauter_step, "adamw"),
    "Lauter, AdEMAMix": (lauter_step, "ademamix"),
}


def shape(options: argparse.Namespace) -> ModelShape:
    from lauter.trainer.model.presets import PRESETS

    return replace(
        PRESETS["nano"],
        layers=options.layers,
        hidden=options.hidden,
        feed_forward=options.feed_forward,
        heads=options.heads,
        kv_heads=options.kv_heads,
        head_dim=options.hidden // options.heads,
        vocabulary=options.vocabulary,
        positions=options.sequence,
        init_std=0.02,
    )


def child(connection: Connection, name: str, options: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    make, argument = CASES[name]
    step = make(options, argument)
    while connection.recv() == "step":
        started = time.perf_counter()
        loss = step()
        seconds = time.perf_counter() - started
        connection.send((seconds, loss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, value in (
        ("hidden", 256),
        ("layers", 6),
        ("heads", 8),
        ("kv-heads", 2),
        ("feed-forward", 1024),
        ("vocabulary", 131_072),
        ("sequence", 512),
        ("batch", 2),
        ("documents", 1),
        ("rounds", 7),
        ("threads", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--compile", action="store_true", help="torch.compile transformers' model too")
    parser.add_argument("--case", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    context = mp.get_context("spawn")
    children: dict[str, Connection] = {}
    for name in options.case:
        ours, theirs = context.Pipe()
        context.Process(target=child, args=(theirs, name, options), daemon=True).start()
        children[name] = ours
    seconds: dict[str, list[float]] = {name: [] for name in children}
    losses: dict[str, float] = {}
    memory: dict[str, int] = {}
    for turn in range(options.rounds + 2):
        for name, connection in children.items():
            connection.send("step")
            taken, losses[name], memory[name] = connection.recv()
            if turn >= 2:  # The first two compile kernels and touch memory.
                seconds[name].append(taken)
    for connection in children.values():
        connection.send("end")
    tokens = options.batch * options.sequence
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians.get("transformers, bf16 autocast, fused AdamW") or next(iter(medians.values()))
    if options.json:
        print(json.dumps({"options": vars(options), "seconds": seconds, "memory": memory, "losses": losses}))
        return
    print(
        f"{options.layers} layers x {options.hidden}, vocabulary {options.vocabulary:,}, {options.batch} x "
        f"{options.sequence} tokens, {options.documents} document(s) a row, {options.threads} threads; "
        f"median of {options.rounds} steps in turns"
    )
    print(f"{'':<44}{'ms':>8}{'best':>8}{'tokens/s':>10}{'ratio':>8}{'peak GB':>9}{'loss':>9}")
    for name, median in medians.items():
        print(
            f"{name:<44}{median * 1e3:>8.0f}{min(seconds[name]) * 1e3:>8.0f}{tokens / median:>10.0f}"
            f"{base / median:>8.2f}{memory[name] / 1e9:>9.2f}{losses[name]:>9.3f}"
        )


if __name__ == "__main__":
    main()
