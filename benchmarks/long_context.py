"""A small model on a CPU learns to find facts at 512 tokens, and a phase extends it to 4,096.

The corpus is text in which facts stand ("Remember: apple river."), that are asked for at the end, beside plain text; it
is written as Megatron's token data and imported, one corpus of short documents and one of long ones. The model is
trained at 512 tokens, then `lauter train --phase` takes weights and moments over to 1,024, 2,048 and 4,096 tokens, each
with a larger theta. The probes of `lauter probe` are asked before and after; the text that they hide facts in was never
trained on. Everything is drawn from one seed.

    lauter build manifests/quickstart.yaml --out out/quickstart
    python benchmarks/long_context.py [out/quickstart] [--plot docs/long-context.png]
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lauter.trainer.generate.tokenizer import TextTokenizer

Ids = list[int]
Encode = Callable[[str], Ids]

SEED = 28
VOCABULARY = 512
BOS, EOS = 1, 2
HELD_OUT = 5
"""One text in so many is kept for the probes."""
MOST_FACTS = 24
TASKS = ("single", "multi-key", "multi-value")
LENGTHS = (256, 512, 1024, 2048, 4096)
PHASES: tuple[dict[str, Any], ...] = (
    {"name": "1k", "length": 1024, "theta": 40_000, "share": 1 / 8},
    {"name": "2k", "length": 2048, "theta": 160_000, "share": 1 / 8},
    {"name": "4k", "length": 4096, "theta": 640_000, "share": 1 / 4},
)
"""Each quadruples theta for twice the length, as Apertus did from 4,096 on, and takes a share of the first training."""


def english(corpus: Path) -> list[str]:
    """Kept texts of a finished run."""
    import pyarrow.parquet as pq

    from lauter.stages.tokens.training import CONTROLS

    found: list[str] = []
    for path in sorted((corpus / "documents").rglob("*.parquet")):
        table = pq.read_table(path, columns=["text", "language"]).to_pydict()
        pairs = zip(table["text"], table["language"], strict=True)
        found += [text for text, language in pairs if language == "eng_Latn"]
    # Those with a name of a control token, such as that of a removed address, can't be encoded as plain text.
    return [text for text in found if not any(control in text for control in CONTROLS)]


def tokenizer(texts: list[str], folder: Path) -> TextTokenizer:
    """A byte-level BPE in which each word of the probes is one id, in a folder that an import takes."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    from lauter.stages.tokens.pattern import SPLIT
    from lauter.stages.tokens.sealing import BYTE_LETTERS
    from lauter.stages.tokens.training import CONTROLS, SIDECAR
    from lauter.trainer.generate.tokenizer import text_tokenizer
    from lauter.trainer.probes.needle import fact, question
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
    facts = [fact(key, value) + question(key) for key in KEYS for value in VALUES] * 4
    made.train_from_iterator([*texts, *facts], trainer)
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(made.to_str())
    (folder / "sidecar.json").write_bytes(SIDECAR.canonical())
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return text_tokenizer(files, bos=BOS, ends=frozenset({EOS}))


