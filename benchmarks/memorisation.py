"""What a small model recites of planted texts, by how often they stood in its corpus: Goldfish off, and both hashes.

Passages of kept English pages are planted 1, 2, 4, … 128 times (and never, as controls) among other pages, with
canaries beside them; `lauter build` makes the corpus as it makes any. The same model is trained on it three times, for
one epoch: without Goldfish, with the hash that Apertus ran, and with ours. Then the memorisation test of `lauter eval`
asks each for the passages. Weights, order and everything drawn are the same in the three.

    lauter build benchmarks/all_pages.yaml --out out/all-pages
    python benchmarks/memorisation.py [out/all-pages] [--plot docs/memorisation.png]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lauter.trainer.memorisation.measure import Memorised

SEED = 28
REPETITIONS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
PREFIX, SUFFIX = 50, 200
"""Tokens. Goldfish never leaves out one of the first h - 1 = 49 of a document: the prefix hides nothing."""
WORDS = 120
"""Of a passage: 250 tokens and more of this vocabulary."""
LENGTH = 768
"""Of a sequence: two passages fill it. Best-fit packing cuts none."""
FORM = "The number of the key is {}."
RUNS: Mapping[str, dict[str, Any] | None] = {
    "off": None,
    "apertus": {"hash": "apertus", "k": 50, "h": 50},
    "mixed": {"hash": "mixed", "k": 50, "h": 50},
}
NAMES = {"off": "Goldfish off", "apertus": "apertus hash", "mixed": "mixed hash"}
COLOURS = {"off": "#b3432b", "apertus": "#c9a227", "mixed": "#2b6cb3"}


def english(corpus: Path) -> list[str]:
    """Kept English texts of a finished run, without those that name a control token."""
    from lauter.stages.tokens.training import CONTROLS

    found: list[str] = []
    for path in sorted((corpus / "documents").rglob("*.parquet")):
        table = pq.read_table(path, columns=["text", "language"]).to_pydict()
        pairs = zip(table["text"], table["language"], strict=True)
        found += [text for text, language in pairs if language == "eng_Latn"]
    return [text for text in sorted(set(found)) if not any(control in text for control in CONTROLS)]


def write_inputs(texts: Sequence[str], folder: Path, per_bucket: int, characters: int) -> None:
    """Background, passages and canaries as the files of a manifest; no page is in two of them."""
    from lauter.stages.read.probes.passages import passages

    folder.mkdir(parents=True)
    shuffled = list(texts)
    random.Random(SEED).shuffle(shuffled)
    # A page gives one passage at most, as a page's boilerplate would come with each of its passages.
    sources: dict[str, str] = {}
    cut = 0
    while len(sources) < per_bucket * len(REPETITIONS):
        if len(shuffled[cut].split()) >= WORDS:
            sources[f"page-{cut}"] = " ".join(shuffled[cut].split()[-WORDS:])
        cut += 1
    made = passages(sources, WORDS, per_bucket, REPETITIONS, SEED)
    lines = [json.dumps(one.model_dump(), ensure_ascii=False) for one in made]
    (folder / "passages.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    canaries = [
        {"bucket": f"canary-{times}", "count": per_bucket, "repetitions": times, "length": 10, "form": FORM}
        for times in REPETITIONS
    ]
    (folder / "canaries.yaml").write_text(yaml.safe_dump({"canaries": canaries}))
    held = 0
    with (folder / "pages.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(shuffled[cut:]):
            if held >= characters:
                break
            file.write(json.dumps({"id": str(number), "text": text[:6000]}, ensure_ascii=False) + "\n")
            held += min(len(text), 6000)
    manifest = {
        "name": "memorisation",
        "seed": SEED,
        "sources": [
            {"name": "pages", "kind": "jsonl", "paths": ["pages.jsonl"]},
            {"name": "probes", "kind": "probes", "paths": ["passages.jsonl", "canaries.yaml"]},
        ],
        "stages": ["normalise"],
        "tokenizer": {"tokenizer": "tokenizer/tokenizer.json", "sidecar": "tokenizer/sidecar.json"},
        "sharding": {"cells": 256},
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))


def config(corpus: Path, goldfish: dict[str, Any] | None, arguments: argparse.Namespace) -> dict[str, Any]:
    """One epoch of a small model: all windows once, so that what stands n times is read n times."""
    tokens = windows(corpus) * LENGTH
    return {
        "name": "memorisation",
        "seed": SEED,
        "precision": "fp32",
        "model": {
            "preset": "nano",
            "layers": arguments.layers,
            "hidden": arguments.hidden,
            "feed_forward": 3 * arguments.hidden,
            "heads": arguments.hidden // 64,
            "kv_heads": arguments.hidden // 64,
            "head_dim": 64,
            "positions": LENGTH,
            "rope_theta": 10_000,
        },
        "data": {
            "corpora": [{"path": str(corpus)}],
            "sequence_length": LENGTH,
            "packing": "best-fit",
            **({"goldfish": goldfish} if goldfish else {}),
        },
        "optimizer": {
            "name": "adamw",
            "learning_rate": arguments.rate,
            "beta2": 0.95,
            "warmup_steps": 0,
            "weight_decay": 0.0,
            "clip": 1.0,
        },
        "schedule": {"total_tokens": tokens, "warmup_tokens": tokens // 30, "cooldown_tokens": tokens // 4},
        "batch": {"sequences": arguments.sequences, "micro": arguments.sequences},
        "checkpoint": {"every_steps": 100_000, "keep": 1},
        "metrics": {"every_steps": 10, "peak_flops": 1e12},
    }


def windows(corpus: Path) -> int:
    """How many sequences the corpus makes."""
    from lauter.pipeline.storage import Storage
    from lauter.trainer.config.sections import CorpusSection, DataSection
    from lauter.trainer.data.corpus import open_corpora
    from lauter.trainer.data.stored_windows import store_windows

    opened = open_corpora(DataSection(corpora=(CorpusSection(path=str(corpus)),)))
    streams = {stream.stored_name: stream for stream in opened.streams.values()}
    return store_windows(Storage(str(corpus)), opened.provenance[0]["lineage"], streams, LENGTH)


def measure(run: Path, corpus: Path) -> Memorised:
    """The memorisation test on a run's last checkpoint."""
    import torch

    from lauter.pipeline.cli.planted import planted_at
    from lauter.trainer.evaluate.subject import open_subject
    from lauter.trainer.memorisation.measure import Wish, memorisation

    subject = open_subject(str(run), torch.float32)
    planted, _ = planted_at(str(corpus))
    return memorisation(subject.model, subject.tokenizer, planted, Wish(PREFIX, SUFFIX))


