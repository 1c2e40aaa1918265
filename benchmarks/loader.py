"""Loading training samples, per core: Lauter beside a memory-mapped reader in the manner of Megatron, and `datasets`.

All read the same tokens, made up with a Zipf law of ids and log-normal lengths of documents, in micro-batches of four
windows of 4,096. Lauter reads its zstd Parquet shards, decoding included, and gives tokens, labels, positions, bounds
of documents and languages. Megatron's manner: ids uncompressed in one memory-mapped file, the documents of a sample
looked up, put together and converted by torch; alone, and with what ends at documents: positions and loss mask
(`--reset-position-ids --eod-mask-loss`), and an attention mask too (`--reset-attention-mask`), a square of the window.
`datasets`: rows streamed from the same Parquet files, put together and cut in Python. The first tokens of all are
compared. Seconds are CPU seconds of the process; readers take turns, and the best of `PASSES` counts.

    python benchmarks/loader.py [MILLIONS_OF_TOKENS]        needs the extra `dev`
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from lauter.pipeline import parquet, schema
from lauter.pipeline.storage import Storage
from lauter.trainer.config.sections import DataSection, GoldfishSection
from lauter.trainer.data.corpus import Corpus
from lauter.trainer.data.samples import Samples
from lauter.trainer.data.shard import Shard
from lauter.trainer.data.stream import Stream
from lauter.trainer.data.tokenizer import TokenizerFiles

torch.set_num_threads(1)

PASSES = 3
CHECKED = 100_000
SEQUENCE_LENGTH, MICRO = 4096, 4
ROW_GROUP, SHARD = 4_000_000, 16_000_000
VOCABULARY, BOS, EOS = 131_072, 1, 2
MEDIAN_LENGTH, SPREAD = 600, 1.0

Tokens = NDArray[np.uint32]


def made_up(count: int) -> tuple[Tokens, NDArray[np.int64]]:
    """Ids of whole documents and where each starts, and the end."""
    generator = np.random.default_rng(0)
    lengths = np.maximum(generator.lognormal(np.log(MEDIAN_LENGTH), SPREAD, 2 * count // MEDIAN_LENGTH), 3).astype(
        np.int64
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    offsets = offsets[: np.searchsorted(offsets, count)]
    tokens = (generator.zipf(1.1, int(offsets[-1])) % (VOCABULARY - 1000) + 1000).astype(np.uint32)
    tokens[offsets[:-1]] = BOS
    tokens[offsets[1:] - 1] = EOS
    return tokens, offsets


def write_shards(storage: Storage, tokens: Tokens, offsets: NDArray[np.int64]) -> Stream:
    """The documents as `lauter build` packs them."""
    shards: list[Shard] = []
    groups: list[NDArray[np.int64]] = []
    first = 0
    while first < len(offsets) - 1:
        end = int(np.searchsorted(offsets, offsets[first] + SHARD, "right")) - 1
        path = f"tokens/main/{len(shards):05d}.parquet"
        sizes = []
        with storage.staging(path) as staged:
            sink = parquet.ParquetSink(staged, schema.TOKENS, row_group_bytes=1 << 62)
            start = first
            while start < end:
                stop = min(int(np.searchsorted(offsets, offsets[start] + ROW_GROUP, "right")) - 1, end)
                sink.write(rows(tokens, offsets[start : stop + 1]))
                sink.cut()
                sizes.append(int(offsets[stop] - offsets[start]))
                start = stop
            sink.close()
            output = parquet.describe(staged, path)
        shards.append(Shard(storage, path, output.size, output.sha256, output.rows, sum(sizes), output.row_groups))
        groups.append(np.array(sizes, np.int64))
        first = end
    return Stream("main", "main", "layout", tuple(shards), tuple(groups), {"deu_Latn": 0})


def rows(tokens: Tokens, offsets: NDArray[np.int64]) -> pa.RecordBatch:
    count = len(offsets) - 1
    lists = pa.ListArray.from_arrays(
        pa.array((offsets - offsets[0]).astype(np.int32)),
        pa.array(tokens[offsets[0] : offsets[-1]]),
        type=schema.TOKENS.field("tokens").type,
    )
    names = [pa.array([name] * count).dictionary_encode() for name in ("web", "deu_Latn")]
    columns = [
        pa.array([bytes(16)] * count, schema.DOC_ID),
        *names,
        pa.array(np.diff(offsets).astype(np.int32)),
        pa.array(np.ones(count, np.uint32)),
        lists,
        pa.array(np.zeros(count, np.bool_)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema.TOKENS)


def lauter(corpus: Corpus, **settings: object) -> Callable[[], Iterator[torch.Tensor]]:
    def read() -> Iterator[torch.Tensor]:
        section = DataSection.model_validate({"sequence_length": SEQUENCE_LENGTH, **settings})
        samples = Samples(corpus, section, 1)
        places = corpus.streams["main"].tokens / samples.utilisation["main"]
        for first in range(0, int(places) // SEQUENCE_LENGTH - MICRO, MICRO):
            yield samples.batch(range(first, first + MICRO)).tokens

    return read


class MemoryMapped:
    """Megatron's pattern: a file of ids, one of documents, a list that says where every sample starts."""

    def __init__(self, folder: Path, tokens: Tokens, offsets: NDArray[np.int64]) -> None:
        tokens.astype(np.int32).tofile(folder / "corpus.bin")
        offsets.tofile(folder / "corpus.idx")
        self.ids = np.memmap(folder / "corpus.bin", np.int32, "r")
        self.offsets = np.memmap(folder / "corpus.idx", np.int64, "r")
        starts = np.arange(0, len(self.ids) - SEQUENCE_LENGTH, SEQUENCE_LENGTH)
        self.document = np.searchsorted(self.offsets, starts, "right") - 1
        self.within = starts - self.offsets[self.document]

    def sample(self, number: int) -> torch.Tensor:
        """The window and one token more, document by document."""
        parts = []
        document, start, missing = int(self.document[number]), int(self.within[number]), SEQUENCE_LENGTH + 1
        while missing:
            first, end = int(self.offsets[document]) + start, int(self.offsets[document + 1])
            part = self.ids[first : min(end, first + missing)]
            parts.append(part)
            missing -= len(part)
            document, start = document + 1, 0
        return torch.from_numpy(np.concatenate(parts).astype(np.int64))

    def read(self, *, documents: bool, mask: bool) -> Iterator[torch.Tensor]:
        """All micro-batches, their tokens."""
        for first in range(0, len(self.document) - MICRO, MICRO):
            yield self.batch(range(first, first + MICRO), documents=documents, mask=mask)

    def batch(self, numbers: range, *, documents: bool, mask: bool) -> torch.Tensor:
        """One micro-batch, its tokens."""
        found = []
        for number in numbers:
            text = self.sample(number)
            tokens, labels = text[:-1].contiguous(), text[1:].contiguous()
            loss_mask = torch.ones(SEQUENCE_LENGTH)
            positions = torch.arange(SEQUENCE_LENGTH)
            square = torch.tril(torch.ones(SEQUENCE_LENGTH, SEQUENCE_LENGTH)) if mask else None
            if documents:
                loss_mask[tokens == EOS] = 0.0
                before = 0
                for place in (positions[tokens == EOS] + 1).tolist():
                    if square is not None:
                        square[place:, :place] = 0
                    positions[place:] -= place - before
                    before = place
            found.append((tokens, labels, loss_mask, positions, square < 0.5 if square is not None else loss_mask))
        return torch.stack([torch.stack(column) for column in zip(*found, strict=True)][:1])[0].flatten()


