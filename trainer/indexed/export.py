"""Writes the token shards of a corpus as Megatron's or nanotron's files, in the order in which they are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.faults import nearest
from lauter.pipeline.storage import Output
from lauter.trainer.data.errors import DataError
from lauter.trainer.data.run_folder import RunFolder
from lauter.trainer.data.shard import RowGroup, Shard, read_row_group
from lauter.trainer.data.verify import WHOLE, check_shards, shards_of
from lauter.trainer.huggingface.write_fault import naming
from lauter.trainer.indexed.errors import TokenDataError
from lauter.trainer.indexed.layout import dtype_of
from lauter.trainer.indexed.writing import FlatWriter, MegatronWriter, Writer

Form = Literal["megatron", "nanotron"]

ENDS = {"megatron": (".bin", ".idx"), "nanotron": (".ds", ".ds.index", ".ds.metadata")}
"""Ends of the names of a dataset's files."""


@dataclass
class Dataset:
    """One dataset of the export, and what went into it."""

    name: str
    """Of its files, without end."""
    stream: str
    shards: list[Shard]
    documents: int = 0
    tokens: int = 0
    removed_documents: int = 0
    """Documents that were taken down: they are padding in the shards, and are not written."""
    removed_tokens: int = 0
    files: list[Output] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "stream": self.stream,
            "shards": [shard.path for shard in self.shards],
            "documents": self.documents,
            "tokens": self.tokens,
            "removed_documents": self.removed_documents,
            "removed_tokens": self.removed_tokens,
            "files": [{"name": file.path, "size": file.size, "sha256": file.sha256} for file in self.files],
        }


def export_tokens(
    folder: RunFolder, prefix: Path, *, form: Form = "megatron", stream: str | None = None, per_shard: bool = False
) -> list[Dataset]:
    """Write a dataset for each stream, or for each shard, and `PREFIX.json`, which says what they are made of.

    Its names are PREFIX, then `-STREAM` where several streams are written, then `-00000` with `per_shard`. Documents
    come in the order of the shards; those that were taken down are left out and counted. A row group is held at a time.

    Args:
        folder: an opened corpus.
        prefix: a local path without end; the folder is made.
        form: whose files.
        stream: the only one to write; None writes all.
        per_shard: a dataset for each shard.

    Raises:
        TokenDataError: the stream is not there, it has dialogues, or a file would be overwritten.
        DataError: a shard is not what the index says.
        OSError: a file can't be written; it names the file.
    """
    shards = shards_of(folder)
    if stream is not None and stream not in shards:
        raise TokenDataError(f"{folder.storage.root} has no stream {stream!r}{nearest(stream, list(shards))}")
    chosen = shards if stream is None else {stream: shards[stream]}
    _, problems = check_shards(folder, chosen, "quick", WHOLE)
    if problems:
        raise DataError(problems)
    datasets = list(_datasets(prefix.name, chosen, per_shard=per_shard))
    _refuse_to_overwrite(prefix, [dataset.name for dataset in datasets], form)
    with naming(prefix):
        prefix.parent.mkdir(parents=True, exist_ok=True)
        for dataset in datasets:
            _write(dataset, _writer(folder, prefix.with_name(dataset.name), form))
        _write_json(prefix, _describe(folder, form, datasets))
    return datasets


def _datasets(name: str, streams: dict[str, tuple[Shard, ...]], *, per_shard: bool) -> Iterator[Dataset]:
    for stream in sorted(streams):
        whole = f"{name}-{stream}" if len(streams) > 1 else name
        if not per_shard:
            yield Dataset(whole, stream, list(streams[stream]))
            continue
        for number, shard in enumerate(streams[stream]):
            yield Dataset(f"{whole}-{number:05d}", stream, [shard])


def _refuse_to_overwrite(prefix: Path, names: Sequence[str], form: Form) -> None:
    described = prefix.with_name(f"{prefix.name}.json")
    for target in (*(prefix.with_name(f"{name}{end}") for name in names for end in ENDS[form]), described):
        if target.exists():
            raise TokenDataError(f"{target} is there already; delete it, or name another --out")


def _writer(folder: RunFolder, prefix: Path, form: Form) -> Writer:
    if form == "nanotron":
        return FlatWriter(prefix, folder.tokenizer.ids, folder.tokenizer.digest)
    return MegatronWriter(prefix, folder.tokenizer.ids)


def _write(dataset: Dataset, writer: Writer) -> None:
    try:
        for shard in dataset.shards:
            for number in range(len(shard.row_groups)):
                group = read_row_group(shard, number, {})
                lengths = np.diff(group.offsets)
                _refuse_dialogues(shard, group, int(lengths[~group.removed].sum()))
                tokens, kept = _present(group.tokens, lengths, group.removed)
                writer.write(tokens, kept)
                dataset.documents += len(kept)
                dataset.tokens += len(tokens)
                dataset.removed_documents += len(lengths) - len(kept)
                dataset.removed_tokens += len(group.tokens) - len(tokens)
        dataset.files = writer.close()
    except BaseException:
        writer.discard()
        raise


def _refuse_dialogues(shard: Shard, group: RowGroup, present: int) -> None:
    spans = group.loss_spans
    if spans is not None and int((spans[1::2] - spans[::2]).sum()) < present:
        raise TokenDataError(
            f"{shard.where}: holds dialogues, of which some tokens carry no loss, and these files have no place to say "
            "so: train on the corpus itself, or export another stream"
        )


def _present(
    tokens: NDArray[np.uint32], lengths: NDArray[np.int64], removed: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    if not removed.any():
        return tokens, lengths
    return tokens[np.repeat(~removed, lengths)], lengths[~removed]


def _describe(folder: RunFolder, form: Form, datasets: Sequence[Dataset]) -> dict[str, Any]:
    tokenizer = folder.tokenizer
    item_bytes = dtype_of(tokenizer.ids)[1].itemsize
    wide = "int32" if form == "megatron" else "uint32"
    return {
        "form": form,
        "dtype": "uint16" if item_bytes == 2 else wide,
        "corpus": {key: folder.provenance[key] for key in ("corpus", "root", "layout_id", "index_sha256")},
        "tokenizer": {
            "sha256": tokenizer.digest,
            "ids": tokenizer.ids,
            "bos": tokenizer.bos,
            "eos": tokenizer.eos,
            "pad": tokenizer.pad,
        },
        "documents": sum(dataset.documents for dataset in datasets),
        "tokens": sum(dataset.tokens for dataset in datasets),
        "datasets": [dataset.to_json() for dataset in datasets],
    }


def _write_json(prefix: Path, content: dict[str, Any]) -> None:
    target = prefix.with_name(f"{prefix.name}.json")
    growing = target.with_name(f"{target.name}.partial")
    growing.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    growing.replace(target)
