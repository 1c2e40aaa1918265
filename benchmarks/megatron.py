"""Token files for other trainers, per core: Lauter beside datatrove, which Apertus made its files with.

From text: web pages to Megatron's `.bin` and `.idx`, and to nanotron's flat `.ds`, BOS and EOS around each document.
datatrove's MegatronDocumentTokenizer and DocumentTokenizer (which shuffles nothing here) do the same; all files are
equal to the byte (checked). Writing alone: Lauter's export of a corpus of token shards, which reads Parquet and digests
what it writes, beside datatrove's MegatronTokenizedFile over lists of ids that lie in memory. Seconds are CPU seconds
of the process, the best of `PASSES`.

    python benchmarks/megatron.py         needs the extra `bench`; texts are found through LAUTER_TEST_DATA
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datatrove.pipeline.tokens.megatron_tokenizer import MegatronTokenizedFile
from peers import token_files  # type: ignore[import-not-found]

from lauter.pipeline.contract import StageContext
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from lauter.trainer.config.sections import CorpusSection
from lauter.trainer.data.run_folder import open_run_folder
from lauter.trainer.indexed.export import export_tokens
from lauter.trainer.indexed.importing import import_tokens
from lauter.trainer.indexed.writing import FlatWriter, MegatronWriter, Writer

PASSES = 2
BATCH = 1_000
TEXT_BYTES = 6_000_000
TIMES = 16
"""How often the documents are repeated where only writing is measured."""
IDS = 131_072
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")

Form = Literal["megatron", "flat"]
ENDS: dict[Form, tuple[str, ...]] = {"megatron": (".bin", ".idx"), "flat": (".ds", ".ds.index")}


def web() -> list[str]:
    with gzip.open(DATA / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = sorted({text for line in lines if (text := json.loads(line)["gt"].get("text"))})
    size = np.cumsum([len(text.encode()) for text in texts])
    return texts[: int(np.searchsorted(size, TEXT_BYTES))]


def opened() -> HuggingFaceEncoder:
    encoder = HuggingFaceEncoder(TokenizerConfig(), StageContext())
    encoder.open()
    return encoder


def ours(encoder: HuggingFaceEncoder, texts: list[str], prefix: Path, form: Form) -> None:
    writer: Writer = MegatronWriter(prefix, IDS) if form == "megatron" else FlatWriter(prefix, IDS, "tekken")
    for first in range(0, len(texts), BATCH):
        rows = encoder.encode(pa.array(texts[first : first + BATCH], pa.large_string()), None)
        writer.write(rows.flatten().to_numpy(), pc.list_value_length(rows).to_numpy().astype(np.int64))
    writer.close()


def measure(run: Callable[[int], None]) -> float:
    best = float("inf")
    for number in range(PASSES):
        start = time.process_time()
        run(number)
        best = min(best, time.process_time() - start)
    return best


def from_text(folder: Path, texts: list[str]) -> None:
    files = opened().files()
    tokenizer = token_files.tokenizer_file(folder, files["tokenizer.json"], "<s>", "</s>")
    for form in ENDS:
        # A new encoder each time: word caches would serve a second pass.
        encoders = [opened() for _ in range(PASSES)]
        seconds = measure(
            lambda number, form=form, encoders=encoders: ours(  # type: ignore[misc]
                encoders[number], texts, folder / f"ours-{form}-{number}", form
            )
        )
        theirs = [folder / f"theirs-{form}-{number}" for number in range(PASSES)]
        peer = measure(
            lambda number, form=form, theirs=theirs: token_files.write(  # type: ignore[misc]
                texts, tokenizer, theirs[number], form
            )
        )
        name = "00000_tokens" if form == "megatron" else "00000_unshuffled"
        if form == "flat":
            name += ".ds"
        equal = all(
            Path(f"{folder / f'ours-{form}-0'}{end}").read_bytes()
            == (theirs[0] / (name + end.removeprefix(".ds"))).read_bytes()
            for end in ENDS[form]
        )
        tokens = Path(f"{folder / f'ours-{form}-0'}{ENDS[form][0]}").stat().st_size // 4
        step = "MegatronDocumentTokenizer" if form == "megatron" else "DocumentTokenizer"
        told = "equal bytes" if equal else "OTHER BYTES"
        print(f"\ntext to {' and '.join(ENDS[form])}: {len(texts)} pages, {tokens:,} tokens")
        print(f"  {'Lauter':36}{tokens / seconds / 1e6:8.2f} M tokens/s")
        print(f"  {'datatrove ' + step:36}{tokens / peer / 1e6:8.2f} M tokens/s", end="")
        print(f"   Lauter is {peer / seconds:.1f} x as fast, {told}")


def writing_alone(folder: Path, texts: list[str]) -> None:
    encoder = opened()
    rows = encoder.encode(pa.array(texts, pa.large_string()), None)
    lengths = np.tile(pc.list_value_length(rows).to_numpy().astype(np.int64), TIMES)
    writer = MegatronWriter(folder / "data", IDS)
    writer.write(np.tile(rows.flatten().to_numpy(), TIMES), lengths)
    writer.close()
    (folder / "tokenizer").mkdir()
    for name, content in encoder.files().items():
        (folder / "tokenizer" / name).write_bytes(content)
    start = time.process_time()
    done = import_tokens([folder / "data"], folder / "corpus", folder / "tokenizer")
    imported = time.process_time() - start
    lists = [ids for _ in range(TIMES) for ids in rows.to_pylist()]

    def export(number: int) -> None:
        export_tokens(open_run_folder(CorpusSection(path=str(folder / "corpus"))), folder / f"out-{number}")

    def peer(number: int) -> None:
        file = MegatronTokenizedFile(str(folder), f"peer-{number}", token_size=4)
        for ids in lists:
            file.write(ids)
        file.close()

    seconds, theirs = measure(export), measure(peer)
    equal = all(
        (folder / f"out-0{end}").read_bytes() == (folder / f"peer-0{end}").read_bytes() for end in ENDS["megatron"]
    )
    shards = sum(path.stat().st_size for path in (folder / "corpus" / "tokens" / "main").iterdir())
    counts = f"{done.documents:,} documents, {done.tokens:,} tokens"
    print(
        f"\nwriting alone: {counts}, {TIMES} times the same ones ({shards / done.tokens:.2f} bytes a token in Parquet)"
    )
    print(f"  {'Lauter, from Parquet, with digests':36}{done.tokens / seconds / 1e6:8.1f} M tokens/s")
    print(f"  {'datatrove MegatronTokenizedFile':36}{done.tokens / theirs / 1e6:8.1f} M tokens/s", end="")
    print(f"   Lauter is {theirs / seconds:.1f} x as fast, {'equal bytes' if equal else 'OTHER BYTES'}")
    print(f"  {'Lauter, import to a corpus':36}{done.tokens / imported / 1e6:8.1f} M tokens/s")


def main() -> None:
    texts = web()
    with tempfile.TemporaryDirectory() as name:
        from_text(Path(name), texts)
        (Path(name) / "alone").mkdir()
        writing_alone(Path(name) / "alone", texts)


if __name__ == "__main__":
    main()
