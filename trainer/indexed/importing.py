"""Makes a corpus of Megatron's token data, so that `lauter train` reads it as it reads any other.

A Parquet file alone could not be trained on: the reader wants an index with digests, the tokenizer and a `corpus.json`
with a root. All of that is written here, and nothing is claimed that isn't known: an imported corpus has no ledger, its
`ledger_root` is 64 zeros, and the commands that prove or search something refuse it. Documents keep their order; they
are not shuffled, as the files of an export are already.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from lauter import __version__
from lauter.pipeline import parquet, schema
from lauter.pipeline.identity import native_id
from lauter.pipeline.storage import Storage, StorageError, digest_file
from lauter.pipeline.streams import PLAIN
from lauter.trainer.data.provenance import LOCK, root_of
from lauter.trainer.data.run_folder import CORPUS
from lauter.trainer.data.tokenizer import FOLDER, TokenizerFiles, read_tokenizer
from lauter.trainer.indexed.errors import TokenDataError
from lauter.trainer.indexed.reading import IndexedDataset, Piece, open_dataset

TOKENIZER_FILES = ("sidecar.json", "tokenizer.json")

TOKENS_PER_SHARD, TOKENS_PER_ROW_GROUP = 1 << 26, 1 << 22
"""As a build has them by default."""

TAKEN = ("index.json", "tokenizer")
"""What lies in `tokens/` beside the folders of the streams."""

NO_LEDGER = "0" * 64
"""`ledger_root` of a corpus that has no ledger."""


@dataclass(frozen=True, slots=True)
class ImportedTokens:
    """What an import wrote."""

    documents: int
    tokens: int
    shards: int
    empty: int
    """Documents without a token: left out, as a shard has none."""
    without_bos: int
    """Documents that do not begin with the tokenizer's BOS."""
    without_eos: int
    """Documents that do not end with its EOS."""
    root: str


@dataclass(frozen=True, slots=True)
class _Settings:
    stream: str
    language: str | None
    tokens_per_shard: int
    tokens_per_row_group: int


def datasets_at(prefix: Path) -> list[Path]:
    """The prefixes of the datasets that a path means: `PREFIX` itself, else all `PREFIX-…` in order; none if neither.

    `PREFIX.bin` and `PREFIX.idx` mean the same as `PREFIX`. A folder means none, unless it has a dataset's name too.
    """
    if prefix.suffix in (".bin", ".idx"):
        prefix = prefix.with_suffix("")
    if any(prefix.with_name(prefix.name + end).is_file() for end in (".bin", ".idx")):
        return [prefix]
    if prefix.is_dir():
        return []
    return sorted(
        found.with_suffix("") for found in prefix.parent.glob("*.idx") if found.name.startswith(f"{prefix.name}-")
    )


