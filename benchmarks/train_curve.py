"""The loss curve of `tiny` on real pages: Lauter beside transformers, same weights, same samples, same AdamW.

Both start from the weights that Lauter draws and read the batches that Lauter's loader gives, one process and one
thread each, side by side, for `--minutes`. transformers runs its ApertusForCausalLM in bf16 autocast over fp32 weights
with torch's fused AdamW, a 4-D mask and positions that restart at documents; Lauter runs bf16 weights over fp32
masters. What differs is rounding and speed.

    lauter build benchmarks/all_pages.yaml --out out/all-pages
    lauter tokenizer train out/all-pages --out out/tokenizer-8k --vocabulary 8192
    lauter build benchmarks/train_pages.yaml --out out/train-pages
    python benchmarks/train_curve.py [out/train-pages] [--minutes 30] [--plot docs/train-curve.png]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from lauter.trainer.batch import Batch
    from lauter.trainer.model.apertus import Apertus

SEQUENCE, MICRO, SEQUENCES = 512, 4, 8
PEAK, WARMUP_STEPS, DECAY, CLIP = 1e-3, 50, 0.1, 1.0
SEED = 28


def rate(step: int) -> float:
    """Linear warm-up, then constant: the step counts from 0."""
    return PEAK * min(1.0, (step + 1) / WARMUP_STEPS)


def steps_of(data: Path) -> tuple[int, Iterator[list[Batch]]]:
    """The tokenizer's ids, and the micro-batches of each step."""
    from lauter.trainer.config.sections import CorpusSection, DataSection
    from lauter.trainer.data.corpus import open_corpora
    from lauter.trainer.data.samples import Samples

    # Windows of a row group in a random order: eight windows one after the other would often be one document.
    section = DataSection(
        corpora=(CorpusSection(path=str(data.absolute())),),
        sequence_length=SEQUENCE,
        packing="best-fit",
        hold_out_shards=1,
    )
    corpus = open_corpora(section)
    samples = Samples(corpus, section, SEED)

    def steps() -> Iterator[list[Batch]]:
        first = 0
        while True:
            yield [samples.batch(range(at, at + MICRO)) for at in range(first, first + SEQUENCES, MICRO)]
            first += SEQUENCES

    return corpus.tokenizer.ids, steps()


def model_of(ids: int) -> Apertus:
    import torch

    from lauter.trainer.config.sections import ModelSection
    from lauter.trainer.config.shape import model_shape
    from lauter.trainer.model.apertus import Apertus
    from lauter.trainer.model.initialise import initialise

    model = Apertus(model_shape(ModelSection(preset="tiny"), ids, SEQUENCE), dtype=torch.float32)
    initialise(model, SEED)
    return model


def lauter_losses(data: Path) -> Iterator[tuple[float, int]]:
    """Loss per target and targets of each step."""
    import torch

    from lauter.trainer.config.sections import OptimizerSection
    from lauter.trainer.optimizer.optimizer import Optimizer

    ids, steps = steps_of(data)
    model = model_of(ids).to(torch.bfloat16)
    section = OptimizerSection(name="adamw", learning_rate=PEAK, weight_decay=DECAY, clip=CLIP)
    optimizer = Optimizer(model.named_parameters(), section)
    for step, batches in enumerate(steps):
        targets = sum(batch.targets for batch in batches)
        nll = 0.0
        for batch in batches:
            terms = model.loss(batch, targets)
            terms.total.backward()
            optimizer.accumulate()
            nll += float(terms.nll)
        optimizer.step(rate(step), optimizer.gradient_norm())
        optimizer.zero_grad()
        yield nll / targets, targets


def transformers_losses(data: Path) -> Iterator[tuple[float, int]]:
    """The same of transformers."""
    import torch
    from transformers import ApertusConfig, ApertusForCausalLM

    ids, steps = steps_of(data)
    ours = model_of(ids)
    shape = ours.shape
    config = ApertusConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.positions,
        rms_norm_eps=shape.norm_eps,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": shape.rope_theta,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        use_cache=False,
        attn_implementation="sdpa",
        dtype=torch.float32,
    )
    model = ApertusForCausalLM(config).train()
    lacking = model.load_state_dict(ours.state_dict(), strict=False)
    if any(not name.endswith((".beta", ".eps")) for name in [*lacking.missing_keys, *lacking.unexpected_keys]):
        raise SystemExit(f"the weights do not fit transformers' model: {lacking}")
    plain = [parameter for name, parameter in model.named_parameters() if parameter.ndim > 1]
    small = [parameter for name, parameter in model.named_parameters() if parameter.ndim == 1]
    groups = [{"params": plain, "weight_decay": DECAY}, {"params": small, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.999), fused=True)
    for step, batches in enumerate(steps):
        targets = sum(batch.targets for batch in batches)
        nll = 0.0
        for batch in batches:
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(
                    input_ids=batch.tokens.view(MICRO, SEQUENCE),
                    position_ids=batch.positions.view(MICRO, SEQUENCE).long(),
                    attention_mask=mask(batch),
                    labels=batch.labels.view(MICRO, SEQUENCE),
                    shift_labels=batch.labels.view(MICRO, SEQUENCE),
                    num_items_in_batch=targets,
                ).loss
            loss.backward()
            nll += loss.item() * targets
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield nll / targets, targets