def hugging_face(folder: Path, cache: Path) -> Callable[[], Iterator[torch.Tensor]]:
    from datasets import load_dataset

    files = sorted(str(path) for path in (folder / "tokens/main").iterdir())

    def read() -> Iterator[torch.Tensor]:
        pending: list[int] = []
        size = SEQUENCE_LENGTH * MICRO
        for row in load_dataset("parquet", data_files=files, split="train", streaming=True, cache_dir=str(cache)):
            pending += row["tokens"]
            while len(pending) >= size:
                yield torch.tensor(pending[:size])
                del pending[:size]

    return read


def main() -> None:
    count = int(float(sys.argv[1] if len(sys.argv) > 1 else 32) * 1e6)
    tokens, offsets = made_up(count)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stream = write_shards(Storage(temporary), tokens, offsets)
        size = sum(shard.size for shard in stream.shards)
        tokenizer = TokenizerFiles("", VOCABULARY, BOS, EOS, None, folder, {})
        corpus = Corpus({"main": stream}, {}, ("deu_Latn",), {"deu_Latn": len(tokens)}, tokenizer, [])
        packed = Samples(corpus, DataSection(sequence_length=SEQUENCE_LENGTH, packing="best-fit"), 1)
        mapped = MemoryMapped(folder, tokens, offsets)
        readers: dict[str, Callable[[], Iterator[torch.Tensor]]] = {
            "lauter": lauter(corpus),
            "lauter, best-fit": lauter(corpus, packing="best-fit"),
            "lauter, Goldfish": lauter(corpus, goldfish=GoldfishSection()),
            "memory-mapped": lambda: mapped.read(documents=False, mask=False),
            "memory-mapped, positions and loss mask": lambda: mapped.read(documents=True, mask=False),
            "memory-mapped, attention mask too": lambda: mapped.read(documents=True, mask=True),
            "datasets": hugging_face(folder, folder / "cache"),
        }
        print(
            f"{len(tokens) / 1e6:.1f} M tokens, {len(offsets) - 1} documents, {size / len(tokens):.2f} bytes a token "
            f"as Parquet; best-fit fills {packed.utilisation['main']:.2%} of the places"
        )
        measure(readers, {"memory-mapped, attention mask too": 2e5, "datasets": 4e6})


def measure(readers: dict[str, Callable[[], Iterator[torch.Tensor]]], at_most: dict[str, float]) -> None:
    best: dict[str, float] = {}
    digests: dict[str, str] = {}
    for _ in range(PASSES):
        for name, read in readers.items():
            digest = hashlib.sha256()
            done = 0
            spent = 0.0
            batches = read()
            while done < at_most.get(name, np.inf):
                start = time.process_time()
                batch = next(batches, None)
                spent += time.process_time() - start
                if batch is None:
                    break
                done += len(batch)
                if done <= CHECKED:
                    digest.update(batch.numpy().tobytes())
            best[name] = max(best.get(name, 0.0), done / spent)
            digests[name] = digest.hexdigest()
    same = {name: digest for name, digest in digests.items() if "best-fit" not in name}
    assert len(set(same.values())) == 1, same
    for name, speed in best.items():
        print(f"{name:42} {speed / 1e6:8.2f} M tokens/s   lauter is {best['lauter'] / speed:8.2f} x")


if __name__ == "__main__":
    main()