def import_tokens(
    prefixes: Sequence[Path],
    out: Path,
    tokenizer: Path,
    *,
    stream: str = "main",
    language: str | None = None,
    tokens_per_shard: int = TOKENS_PER_SHARD,
    tokens_per_row_group: int = TOKENS_PER_ROW_GROUP,
) -> ImportedTokens:
    """Write a corpus of one stream from Megatron datasets, in the order given.

    Args:
        prefixes: `PREFIX` of each pair `PREFIX.bin`, `PREFIX.idx`; a source each, by the name without folder.
        out: a new or empty folder.
        tokenizer: a folder with the `tokenizer.json` and `sidecar.json` that the ids are of: the files can't tell.
        stream: what a training config calls it.
        language: of all documents, as `deu_Latn`; None leaves it unknown.
        tokens_per_shard: after which a shard is closed, at the end of a row group.
        tokens_per_row_group: after which a row group is closed, at the end of a document.

    Raises:
        TokenDataError: a dataset or the tokenizer is none, ids lie outside it, no document is left, or `out` is taken.
        OSError, StorageError: a file can't be read or written.
    """
    if stream in TAKEN or not all(PLAIN.fullmatch(part) for part in stream.split(".")):
        raise TokenDataError(
            f"{stream!r} is no name of a stream: letters, digits, `_` and `-`, a letter or digit first, or several "
            f"such parts with dots between; and none of {', '.join(TAKEN)}"
        )
    if len({prefix.name for prefix in prefixes}) < len(prefixes):
        raise TokenDataError("two datasets have one name, so their documents would have one doc_id; rename one")
    datasets = [open_dataset(prefix) for prefix in prefixes]
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TokenDataError(f"{out} is not empty; name a new folder")
    files = _tokenizer_files(tokenizer)
    inputs = [_input(dataset) for dataset in datasets]
    settings = _Settings(stream, language, tokens_per_shard, tokens_per_row_group)
    with _removed_unless_finished(out):
        storage = Storage(str(out))
        listed = [storage.write(f"{FOLDER}/{name}", content).to_json() for name, content in files.items()]
        described = {"sha256": _digest(files), "files": listed}
        try:
            known = read_tokenizer(storage, described)
        except (StorageError, ValueError) as error:
            raise TokenDataError(f"{tokenizer} is no tokenizer with a sidecar: {error}") from error
        layout_id = _layout_id(inputs, settings)
        written = _Shards(storage, settings, known, layout_id)
        written.write(datasets)
        if not written.tokens:
            raise TokenDataError(f"{', '.join(map(str, prefixes))}: no document holds a token; name other files")
        index = {"layout_id": layout_id, "tokenizer": described, "streams": {stream: written.entry()}}
        root = _publish(storage, out.name, index, inputs, settings, written)
    return ImportedTokens(
        written.rows,
        written.tokens,
        len(written.shards),
        written.empty,
        written.without_bos,
        written.without_eos,
        root,
    )


@contextmanager
def _removed_unless_finished(out: Path) -> Iterator[None]:
    """Leave nothing of an import that failed: the folder was new or empty."""
    try:
        yield
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


class _Shards:
    """The shards of the one stream, and counts of what went into them. A row group is held at a time."""

    def __init__(self, storage: Storage, settings: _Settings, tokenizer: TokenizerFiles, layout_id: str) -> None:
        self._storage = storage
        self._settings = settings
        self._tokenizer = tokenizer
        metadata = {
            "lauter.tokenizer": tokenizer.digest,
            "lauter.stream": settings.stream,
            "lauter.layout_id": layout_id,
        }
        self._schema = schema.TOKENS.with_metadata(metadata)
        self.shards: list[dict[str, Any]] = []
        self.rows = self.tokens = self.empty = self.without_bos = self.without_eos = 0

    def write(self, datasets: Sequence[IndexedDataset]) -> None:
        """Write all documents; each piece of a dataset is a row group."""
        groups = self._groups(datasets)
        for first in groups:
            path = f"tokens/{self._settings.stream}/{len(self.shards):05d}.parquet"
            with self._storage.staging(path) as staged:
                sink = parquet.ParquetSink(staged, self._schema, row_group_bytes=1 << 62)
                group: pa.RecordBatch | None = first
                tokens = 0
                while group is not None:
                    sink.write(group)
                    sink.cut()
                    tokens += len(group.column("tokens").values)
                    group = next(groups, None) if tokens < self._settings.tokens_per_shard else None
                sink.close()
                self.shards.append({**parquet.describe(staged, path).to_json(), "tokens": tokens})

    def entry(self) -> dict[str, Any]:
        """The stream as an index lists it."""
        return {"rows": self.rows, "tokens": self.tokens, "shards": self.shards}

    def _groups(self, datasets: Sequence[IndexedDataset]) -> Iterator[pa.RecordBatch]:
        for dataset in datasets:
            for piece in dataset.pieces(self._settings.tokens_per_row_group, self._tokenizer.ids):
                group = self._rows(piece, dataset.prefix.name)
                if group.num_rows:
                    yield group

    def _rows(self, piece: Piece, source: str) -> pa.RecordBatch:
        filled = piece.lengths > 0
        lengths = piece.lengths[filled]
        ends = np.cumsum(lengths)
        self.rows += len(lengths)
        self.tokens += len(piece.tokens)
        self.empty += len(filled) - len(lengths)
        self.without_bos += int((piece.tokens[ends - lengths] != self._tokenizer.bos).sum())
        self.without_eos += int((piece.tokens[ends - 1] != self._tokenizer.eos).sum())
        numbers = piece.first + np.flatnonzero(filled)
        columns = {
            "doc_id": pa.array([native_id(source, str(number)) for number in numbers.tolist()], schema.DOC_ID),
            "source": _same(source, len(lengths)),
            "language": _same(self._settings.language, len(lengths)),
            "length": pa.array(lengths.astype(np.int32)),
            "copies": pa.array(np.ones(len(lengths), np.uint32)),
            "tokens": pa.ListArray.from_arrays(
                pa.array(np.concatenate([[0], ends]).astype(np.int32)),
                pa.array(piece.tokens),
                type=schema.TOKENS.field("tokens").type,
            ),
            "removed": pa.array(np.zeros(len(lengths), np.bool_)),
        }
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.TOKENS.names], schema=self._schema)