def mask(batch: Batch) -> Tensor:
    """Which place may see which: (windows, 1, S, S), causal within documents."""
    import torch

    starts = batch.bounds.cu_seqlens[1:-1].long()
    document = torch.zeros(len(batch.tokens), dtype=torch.int32)
    document[starts] = 1
    document = document.cumsum(0).view(MICRO, SEQUENCE)
    causal = torch.ones(SEQUENCE, SEQUENCE, dtype=torch.bool).tril()
    return ((document[:, :, None] == document[:, None, :]) & causal)[:, None]


CASES = {"Lauter": lauter_losses, "transformers": transformers_losses}


def child(name: str, data: Path, minutes: float, path: Path) -> None:
    import torch

    torch.set_num_threads(1)
    losses: list[float] = []
    seconds: list[float] = []
    began = last = time.monotonic()
    for loss, _ in CASES[name](data):
        losses.append(loss)
        now = time.monotonic()
        seconds.append(now - last)
        last = now
        if len(losses) % 20 == 0:
            print(f"{name}: step {len(losses)}, loss {loss:.3f}, {20 / sum(seconds[-20:]):.2f} steps/s", flush=True)
        if now - began > minutes * 60:
            break
    path.write_text(json.dumps({"losses": losses, "seconds": seconds}))


def smooth(values: list[float], width: int = 20) -> list[float]:
    """Mean of the last `width` values."""
    return [sum(values[max(0, at - width + 1) : at + 1]) / min(at + 1, width) for at in range(len(values))]


def plot(runs: dict[str, dict[str, list[float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tokens = SEQUENCE * SEQUENCES
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(8, 6.5), sharex=True, height_ratios=(3, 1))
    for (name, run), style in zip(runs.items(), ("-", "--"), strict=True):
        places = [tokens * (at + 1) / 1e6 for at in range(len(run["losses"]))]
        above.plot(places, smooth(run["losses"]), style, label=f"{name} ({len(run['losses'])} steps)")
    common = min(len(run["losses"]) for run in runs.values())
    ours, theirs = (run["losses"][:common] for run in runs.values())
    below.plot(
        [tokens * (at + 1) / 1e6 for at in range(common)], [a - b for a, b in zip(ours, theirs, strict=True)], lw=0.8
    )
    below.axhline(0, color="black", lw=0.5)
    above.set_ylabel("loss, nats a token (mean of 20 steps)")
    above.legend()
    above.set_title("tiny: 10.6 M parameters without embeddings, 8k vocabulary, AdamW, same samples")
    below.set_ylabel("Lauter - transformers\n(step by step)")
    below.set_xlabel("million tokens")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("out/train-pages"), help="a run folder")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--out", type=Path, default=Path("out/train-curve"))
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"{options.data} is not there, nothing measured; the head of this file says how to build it")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    context = mp.get_context("spawn")
    paths = {name: options.out / f"{name}.json" for name in CASES}
    children = [
        context.Process(target=child, args=(name, options.data, options.minutes, path), daemon=True)
        for name, path in paths.items()
    ]
    for process in children:
        process.start()
    for process in children:
        process.join()
    runs = {name: json.loads(path.read_text()) for name, path in paths.items()}
    common = min(len(run["losses"]) for run in runs.values())
    ours, theirs = (run["losses"][:common] for run in runs.values())
    apart = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    tail = common // 4
    hop = [abs(a - b) for a, b in zip(theirs[-tail:], theirs[-tail - 1 : -1], strict=True)]
    for name, run in runs.items():
        rate_of = SEQUENCE * SEQUENCES * len(run["losses"]) / sum(run["seconds"])
        print(
            f"{name:<14}{len(run['losses']):>6} steps  {rate_of:>8.0f} tokens/s  "
            f"loss of the last quarter of the common steps {sum(run['losses'][common - tail : common]) / tail:.4f}"
        )
    print(
        f"step by step over {common} common steps: mean difference {sum(apart) / common:.5f}, "
        f"largest {max(apart):.4f}; "
        f"in the last quarter {sum(apart[-tail:]) / tail:.5f}, where one step differs from the next by "
        f"{sum(hop) / tail:.4f}"
    )
    if options.plot:
        plot(runs, options.plot)


if __name__ == "__main__":
    main()
