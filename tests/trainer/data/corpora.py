"""Writes small corpora in the form that `lauter build` gives them: shards, index, tokenizer, lock, corpus.json."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from lauter.pipeline import parquet, schema
from lauter.pipeline.storage import Storage
from lauter.trainer.config.sections import CorpusSection, DataSection
from lauter.trainer.data.provenance import root_of

BOS, EOS, PAD, VOCABULARY = 1, 2, 3, 160
LANGUAGES = ("deu_Latn", "fra_Latn", "roh_Latn")
POLICY = {
    "version": 4,
    "config": {"policy": "default", "agents": None, "snapshot": ["/x/y"]},
    "inputs": [],
    "data": "d",
}


@dataclass
class Document:
    """A row of a shard."""

    tokens: list[int]
    language: str | None = None
    removed: bool = False
    copies: int = 1
    loss_spans: list[int] | None = None
    """Written where one of the shard's documents has any."""


Groups = list[list[Document]]
Shards = list[Groups]


def documents(generator: random.Random, count: int, longest: int) -> list[Document]:
    """Random ones, of 2 to `longest` tokens with BOS and EOS."""
    return [
        Document(
            [BOS, *(generator.randrange(10, VOCABULARY) for _ in range(generator.randrange(longest - 1))), EOS],
            generator.choice([*LANGUAGES, None]),
        )
        for _ in range(count)
    ]


def shards(seed: int, shards: int = 3, groups: int = 2, rows: int = 6, longest: int = 40) -> Shards:
    """A random stream."""
    generator = random.Random(seed)
    return [[documents(generator, rows, longest) for _ in range(groups)] for _ in range(shards)]


def write_corpus(
    folder: Path, streams: Mapping[str, Shards], *, layout_id: str = "layout", vocabulary: int = VOCABULARY
) -> Path:
    """Write it all; the tokenizer's digest follows from `vocabulary`."""
    storage = Storage(str(folder))
    tokenizer = _tokenizer(storage, vocabulary)
    index: dict[str, Any] = {"layout_id": layout_id, "tokenizer": tokenizer, "streams": {}}
    for name, some in streams.items():
        metadata = {"lauter.tokenizer": tokenizer["sha256"], "lauter.stream": name, "lauter.layout_id": layout_id}
        entries = [
            write_shard(storage, f"tokens/{name}/{number:05d}.parquet", groups, metadata)
            for number, groups in enumerate(some)
        ]
        totals = {key: sum(entry[key] for entry in entries) for key in ("rows", "tokens")}
        index["streams"][name] = {**totals, "shards": entries}
    lock = yaml.safe_dump({"stages": [{"optout": POLICY}, {"extract": {"version": 1}}]}).encode()
    publish(storage, index, [storage.write("manifest.lock.yaml", lock).to_json()], {"name": folder.name})
    return folder


def publish(storage: Storage, index: dict[str, Any], other: list[dict[str, Any]], corpus: dict[str, Any]) -> None:
    """Write the index, and a corpus.json that lists it."""
    other = [item for item in other if item["path"] != "tokens/index.json"]
    other.append(storage.write_json("tokens/index.json", index).to_json())
    whole = {
        "lauter": "0.1.0",
        "layout_id": index["layout_id"],
        "lineage": "a" * 64,
        "ledger_root": "b" * 64,
        "roots": [],
        "takedown": {"demands": 0, "sha256": "c" * 64},
        "summary": {"languages": {name: {"tokens": 10 * n} for n, name in enumerate(("-", *LANGUAGES))}},
        **corpus,
        "files": {"other": other},
    }
    storage.write_json("corpus.json", {**whole, "root": root_of(whole)})


def write_shard(storage: Storage, path: str, groups: Groups, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Publish one shard; returns its entry in the index."""
    with storage.staging(path) as staged:
        dialogues = any(document.loss_spans is not None for group in groups for document in group)
        kinds = (schema.DIALOGUE_TOKENS if dialogues else schema.TOKENS).with_metadata(dict(metadata))
        sink = parquet.ParquetSink(staged, kinds, row_group_bytes=1 << 62)
        for number, group in enumerate(groups):
            found = batch(group, f"{path}-{number}", metadata)
            if dialogues:
                spans = pa.array([document.loss_spans for document in group], schema.LOSS_SPANS.type)
                found = pa.RecordBatch.from_arrays([*found.columns, spans], schema=kinds)
            sink.write(found)
            sink.cut()
        sink.close()
        output = parquet.describe(staged, path)
    return {**output.to_json(), "tokens": sum(len(document.tokens) for group in groups for document in group)}


def batch(group: Sequence[Document], where: str, metadata: Mapping[str, str]) -> pa.RecordBatch:
    """Documents as rows of a token shard."""
    ids = [hashlib.md5(f"{where}-{row}".encode()).digest() for row in range(len(group))]
    kinds = schema.TOKENS
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, schema.DOC_ID),
            pa.array(["web"] * len(group), pa.string()).dictionary_encode(),
            pa.array([document.language for document in group], pa.string()).dictionary_encode(),
            pa.array([len(document.tokens) for document in group], pa.int32()),
            pa.array([document.copies for document in group], pa.uint32()),
            pa.array([document.tokens for document in group], kinds.field("tokens").type),
            pa.array(np.array([document.removed for document in group], np.bool_)),
        ],
        schema=kinds.with_metadata(dict(metadata)),
    )


def section(*folders: Path, **settings: Any) -> DataSection:  # noqa: ANN401 - any setting of the section
    """A data section over these corpora."""
    return DataSection(corpora=tuple(CorpusSection(path=str(folder)) for folder in folders), **settings)


def _tokenizer(storage: Storage, vocabulary: int) -> dict[str, Any]:
    names = {f"t{index}": index for index in range(vocabulary)}
    controls = {"bos": BOS, "eos": EOS, "pad": PAD}
    files = {
        "tokenizer.json": json.dumps({"model": {"type": "WordLevel", "vocab": names, "unk_token": "t0"}}).encode(),
        "sidecar.json": json.dumps({name: {"id": item, "token": name} for name, item in controls.items()}).encode(),
    }
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    outputs = [storage.write(f"tokens/tokenizer/{name}", content).to_json() for name, content in files.items()]
    return {"sha256": digest.hexdigest(), "files": outputs}