def _same(value: str | None, count: int) -> pa.DictionaryArray:
    """A column of one string, or of nulls."""
    if value is None:
        return pa.nulls(count, pa.dictionary(pa.int32(), pa.string()))
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value], pa.string()))


def _tokenizer_files(folder: Path) -> dict[str, bytes]:
    missing = [name for name in TOKENIZER_FILES if not (folder / name).is_file()]
    if missing:
        raise TokenDataError(
            f"{folder} has no {' and no '.join(missing)}: name the tokens/tokenizer folder of a corpus, or what "
            "`lauter tokenizer` wrote"
        )
    return {name: (folder / name).read_bytes() for name in TOKENIZER_FILES}


def _digest(files: Mapping[str, bytes]) -> str:
    """As `read_tokenizer` checks it."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def _input(dataset: IndexedDataset) -> dict[str, Any]:
    prefix = dataset.prefix
    return {
        "name": prefix.name,
        "documents": dataset.documents,
        "files": [
            {"name": path.name, "size": path.stat().st_size, "sha256": digest_file(path)}
            for path in (prefix.with_name(f"{prefix.name}{end}") for end in (".bin", ".idx"))
        ],
    }


def _layout_id(inputs: Sequence[Mapping[str, Any]], settings: _Settings) -> str:
    """What a trainer's reading order depends on: the borders of documents, of row groups and of shards."""
    borders = [file["sha256"] for item in inputs for file in item["files"] if file["name"].endswith(".idx")]
    cut = [settings.stream, settings.tokens_per_shard, settings.tokens_per_row_group]
    return hashlib.sha256(json.dumps([borders, cut]).encode()).hexdigest()[:32]


def _publish(
    storage: Storage,
    name: str,
    index: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    settings: _Settings,
    written: _Shards,
) -> str:
    """Index, lock file and corpus.json last; returns the root."""
    imported = {"form": "megatron", "inputs": list(inputs), "language": settings.language}
    lock = {"name": name, "lauter": __version__, "stages": [], "imported": imported}
    lineage = hashlib.sha256(json.dumps([imported, index["tokenizer"]["sha256"]], sort_keys=True).encode())
    other = [
        storage.write_json("tokens/index.json", index).to_json(),
        storage.write(LOCK, yaml.safe_dump(lock, sort_keys=False).encode()).to_json(),
        *index["tokenizer"]["files"],
    ]
    language = "-" if settings.language is None else settings.language
    whole = {
        "name": name,
        "lauter": __version__,
        "imported": imported,
        "lineage": lineage.hexdigest(),
        "layout_id": index["layout_id"],
        "summary": {"languages": {language: {"documents": written.rows, "tokens": written.tokens}}},
        "files": {"tokens": written.shards, "other": other},
        "ledger_root": NO_LEDGER,
        "takedown": {"demands": 0, "sha256": hashlib.sha256(b"").hexdigest()},
        "cause": "import",
        "roots": [],
    }
    root = root_of(whole)
    storage.write_json(CORPUS, {**whole, "root": root})
    return root
