"""One optimizer step on the CPU: Lauter's AdEMAMix and AdamW beside what else there is, over 71 million parameters.

The shapes are those of an Apertus of 8 layers. The gradient is the same for all, the state's precision too (float32),
but for the two bfloat16 lines: weights and gradients are bfloat16, with float32 masters. The published AdEMAMix is a
loop over parameters with a dozen torch operations each; here it is written afresh in that style. All take turns, so
that a busy machine is as busy for each. Times are medians, of the clock and of the process's CPU time over all threads,
which other work on the machine disturbs less.

    python benchmarks/optimizer.py [--rounds N] [--json]        needs the extra `dev`
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable

import pytorch_optimizer
import torch
from torch import Tensor, nn

from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.optimizer.optimizer import Optimizer
from lauter.trainer.optimizer.warmups import alpha_at, beta3_at

LAYERS, HIDDEN, FEED_FORWARD, KEY_VALUE, VOCABULARY = 8, 768, 4032, 192, 6400
RATE, DECAY, BETAS, ALPHA, EPS, WARMUP = 1e-4, 0.1, (0.9, 0.999, 0.9999), 8.0, 1e-8, 100_000
ADEMAMIX = OptimizerSection(clip=None)
ADAMW = OptimizerSection(name="adamw", clip=None)

Step = Callable[[], None]
Named = dict[str, nn.Parameter]


def parameters(dtype: torch.dtype) -> Named:
    """With a gradient each."""
    d, f, kv = HIDDEN, FEED_FORWARD, KEY_VALUE
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (VOCABULARY, d), "lm_head.weight": (VOCABULARY, d)}
    for layer in range(LAYERS):
        one: dict[str, tuple[int, ...]] = {
            "q_proj.weight": (d, d), "k_proj.weight": (kv, d), "v_proj.weight": (kv, d), "o_proj.weight": (d, d),
            "up_proj.weight": (f, d), "down_proj.weight": (d, f), "attention_layernorm.weight": (d,),
            "feedforward_layernorm.weight": (d,), "q_norm.weight": (64,), "k_norm.weight": (64,),
            "act_fn.alpha_p": (1,), "act_fn.alpha_n": (1,),
        }  # fmt: skip
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in one.items()}
    generator = torch.Generator().manual_seed(0)
    held: Named = {}
    for name, shape in shapes.items():
        held[name] = nn.Parameter((torch.randn(shape, generator=generator) * 0.02).to(dtype))
        held[name].grad = (torch.randn(shape, generator=generator) * 1e-3).to(dtype)
    return held


def groups(held: Named) -> list[dict[str, object]]:
    return [
        {"params": [one for one in held.values() if one.ndim > 1], "weight_decay": DECAY},
        {"params": [one for one in held.values() if one.ndim == 1], "weight_decay": 0.0},
    ]


def lauter(section: OptimizerSection, dtype: torch.dtype) -> Step:
    optimizer = Optimizer(parameters(dtype).items(), section)
    return lambda: optimizer.step(RATE, 1.0)


def lauter_norm(dtype: torch.dtype) -> Step:
    optimizer = Optimizer(parameters(dtype).items(), ADAMW)
    return lambda: None if math.isfinite(optimizer.gradient_norm()) else sys.exit("the norm is not finite")


def torch_norm(dtype: torch.dtype) -> Step:
    gradients = [one.grad for one in parameters(dtype).values() if one.grad is not None]
    return lambda: None if math.isfinite(nn.utils.get_total_norm(gradients)) else sys.exit("the norm is not finite")


def loop() -> Step:
    """AdEMAMix in the published style: parameter by parameter, operation by operation."""
    held = parameters(torch.float32)
    state: dict[str, list[Tensor]] = {name: [torch.zeros_like(one) for _ in range(3)] for name, one in held.items()}
    steps = 0

    @torch.no_grad()
    def step() -> None:
        nonlocal steps
        steps += 1
        beta1, beta2 = BETAS[:2]
        alpha, beta3 = alpha_at(steps, ALPHA, WARMUP), beta3_at(steps, beta1, BETAS[2], WARMUP)
        for name, parameter in held.items():
            gradient, (fast, slow, second) = parameter.grad, state[name]
            assert gradient is not None
            fast.mul_(beta1).add_(gradient, alpha=1 - beta1)
            slow.mul_(beta3).add_(gradient, alpha=1 - beta3)
            second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            divisor = (second.sqrt() / math.sqrt(1 - beta2**steps)).add_(EPS)
            update = (fast / (1 - beta1**steps) + alpha * slow) / divisor
            if parameter.ndim > 1:
                update.add_(parameter, alpha=DECAY)
            parameter.add_(-RATE * update)

    return step


def pytorch_optimizers() -> Step:
    optimizer = pytorch_optimizer.AdEMAMix(
        groups(parameters(torch.float32)),
        lr=RATE,
        betas=BETAS,
        alpha=ALPHA,
        t_alpha_beta3=WARMUP,
        weight_decouple=True,
        eps=EPS,
    )

    def step() -> None:
        optimizer.step()

    return step


def torch_adamw(*, fused: bool) -> Step:
    optimizer = torch.optim.AdamW(groups(parameters(torch.float32)), lr=RATE, betas=BETAS[:2], eps=EPS, fused=fused)
    return lambda: optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description="Optimizer steps on this CPU, medians.")
    parser.add_argument("--rounds", type=int, default=9, help="Turns, after one to warm up.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    arguments = parser.parse_args()
    steps: dict[str, Step] = {
        "ademamix lauter": lauter(ADEMAMIX, torch.float32),
        "ademamix lauter bf16": lauter(ADEMAMIX, torch.bfloat16),
        "ademamix loop": loop(),
        "ademamix pytorch_optimizer": pytorch_optimizers(),
        "adamw lauter": lauter(ADAMW, torch.float32),
        "adamw lauter bf16": lauter(ADAMW, torch.bfloat16),
        "adamw default": torch_adamw(fused=False),
        "adamw fused": torch_adamw(fused=True),
        "norm lauter": lauter_norm(torch.float32),
        "norm lauter bf16": lauter_norm(torch.bfloat16),
        "norm torch": torch_norm(torch.float32),
    }
    clock: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(arguments.rounds + 1):
        for name, step in steps.items():
            begin, cpu_begin = time.perf_counter(), time.process_time()
            step()
            if turn:
                clock[name].append((time.perf_counter() - begin) * 1e3)
                cpu[name].append((time.process_time() - cpu_begin) * 1e3)
    result = {
        "parameters": sum(one.numel() for one in parameters(torch.float32).values()),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": arguments.rounds,
        "steps": {name: _figures(clock, cpu, name) for name in steps},
    }
    if arguments.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        return
    print("{parameters:,} parameters, {threads} threads, load {load}, {rounds} rounds".format(**result))
    for name in steps:
        row = _figures(clock, cpu, name)
        on_the_clock = f"{row['ms']:8.1f} ms {row['ratio']:6.2f}x, fastest {row['fastest_ms']:.1f} ms"
        print(f"{name:27}{on_the_clock:40} CPU {row['cpu_ms']:8.1f} ms {row['cpu_ratio']:6.2f}x")


def _figures(clock: dict[str, list[float]], cpu: dict[str, list[float]], name: str) -> dict[str, float]:
    """Milliseconds, and times those of Lauter's float32 step of the same kind."""
    ours = name.split()[0] + " lauter"
    median, cpu_median = statistics.median(clock[name]), statistics.median(cpu[name])
    return {
        "ms": round(median, 1),
        "ratio": round(median / statistics.median(clock[ours]), 2),
        "cpu_ms": round(cpu_median, 1),
        "cpu_ratio": round(cpu_median / statistics.median(cpu[ours]), 2),
        "fastest_ms": round(min(clock[name]), 1),
    }


if __name__ == "__main__":
    main()
