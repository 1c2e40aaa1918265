"""Tokenizing, per core: Lauter beside Hugging Face's tokenizers and tiktoken, with the embedded vocabulary.

All encode the same real texts with equal ids (checked): web pages, and the Universal Declaration of Human Rights in
about 400 languages. Lauter goes from an Arrow array to an Arrow array, the others from a list of strings to lists of
ids. No text comes twice and every pass has a new encoder, because a second pass would be served from word caches.
Seconds are CPU seconds of the process, the best of `PASSES`.

    python benchmarks/tokens.py           needs the extra `dev`; texts are found through LAUTER_TEST_DATA
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pyarrow as pa

from lauter.pipeline.contract import StageContext
from lauter.stages.tokens.encoder import HuggingFaceEncoder, TokenizerConfig
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


def lauter(engine: str) -> Callable[[list[str]], pa.ListArray]:
    encoder = HuggingFaceEncoder(TokenizerConfig.model_validate({"engine": engine}), StageContext())
    encoder.open()
    return lambda texts: encoder.encode(pa.array(texts, pa.large_string()), None)


def hugging_face() -> Encode:
    from tokenizers import Tokenizer

    files = HuggingFaceEncoder(TokenizerConfig(), StageContext()).files()
    tokenizer = Tokenizer.from_str(files["tokenizer.json"].decode())
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


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


def main() -> None:
    start = time.perf_counter()
    lauter("fastokens")
    print(f"open() with files to parse: {time.perf_counter() - start:.2f} s")
    for name, texts in (("web pages", web()), ("declarations", languages())):
        cut = batches(texts)
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        seconds, ours = measure(lambda: lauter("fastokens"), cut)
        expected = [ids for batch in ours for ids in batch.to_pylist()]  # type: ignore[attr-defined]
        tokens = sum(map(len, expected)) - 2 * len(expected)
        print(f"\n{name}: {len(texts)} texts, {megabytes:.1f} MB, {megabytes * 1e6 / tokens:.2f} bytes a token")
        print(f"  {'Lauter (fastokens, Arrow to Arrow)':36}{megabytes / seconds:8.1f} MB/s")
        for peer, make in (("tokenizers encode_batch_fast", hugging_face), ("tiktoken encode_ordinary", tiktoken)):
            peer_seconds, found = measure(make, cut)
            ids = [list(row) for batch in found for row in batch]  # type: ignore[attr-defined]
            equal = all(row[1:-1] == other for row, other in zip(expected, ids, strict=True))
            print(
                f"  {peer:36}{megabytes / peer_seconds:8.1f} MB/s   Lauter is {peer_seconds / seconds:.1f} x as fast",
                end="",
            )
            print(", equal ids" if equal else ", OTHER IDS")


if __name__ == "__main__":
    main()
