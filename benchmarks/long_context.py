"""A small model on a CPU learns to find facts at 512 tokens, and phases extend it to 4,096.

The corpora are lessons of `trainer/probes/lessons.py`, written as Megatron's token data and imported. The model is
trained at 512 tokens, words first, then facts in filler; then `lauter train --phase` takes weights and moments over to
1,024, 2,048 and 4,096 tokens, each with a larger theta. `lauter probe` asks it before and after, and asks a model that
got the phases' tokens at 512 with the first theta instead. Everything is drawn from one seed.

    python benchmarks/long_context.py [--plot docs/long-context.png]
    python benchmarks/long_context.py --before 256 --after 1024 --share 0.5    # shorter
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lauter.trainer.generate.tokenizer import TextTokenizer

Ids = list[int]

SEED = 28
VOCABULARY = 1024
BOS, EOS = 1, 2
TASKS = ("single",)
THETA = 1_000
"""Of the first training. A pair of dimensions turns once in 2 pi theta tokens at the slowest."""
MODEL = {"preset": "tiny", "layers": 2, "hidden": 64, "feed_forward": 128, "heads": 2, "kv_heads": 2, "head_dim": 32}
WORDS = 8
"""Keys, and values. With 64 of each the model never learns to look one up (trainer/probes/lessons.py)."""
PAIRS, FACTS, PHASE = 1_200_000, 400_000, 300_000
"""Tokens of the lessons without text, of facts at each length up to the first training's, and of each phase."""
SHORT = 96
"""Length of the first facts: the less filler, the more of the loss is on answers."""
NONE = "none"
"""Name of the phase that is none, for comparison."""
STEP = 1024
"""Tokens of a step of the first training: many small steps learn more from as many tokens."""


def tokenizer(folder: Path) -> TextTokenizer:
    """A byte-level BPE in which each word of the probes is one id, in a folder that an import takes."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    from lauter.stages.tokens.pattern import SPLIT
    from lauter.stages.tokens.sealing import BYTE_LETTERS
    from lauter.stages.tokens.training import CONTROLS, SIDECAR
    from lauter.trainer.generate.tokenizer import text_tokenizer
    from lauter.trainer.probes.needle import fact, question
    from lauter.trainer.probes.probe import NOISE
    from lauter.trainer.probes.words import KEYS, VALUES

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(CONTROLS),
        initial_alphabet=list(BYTE_LETTERS),
        show_progress=False,
    )
    texts = [fact(key, value) + question(key) for key in KEYS for value in VALUES]
    made.train_from_iterator([*texts, NOISE, NOISE], trainer)
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(made.to_str())
    (folder / "sidecar.json").write_bytes(SIDECAR.canonical())
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = text_tokenizer(files, bos=BOS, ends=frozenset({EOS}))
    assert all(len(found.encode(f" {word}")) == 2 for word in (*KEYS, *VALUES))
    return found


def write_corpus(folder: Path, made: Iterator[Ids], tokens: int) -> None:
    """Documents until there are so many tokens, as Megatron's token data, imported."""
    from lauter.trainer.indexed.importing import import_tokens
    from lauter.trainer.indexed.writing import MegatronWriter

    prefix = folder.with_name(f"{folder.name}-megatron")
    writer = MegatronWriter(prefix, VOCABULARY)
    while tokens > 0:
        ids = [BOS, *next(made), EOS]
        writer.write(np.array(ids, np.uint32), np.array([len(ids)], np.int64))
        tokens -= len(ids)
    writer.close()
    import_tokens([prefix], folder, folder.with_name("tokenizer"), language="eng_Latn", tokens_per_row_group=1 << 18)


