"""Tokenizing, per core: Lauter beside Hugging Face's tokenizers, tiktoken and datatrove, with two vocabularies.

`tekken` is the embedded one, `apertus` that of `lauter tokenizer build-apertus`, beside the form in which Apertus is
published. All encode the same real texts with equal ids (checked; of the published form, which makes control tokens of
their names in a text, on the texts without such names): web pages, and the Universal Declaration of Human Rights in
about 400 languages. Lauter goes from an Arrow array to an Arrow array, the others from a list of strings to lists of
ids; datatrove's DocumentTokenizer, where it is installed, also writes them to a file. No text comes twice and every
pass has a new encoder, because a second pass would be served from word caches. Seconds are CPU seconds of the process,
the best of `PASSES`.

    python benchmarks/tokens.py [tekken | apertus]    needs `dev`; texts are found through LAUTER_TEST_DATA
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.tokens.apertus import NAMES, build, build_huggingface
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
from lauter.stages.tokens.pattern import LATEX
from lauter.stages.tokens.sealing import BYTE_LETTERS

PASSES = 3
BATCH_BYTES = 16_000_000
DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")

Encode = Callable[[list[str]], list[list[int]]]


def web() -> list[str]:
    with gzip.open(DATA / "ground_truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = (json.loads(line)["gt"].get("text") for line in lines)
        return sorted({text for text in texts if text})


def languages() -> list[str]:
    with pa.CompressedInputStream(pa.OSFile(str(DATA / "language" / "test-udhr.tsv.zst"), "rb"), "zstd") as stream:
        lines = stream.read().decode().splitlines()
    return sorted({line.split("\t", 2)[2] for line in lines})


def batches(texts: list[str]) -> list[list[str]]:
    cut: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if size > BATCH_BYTES:
            cut.append([])
            size = 0
        cut[-1].append(text)
        size += len(text.encode())
    return cut


def lauter(files: dict[str, bytes]) -> Callable[[list[str]], pa.ListArray]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        paths = {"tokenizer": f"{folder}/tokenizer.json", "sidecar": f"{folder}/sidecar.json"}
        encoder = HuggingFaceEncoder(TokenizerConfig.model_validate(paths), StageContext())
        encoder.open()
    return lambda texts: encoder.encode(pa.array(texts, pa.large_string()), None)


def hugging_face(tokenizer: bytes) -> Encode:
    from tokenizers import Tokenizer

    found = Tokenizer.from_str(tokenizer.decode())
    return lambda texts: [encoding.ids for encoding in found.encode_batch(texts, add_special_tokens=False)]


def datatrove(files: dict[str, bytes]) -> Callable[[list[str]], object]:
    from peers import token_files  # type: ignore[import-not-found]

    folder = tempfile.TemporaryDirectory()
    tokenizer = token_files.tokenizer_file(Path(folder.name), files["tokenizer.json"], "<s>", "</s>")

    def encode(texts: list[str]) -> list[list[int]]:
        written = token_files.write(texts, tokenizer, Path(folder.name), "flat")
        ids = np.fromfile(f"{written}.ds", "<u4")
        ends = np.fromfile(f"{written}.ds.index", "<u8").astype(np.int64)
        return [part[1:-1].tolist() for part in np.split(ids, ends[:-1])]

    return encode


def tiktoken() -> Encode:
    import tiktoken

    document = json.loads(HuggingFaceEncoder(TokenizerConfig(), StageContext()).files()["tokenizer.json"])
    byte = {letter: index for index, letter in enumerate(BYTE_LETTERS)}
    ranks = {bytes(map(byte.__getitem__, name)): i for name, i in document["model"]["vocab"].items() if i >= 1000}
    pattern = document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    encoding = tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda texts: [encoding.encode_ordinary(text) for text in texts]


def measure(make: Callable[[], Callable[[list[str]], object]], cut: list[list[str]]) -> tuple[float, list[object]]:
    best = float("inf")
    found: list[object] = []
    for _ in range(PASSES):
        encode = make()
        start = time.process_time()
        found = [encode(texts) for texts in cut]
        best = min(best, time.process_time() - start)
    return best, found


def compare(vocabulary: str) -> None:
    tekken = HuggingFaceEncoder(TokenizerConfig(), StageContext()).files()
    files = tekken if vocabulary == "tekken" else build()
    peers: list[tuple[str, Callable[[], Callable[[list[str]], object]]]] = []
    published = files["tokenizer.json"] if vocabulary == "tekken" else build_huggingface()["tokenizer.json"]
    peers.append(("tokenizers encode_batch", partial(hugging_face, published)))
    if vocabulary == "tekken":
        peers.append(("tiktoken encode_ordinary", tiktoken))
    if importlib.util.find_spec("datatrove"):
        peers.append(("datatrove DocumentTokenizer", partial(datatrove, files)))
    controls = [name for name in NAMES if name not in LATEX] if vocabulary == "apertus" else []
    for name, texts in (("web pages", web()), ("declarations", languages())):
        cut = batches(texts)
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        seconds, ours = measure(partial(lauter, files), cut)
        expected = [ids for batch in ours for ids in batch.to_pylist()]  # type: ignore[attr-defined]
        tokens = sum(map(len, expected)) - 2 * len(expected)
        told = f"{len(texts)} texts, {megabytes:.1f} MB, {megabytes * 1e6 / tokens:.2f} bytes a token"
        print(f"\n{vocabulary}, {name}: {told}")
        print(f"  {'Lauter (fastokens, Arrow to Arrow)':36}{megabytes / seconds:8.1f} MB/s")
        plain = [not any(control in text for control in controls) for text in texts]
        for peer, make in peers:
            peer_seconds, found = measure(make, cut)
            ids = [list(row) for batch in found for row in batch]  # type: ignore[attr-defined]
            equal = all(row[1:-1] == other for row, other, counts in zip(expected, ids, plain, strict=True) if counts)
            print(f"  {peer:36}{megabytes / peer_seconds:8.1f} MB/s", end="")
            print(f"   Lauter is {peer_seconds / seconds:.1f} x as fast, {'equal ids' if equal else 'OTHER IDS'}")


def main(vocabularies: list[str]) -> None:
    files = HuggingFaceEncoder(TokenizerConfig(), StageContext()).files()
    start = time.perf_counter()
    lauter(files)
    print(f"open() with files to parse: {time.perf_counter() - start:.2f} s")
    for vocabulary in vocabularies or ["tekken", "apertus"]:
        compare(vocabulary)


if __name__ == "__main__":
    main(sys.argv[1:])
