"""Answers to requests that come together: one batch that they join and leave, beside one after the other, and the peer.

`python benchmarks/serving.py [--requests N] [--tokens N] [--threads N]`. A model of 16 million random weights, fp32,
greedy, prompts of 40 to 200 tokens; prints tokens a second of wall time and of CPU time, and the ratios. The peer is
transformers' `generate` on the same weights, one request after the other, which is what a server around it does.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import torch
from transformers import ApertusConfig, ApertusForCausalLM

from lauter.trainer.generate.sample import sources_of_chance
from lauter.trainer.huggingface.config import config_json
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.initialise import initialise
from lauter.trainer.model.shape import ModelShape
from lauter.trainer.serve.batching import Speaker, SpeakingBatch

SHAPE = ModelShape(8, 384, 1536, 6, 2, 64, 4096, 1024)


def ours(model: Apertus, prompts: list[list[int]], tokens: int, at_once: int) -> list[list[int]]:
    """All answers, `at_once` of them at a time."""
    batch = SpeakingBatch(model, at_once, 512)
    waiting = [Speaker(prompt, 0.0, 1.0, sources_of_chance([prompt], 1)[0]) for prompt in prompts]
    said: dict[Speaker, list[int]] = {one: [] for one in waiting}
    waiting.reverse()
    while waiting or batch.speakers:
        while waiting and batch.free:
            batch.admit(waiting.pop())
        for one in batch.step():
            said[one.speaker].append(one.token)
        batch.dismiss({one for one in batch.speakers if len(said[one]) == tokens})
    return list(said.values())


def theirs(model: ApertusForCausalLM, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    """All answers, one after the other."""
    return [
        model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )[0, len(prompt) :].tolist()
        for prompt in prompts
    ]


def timed(name: str, run: Callable[[], list[list[int]]], tokens: int) -> tuple[float, list[list[int]]]:
    """Run it and print its speed; returns tokens a second of CPU time, and the answers."""
    before, start = _cpu(), time.perf_counter()
    answers = run()
    wall, cpu = time.perf_counter() - start, _cpu() - before
    count = sum(map(len, answers))
    if any(len(answer) != tokens for answer in answers):
        raise SystemExit(f"{name}: an answer has not {tokens} tokens")
    print(f"{name:40} {count / wall:8.1f} tokens/s   {count / cpu:8.1f} tokens/CPU s", flush=True)
    return count / cpu, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = Apertus(SHAPE)
    initialise(model, 1)
    model.requires_grad_(requires_grad=False)
    peer = ApertusForCausalLM(ApertusConfig(**config_json(SHAPE, dtype="float32", bos=1, eos=2, pad=3))).eval()
    peer.load_state_dict(model.state_dict(), strict=False)
    generator = torch.Generator().manual_seed(1)
    prompts = [
        torch.randint(4, SHAPE.vocabulary, (40 + 160 * place // given.requests,), generator=generator).tolist()
        for place in range(given.requests)
    ]
    ours(model, prompts[:2], 4, 2)  # compiles kernels
    theirs(peer, prompts[:1], 4)
    together, answers = timed("eight at once", lambda: ours(model, prompts, given.tokens, 8), given.tokens)
    alone, again = timed("one after the other", lambda: ours(model, prompts, given.tokens, 1), given.tokens)
    peers, others = timed(
        "transformers, one after the other", lambda: theirs(peer, prompts, given.tokens), given.tokens
    )
    same = sum(one == two for one, two in zip(answers, again, strict=True))
    equal = sum(one == two for one, two in zip(again, others, strict=True))
    print(f"by CPU time: at once / one after the other {together / alone:.2f}x", end="; ")
    print(f"at once / transformers {together / peers:.2f}x")
    print(f"answers that are the same: {same} of {len(answers)} in both of ours, {equal} beside transformers")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