def left_whole(corpus: Path, most: int = 2_000_000) -> dict[str, tuple[float, float]]:
    """Hash -> share of suffixes without any label left out, and share of labels left out, over a corpus's documents.

    Suffixes of `SUFFIX` tokens one after the other, behind the first `PREFIX` of a document; each document once.
    """
    from lauter.trainer.config.sections import CorpusSection, DataSection, GoldfishSection
    from lauter.trainer.data.corpus import open_corpora
    from lauter.trainer.loss.goldfish import dropped

    opened = open_corpora(DataSection(corpora=(CorpusSection(path=str(corpus)),)))
    documents: dict[bytes, NDArray[np.uint32]] = {}
    held = 0
    for stream in opened.streams.values():
        for group in range(len(stream.places())):
            rows = stream.read(group) if held < most else None
            for tokens in [] if rows is None else np.split(rows.tokens, rows.offsets[1:-1]):
                documents[tokens.tobytes()] = tokens
                held += len(tokens)
    found = {}
    for name in ("apertus", "mixed"):
        section = GoldfishSection(hash=name, k=50, h=50)
        whole, left_out = [], []
        for tokens in documents.values():
            out = dropped(tokens, np.zeros(1, np.int64), section)
            starts = range(1 + PREFIX, len(out) - SUFFIX, SUFFIX)
            whole += [not out[start : start + SUFFIX].any() for start in starts]
            left_out.append(out[section.h - 1 :])
        found[name] = float(np.mean(whole)), float(np.concatenate(left_out).mean())
    return found


