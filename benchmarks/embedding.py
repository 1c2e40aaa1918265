"""The encoder's pass: chunks in batches of fixed shapes beside the usual way, and one pass for two heads beside two.

The usual way pads a batch of eight documents, as they come, to its longest. The encoder has the shape of MiniLM-L6 (six
layers, width 384) and random weights, and its tokenizer is trained on the texts themselves, so nothing is fetched; what
is compared does not depend on weights. Texts are kept documents of a finished corpus, first chunks of up to 512 tokens;
one thread, CPU seconds. Usage: `python benchmarks/embedding.py [CORPUS] [--documents N]`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import XLMRobertaConfig, XLMRobertaModel

from lauter.stages.embedding.encoder import Model, embed, load
from lauter.stages.embedding.head import Head
from lauter.stages.encoders.chunks import Chunker

USUAL = 8
WIDTH = 384
LANGUAGE = "eng_Latn"


def texts_of(corpus: Path, count: int) -> list[str]:
    found: list[str] = []
    for path in sorted((corpus / "documents").rglob("*.parquet")):
        table = pq.read_table(path, columns=["text"])
        found += [text for text in table.column("text").to_pylist() if len(text) > 200]
        if len(found) >= count:
            break
    return found[:count]


def make(folder: Path, texts: list[str]) -> tuple[Model, Chunker]:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=8000, special_tokens=marks, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=WIDTH, num_hidden_layers=6, num_attention_heads=12,
        intermediate_size=4 * WIDTH, max_position_embeddings=514, type_vocab_size=1,
    )  # fmt: skip
    config.save_pretrained(folder)
    save_file(XLMRobertaModel(config, add_pooling_layer=False).state_dict(), folder / "model.safetensors")
    names = (str(folder / "model.safetensors"), str(folder / "config.json"))
    return load(*names, "cpu", "float32", 1), Chunker(str(folder / "tokenizer.json"), 512)


def usual(model: Model, chunks: list[list[int]], pad: int) -> NDArray[np.float32]:
    """Eight at a time, in the order in which they come."""
    found = []
    for first in range(0, len(chunks), USUAL):
        some = chunks[first : first + USUAL]
        longest = max(map(len, some))
        ids = np.array([[*chunk, *[pad] * (longest - len(chunk))] for chunk in some], np.int64)
        mask = np.array([[1] * len(chunk) + [0] * (longest - len(chunk)) for chunk in some], np.int64)
        found.append(model.hidden(ids, mask))
    return np.concatenate(found)


def head(hidden: int, outputs: int) -> Head:
    """Random weights in the shape of a published head."""
    draw = np.random.default_rng(0).normal
    shapes = {"hidden.weight": (hidden, WIDTH), "hidden.bias": (hidden,), "out.weight": (outputs, hidden)}
    shapes["out.bias"] = (outputs,)
    return Head({name: draw(size=shape).astype(np.float32) for name, shape in shapes.items()}, "first", (LANGUAGE,), "")


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what `run` returned."""
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="?", default="out/all-pages", type=Path)
    parser.add_argument("--documents", default=120, type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = texts_of(options.corpus, options.documents)
    with TemporaryDirectory() as folder:
        model, chunker = make(Path(folder), texts)
    cutting, chunks = timed(lambda: [chunker.first(text) for text in texts])
    embed(model, chunks[:2], 512, chunker.pad)
    ours, vectors = timed(lambda: embed(model, chunks, 512, chunker.pad))
    peer, theirs = timed(lambda: usual(model, chunks, chunker.pad))
    judging, _ = timed(lambda: (head(256, 1).raw(vectors), head(768, 2).raw(vectors)))
    print(f"{len(texts)} documents, {sum(map(len, chunks)):,} tokens; cut in {cutting:.2f} s")
    print(f"fixed shapes, by length      {ours:6.2f} s  {len(texts) / ours:6.1f} documents/s")
    print(f"eight as they come           {peer:6.2f} s  {len(texts) / peer:6.1f} documents/s  ours {peer / ours:.2f}x")
    both = 2 * peer / (ours + judging)
    print(f"two heads on them            {judging:6.2f} s  one pass for both {both:.2f}x two of the usual")
    alone = np.concatenate([embed(model, [chunk], 512, chunker.pad) for chunk in chunks[:20]])
    print(
        f"vectors that differ by their company: ours {int((alone != vectors[:20]).any(axis=1).sum())} of 20,", end=" "
    )
    single = np.concatenate([usual(model, [chunk], chunker.pad) for chunk in chunks[:20]])
    print(f"eight as they come {int((single != theirs[:20]).any(axis=1).sum())} of 20")


if __name__ == "__main__":
    main()