def documents(encode: Encode, text: Ids, length: int, tokens: int, generator: random.Random) -> Iterator[Ids]:
    """Of at most `length` tokens each, `tokens` together: plain text, facts in text, and facts without any between."""
    done = 0
    while done < tokens:
        kind = generator.random()
        if kind < 0.1:
            size = generator.randrange(length // 4, length - 2)
            start = generator.randrange(len(text) - size)
            found = [BOS, *text[start : start + size], EOS]
        else:
            found = _with_facts(encode, text, length, generator, filled=kind < 0.5)
        done += len(found)
        yield found


def _with_facts(encode: Encode, text: Ids, length: int, generator: random.Random, *, filled: bool) -> Ids:
    """Facts, then a question for each in an order of chance, or the fact once more."""
    from lauter.trainer.probes.needle import fact, question
    from lauter.trainer.probes.words import KEYS, VALUES

    count = generator.randrange(2, MOST_FACTS + 1)
    pairs = list(zip(generator.sample(KEYS, count), generator.choices(VALUES, k=count), strict=True))
    facts = [encode(fact(key, value)) for key, value in pairs]
    generator.shuffle(pairs)
    again = generator.random() < 0.5
    asked = [encode(fact(*pair) if again else f"{question(pair[0])} {pair[1]}.") for pair in pairs]
    fixed = 2 + sum(map(len, facts)) + sum(map(len, asked))
    room = generator.randrange(max(length - fixed, 1)) if filled else 0
    start = generator.randrange(len(text) - room)
    cuts = [0, *sorted(generator.randrange(room + 1) for _ in facts), room]
    found = [BOS]
    for number, one in enumerate(facts):
        found += [*text[start + cuts[number] : start + cuts[number + 1]], *one]
    found += text[start + cuts[-2] : start + room]
    for one in asked:
        found += one
    return [*found, EOS][:length]


def write_corpus(folder: Path, tokenizer_folder: Path, made: Iterator[Ids]) -> None:
    """As Megatron's token data, imported."""
    from lauter.trainer.indexed.importing import import_tokens
    from lauter.trainer.indexed.writing import MegatronWriter

    prefix = folder.with_name(f"{folder.name}-megatron")
    writer = MegatronWriter(prefix, VOCABULARY)
    for ids in made:
        writer.write(np.array(ids, np.uint32), np.array([len(ids)], np.int64))
    writer.close()
    import_tokens([prefix], folder, tokenizer_folder, language="eng_Latn", tokens_per_row_group=1 << 18)


def config(tokens: int, rate: float) -> dict[str, Any]:
    """The training at 512 tokens, and its phases."""
    total = {"total_tokens": tokens, "warmup_tokens": tokens // 20}
    phases = []
    for phase in PHASES:
        length = phase["length"]
        sequences = max(8192 // length, 2)
        stage = {"name": phase["name"], "streams": {"long/main": 0.8, "short/main": 0.2}}
        phases.append(
            {
                "name": phase["name"],
                "tokens": int(tokens * phase["share"]),
                "model": {"positions": length, "rope_theta": phase["theta"]},
                "data": {"sequence_length": length, "stages": [stage]},
                "batch": {"sequences": sequences, "micro": sequences},
                "schedule": {"warmup_tokens": int(tokens * phase["share"]) // 10},
            }
        )
    return {
        "name": "long-context",
        "seed": SEED,
        "precision": "fp32",
        "model": {
            "preset": "nano",
            "layers": 2,
            "hidden": 128,
            "feed_forward": 256,
            "heads": 2,
            "kv_heads": 2,
            "head_dim": 64,
            "positions": 512,
            "rope_theta": 10_000,
        },
        "data": {
            "corpora": [{"path": "short"}, {"path": "long"}],
            "sequence_length": 512,
            "packing": "best-fit",
            "stages": [{"name": "short", "streams": {"short/main": 1}}],
        },
        "optimizer": {
            "name": "ademamix",
            "learning_rate": rate,
            "beta2": 0.95,
            "beta3": 0.98,
            "alpha": 2,
            "warmup_steps": 0,
            "clip": 1.0,
        },
        "schedule": total,
        "batch": {"sequences": 8, "micro": 8},
        "checkpoint": {"every_steps": 1000, "keep": 1},
        "metrics": {"every_steps": 20, "peak_flops": 1e12},
        "phases": phases,
    }


def ask(run: Path, filler: str, count: int) -> dict[str, Any]:
    """Task -> length -> scores of a run's last checkpoint."""
    import torch

    from lauter.trainer.checkpoint.read import open_checkpoint
    from lauter.trainer.generate.load import load_model, tokenizer_of
    from lauter.trainer.probes.run import probe
    from lauter.trainer.probes.score import to_json

    checkpoint = open_checkpoint(run)
    model = load_model(checkpoint, torch.float32)
    found = probe(model, tokenizer_of(checkpoint), tasks=TASKS, lengths=LENGTHS, count=count, seed=SEED, text=filler)
    return to_json(found)


def plot(told: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Shares of right answers over the length, before and after."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, parts = pyplot.subplots(1, len(TASKS), figsize=(11, 3.6), sharey=True)
    for part, task in zip(parts, TASKS, strict=True):
        for (name, found), style in zip(told.items(), ("o--", "o-"), strict=True):
            shares = [found[task][str(length)]["exact"] for length in LENGTHS]
            part.plot(LENGTHS, shares, style, label=name)
        part.set_xscale("log", base=2)
        part.set_xticks(LENGTHS, [f"{length:,}" for length in LENGTHS])
        part.axvline(512, color="grey", lw=0.5)
        part.set_ylim(-0.03, 1.03)
        part.set_title(task)
        part.set_xlabel("length in tokens")
    parts[0].set_ylabel("share of answers that are right")
    parts[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path, nargs="?", default=Path("out/quickstart"), help="a run folder")
    parser.add_argument("--out", type=Path, default=Path("out/long-context"))
    parser.add_argument("--tokens", type=float, default=12e6, help="of the training at 512")
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--count", type=int, default=10, help="probes for each task, length and depth")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if not options.corpus.is_dir():
        print(f"{options.corpus} is not there, nothing measured; the head of this file says how to build it")
        return
    tokens = int(options.tokens)
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    texts = english(options.corpus)
    held, trained = texts[::HELD_OUT], [text for at, text in enumerate(texts) if at % HELD_OUT]
    made = tokenizer(trained, options.out / "tokenizer")

    def encode(text: str) -> Ids:
        return made.encode(text)[1:]

    text, generator = [one for part in trained for one in encode(part)], random.Random(SEED)
    for name, length, share in (("short", 512, 1.1), ("long", 4096, 0.5)):
        write_corpus(
            options.out / name,
            options.out / "tokenizer",
            documents(encode, text, length, int(tokens * share), generator),
        )
    path = options.out / "config.yaml"
    # JSON is YAML.
    path.write_text(json.dumps(config(tokens, options.rate), indent=1))
    command = [str(Path(sys.executable).with_name("lauter")), "train", str(path), "--out", str(options.out / "run")]
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    told = {"trained at 512": ask(options.out / "run", "\n".join(held), options.count)}
    for phase in PHASES:
        subprocess.run([*command, "--phase", str(phase["name"])], check=True)
    last = options.out / "run" / "phases" / str(PHASES[-1]["name"])
    told["after the phases to 4,096"] = ask(last, "\n".join(held), options.count)
    print(
        f"{tokens:,} tokens at 512, then {[phase['length'] for phase in PHASES]}; {time.perf_counter() - begun:,.0f} s"
    )
    for name, found in told.items():
        for task in TASKS:
            shares = "  ".join(f"{length:,}: {found[task][str(length)]['exact']:.0%}" for length in LENGTHS)
            print(f"{name:<28}{task:<12}{shares}")
    (options.out / "probes.json").write_text(json.dumps(told, indent=1))
    if options.plot:
        plot(told, options.plot)


if __name__ == "__main__":
    main()