def lengths_of(before: int, after: int) -> list[int]:
    """The phases', each twice the one before.

    >>> lengths_of(512, 4096)
    [1024, 2048, 4096]
    """
    return [before << power for power in range(1, (after // before).bit_length())]


def write_corpora(folder: Path, before: int, after: int, share: float) -> None:
    """One for each number of words and for each length, a tenth more than is read of it."""
    from lauter.trainer.probes.lessons import facts, pairs
    from lauter.trainer.probes.probe import NOISE

    made = tokenizer(folder / "tokenizer")

    @cache
    def ids(text: str) -> tuple[int, ...]:
        return tuple(made.encode(text)[1:])

    def encode(text: str) -> Ids:
        return list(ids(text))

    def endless(lesson: Callable[[random.Random], Ids], name: str) -> Iterator[Ids]:
        generator = random.Random(f"{SEED}\0{name}")
        while True:
            yield lesson(generator)

    def wordy(generator: random.Random) -> Ids:
        return pairs(encode, WORDS, generator)

    def long(length: int) -> Callable[[random.Random], Ids]:
        filler = encode(NOISE)
        return lambda generator: facts(encode, filler, length - 2, WORDS, generator)

    write_corpus(folder / "words", endless(wordy, "words"), int(PAIRS * share * 1.2) + 2 * before)
    longer = lengths_of(before, after)
    # The comparison reads the phases' tokens at the first length.
    for length in (*begun(before), *longer):
        tokens = (FACTS + PHASE * len(longer) if length == before else max(FACTS, PHASE)) * share
        write_corpus(
            folder / f"facts-{length}", endless(long(length), f"facts of {length}"), int(tokens * 1.2) + 2 * length
        )


def begun(before: int) -> list[int]:
    """Lengths of the facts of the first training.

    >>> begun(512)
    [96, 256, 512]
    """
    return [SHORT, before // 2, before]


def config(before: int, after: int, share: float, rate: float) -> dict[str, Any]:
    """The training at the first length, and its phases."""
    longer = lengths_of(before, after)
    first, each = int(share * (PAIRS + FACTS * len(begun(before)))), int(share * PHASE)
    stages: list[dict[str, Any]] = [{"name": "words", "tokens": int(share * PAIRS), "streams": {"words/main": 1}}]

    def only(length: int) -> dict[str, Any]:
        return {"name": f"facts-{length}", "streams": {f"facts-{length}/main": 1}}

    phases = []
    for number, length in enumerate(longer, 1):
        sequences = max(2 * STEP // length, 1)
        phases.append(
            {
                "name": f"{length}",
                "tokens": each,
                "model": {"positions": length, "rope_theta": THETA * 4**number},
                "data": {"sequence_length": length, "stages": [only(length)]},
                "batch": {"sequences": sequences, "micro": sequences},
                "optimizer": {"learning_rate": rate / 2},
                "schedule": {"warmup_tokens": each // 20, "cooldown_tokens": each // 2},
            }
        )
    stages += [{**only(length), "tokens": int(share * FACTS)} for length in begun(before)[:-1]]
    names = ["words", *(f"facts-{length}" for length in (*begun(before), *longer))]
    return {
        "name": "long-context",
        "seed": SEED,
        "precision": "fp32",
        "model": {**MODEL, "positions": before, "rope_theta": THETA, "init_std": 0.03},
        "data": {
            "corpora": [{"path": name} for name in names],
            "sequence_length": before,
            "packing": "best-fit",
            "stages": [*stages, only(before)],
        },
        "optimizer": {"name": "adamw", "learning_rate": rate, "beta2": 0.95, "clip": 1.0},
        "schedule": {"total_tokens": first, "warmup_tokens": 50 * STEP, "cooldown_tokens": first // 4},
        "batch": {"sequences": STEP // before, "micro": STEP // before},
        "checkpoint": {"every_steps": 100_000, "keep": 1},
        "metrics": {"every_steps": 50, "peak_flops": 1e12},
        "phases": phases,
    }


def without_phase(content: dict[str, Any]) -> dict[str, Any]:
    """The same with one phase that has the tokens of all, and changes neither length nor theta."""
    tokens = sum(phase["tokens"] for phase in content["phases"])
    schedule = {"warmup_tokens": tokens // 20, "cooldown_tokens": tokens // 2}
    data = {"stages": content["data"]["stages"][-1:]}
    phase = {"name": NONE, "tokens": tokens, "data": data, "schedule": schedule}
    return {**content, "phases": [{**phase, "optimizer": content["phases"][0]["optimizer"]}]}


def lauter(*words: str) -> str:
    """What a command of this installation says; its errors go on to ours."""
    command = [str(Path(sys.executable).with_name("lauter")), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def ask(run: Path, lengths: list[int], count: int) -> dict[str, Any]:
    """Task -> length -> scores of a run's last checkpoint."""
    asked = ("--lengths", ",".join(map(str, lengths)), "--tasks", ",".join(TASKS), "--count", str(count))
    found: dict[str, Any] = json.loads(lauter("probe", str(run), *asked, "--words", str(WORDS), "--json"))
    return found


def plot(told: Mapping[str, Mapping[str, Any]], before: int, path: Path) -> None:
    """Shares of right answers over the length, a line for each model."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, parts = pyplot.subplots(1, len(TASKS), figsize=(6, 3.6), sharey=True, squeeze=False)
    for part, task in zip(parts[0], TASKS, strict=True):
        for (name, found), style in zip(told.items(), ("o--", "s:", "o-"), strict=True):
            lengths = [int(length) for length in found[task]]
            part.plot(lengths, [one["exact"] for one in found[task].values()], style, label=name)
        part.set_xscale("log", base=2)
        part.set_xticks(lengths, [f"{length:,}" for length in lengths])
        part.axvline(before, color="grey", lw=0.5)
        part.set_ylim(-0.03, 1.03)
        part.set_title(task)
        part.set_xlabel("length in tokens")
    parts[0][0].set_ylabel("share of answers that are right")
    parts[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("out/long-context"))
    parser.add_argument("--before", type=int, default=512, help="length of the first training: 256, 512 or 1,024")
    parser.add_argument("--after", type=int, default=4096, help="length of the last phase, a power of two times it")
    parser.add_argument("--share", type=float, default=1.0, help="of all numbers of tokens")
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--count", type=int, default=8, help="probes for each task, length and depth")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    before, after = options.before, options.after
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    write_corpora(options.out, before, after, options.share)
    path, none, run = (options.out / name for name in ("config.yaml", "none.yaml", "run"))
    content = config(before, after, options.share, options.rate)
    for file, one in ((path, content), (none, without_phase(content))):
        # JSON is YAML.
        file.write_text(json.dumps(one, indent=1))
    lengths = [before // 2, before, *lengths_of(before, after)]
    told = {}
    lauter("train", str(path), "--out", str(run))
    told[f"trained at {before:,}"] = ask(run, lengths, options.count)
    lauter("train", str(none), "--out", str(run), "--phase", NONE)
    told[f"as many tokens more at {before:,}"] = ask(run / "phases" / NONE, lengths, options.count)
    for length in lengths_of(before, after):
        lauter("train", str(path), "--out", str(run), "--phase", str(length))
    told[f"phases to {after:,}"] = ask(run / "phases" / str(after), lengths, options.count)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"{sum(one.ru_utime + one.ru_stime for one in used) / 60:.1f} CPU minutes")
    for name, found in told.items():
        for task in TASKS:
            shares = "  ".join(f"{length:,}: {found[task][str(length)]['exact']:.0%}" for length in lengths)
            print(f"{name:<30}{task:<11}{shares}")
    (options.out / "probes.json").write_text(json.dumps(told, indent=1))
    if options.plot:
        plot(told, before, options.plot)


if __name__ == "__main__":
    main()