def plot(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Three curves: Rouge-L of greedy continuations by repetitions."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.6))
    for name, one in found.items():
        curve = {int(times): figures["rouge_l"] for times, figures in one["recall"]["greedy"].items()}
        seen = [times for times in sorted(curve) if times]
        axes.plot(seen, [curve[times] for times in seen], marker="o", color=COLOURS[name], label=NAMES[name])
        axes.axhline(curve[0], color=COLOURS[name], linewidth=1, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_xticks([times for times in REPETITIONS if times])
    axes.set_xticklabels([str(times) for times in REPETITIONS if times])
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("times that a passage stood in the corpus (dotted: passages that never did)")
    axes.set_ylabel(f"Rouge-L of {SUFFIX} tokens after a prefix of {PREFIX}")
    axes.set_title("What a small model recites after one epoch, greedy")
    axes.legend(loc="upper left", frameon=False)
    axes.grid(visible=True, alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def show(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Rouge-L, longest run and exposure by repetitions."""
    for decoding in ("greedy", "nucleus"):
        print(f"{decoding}: Rouge-L / longest common run / recited, by repetitions")
        for name, one in found.items():
            cells = [
                f"{times}: {figures['rouge_l']:.2f}/{figures['lccs']:.2f}/{figures['recited']}"
                for times, figures in one["recall"][decoding].items()
            ]
            print(f"  {NAMES[name]:<14}", "  ".join(cells))
    print("exposure of canaries in bits (extrapolated)")
    for name, one in found.items():
        cells = [
            f"{times}: {figures['exposure']:.1f} ({figures['extrapolated']:.1f})"
            for times, figures in one["exposure"].items()
        ]
        print(f"  {NAMES[name]:<14}", "  ".join(cells))


def lauter(*words: str) -> None:
    subprocess.run([str(Path(sys.executable).with_name("lauter")), *words], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=Path("out/all-pages"))
    parser.add_argument("--out", type=Path, default=Path("out/memorisation"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--runs", default=",".join(RUNS))
    parser.add_argument("--per-bucket", type=int, default=3)
    parser.add_argument("--characters", type=int, default=180_000, help="of other pages")
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--sequences", type=int, default=3, help="of a step")
    parser.add_argument("--rate", type=float, default=3e-3)
    arguments = parser.parse_args()
    inputs, corpus = arguments.out / "inputs", arguments.out / "corpus"
    if not (inputs / "tokenizer").exists():  # Made last.
        write_inputs(english(arguments.corpus), inputs, arguments.per_bucket, arguments.characters)
        vocabulary = str(arguments.vocabulary)
        lauter(
            "tokenizer", "train", str(arguments.corpus), "--out", str(inputs / "tokenizer"), "--vocabulary", vocabulary
        )
    lauter("build", str(inputs / "corpus.yaml"), "--out", str(corpus))
    found = {}
    for name in arguments.runs.split(","):
        run = arguments.out / name
        content = config(corpus.resolve(), RUNS[name], arguments)
        (arguments.out / f"{name}.yaml").write_text(yaml.safe_dump(content))
        started = time.process_time(), time.perf_counter()
        lauter("train", str(arguments.out / f"{name}.yaml"), "--out", str(run))
        trained = time.perf_counter() - started[1]
        found[name] = measure(run, corpus).to_json()
        (arguments.out / f"{name}.json").write_text(json.dumps(found[name], indent=1))
        print(f"{name}: trained in {trained:.0f} s, asked in {time.process_time() - started[0]:.0f} CPU s", flush=True)
    show(found)
    print(f"suffixes of {SUFFIX} tokens that lose no label, and labels that are left out")
    for title, one in (("this corpus", corpus), (str(arguments.corpus), arguments.corpus)):
        cells = [f"{NAMES[name]} {whole:.1%}, {rate:.2%}" for name, (whole, rate) in left_whole(one).items()]
        print(f"  {title:<20}", "; ".join(cells))
    if arguments.plot:
        plot(found, arguments.plot)


if __name__ == "__main__":
    main()
