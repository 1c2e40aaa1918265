"""Whether the shards of a corpus are those that its index lists: sizes and footers, or every byte."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lauter.pipeline import schema
from lauter.pipeline.footer import FooterBroken, row_group_ranges
from lauter.pipeline.storage import StorageError
from lauter.trainer.data.run_folder import RunFolder
from lauter.trainer.data.shard import Shard

Verify = Literal["quick", "full"]


@dataclass(frozen=True, slots=True)
class Share:
    """Which shards a process reads to the last byte: every `ranks`-th, from number `rank` on."""

    rank: int
    ranks: int


WHOLE = Share(0, 1)

READERS = 16
"""Shards that are looked at together: it is mostly waiting, where they lie far away."""
AT_ONCE = 1024
"""Shards that are handed to the readers together."""
HASH_BYTES = 8 << 20


def shards_of(folder: RunFolder) -> dict[str, tuple[Shard, ...]]:
    """Each stream's shards as the index lists them."""
    return {
        stream: tuple(
            Shard(
                folder.storage,
                item["path"],
                item["size"],
                item["sha256"],
                item["rows"],
                item["tokens"],
                tuple(item["row_groups"]),
            )
            for item in entry["shards"]
        )
        for stream, entry in folder.index["streams"].items()
    }


def check_shards(
    folder: RunFolder, shards: Mapping[str, tuple[Shard, ...]], verify: Verify, share: Share
) -> tuple[dict[str, tuple[NDArray[np.int64], ...]], list[str]]:
    """Tokens of each row group of each shard, by stream, and every problem: the tokens hold where there is none.

    `quick` compares sizes and footers (rows, row groups, schema, metadata) with the index; `full` every byte of
    the share too.
    """
    try:
        sizes = folder.storage.list("tokens")
    except OSError as error:
        return {}, [f"{folder.storage.root}/tokens: can't be listed ({error}); check the rights to the folder"]
    jobs = list(enumerate((stream, shard) for stream, some in shards.items() for shard in some))

    def check(job: tuple[int, tuple[str, Shard]]) -> tuple[list[int], list[str]]:
        number, (stream, shard) = job
        depth: Verify = verify if number % share.ranks == share.rank else "quick"
        return _check(folder, stream, shard, sizes.get(shard.path), depth)

    found: list[tuple[list[int], list[str]]] = []
    # Nobody waits for footers on this machine, and every thread keeps what it once took to read them.
    with ThreadPoolExecutor(1 if folder.storage.is_local and verify == "quick" else READERS) as readers:
        for first in range(0, len(jobs), AT_ONCE):
            found += readers.map(check, jobs[first : first + AT_ONCE])
    in_turn = iter(found)
    tokens = {stream: tuple(np.array(next(in_turn)[0], np.int64) for _ in some) for stream, some in shards.items()}
    return tokens, [problem for _, some in found for problem in some]


def _check(
    folder: RunFolder, stream: str, shard: Shard, size: int | None, verify: Verify
) -> tuple[list[int], list[str]]:
    # Lists and no arrays: 15,000 arrays between footers kept the memory of these from being used again, 1.4 GB.
    mend = f"copy it again, or run `lauter audit {folder.storage.root}` and rebuild with `lauter build`"
    none: list[int] = []
    if size is None:
        return none, [f"{shard.where}: the shard is missing; {mend}"]
    try:
        with shard.storage.open(shard.path) as source:
            ranges = _ranges(source, size)
            if size != shard.size:
                return none, [
                    f"{shard.where}: has {size} bytes, and the index lists {shard.size}{_cut(shard, ranges)}; {mend}"
                ]
            if verify == "full" and _sha256(source, 0, size) != shard.sha256:
                return none, [f"{shard.where}: its bytes were changed{_touched(shard, source, ranges)}; {mend}"]
            # Arrow ends the whole process on some broken footers, so our own reader goes first, which takes a footer
            # without row groups for a broken one.
            if ranges is None and shard.row_groups:
                return none, [f"{shard.where}: its footer is broken; {mend}"]
            source.seek(0)
            file = pq.ParquetFile(source)
            tokens = _tokens(file.metadata)
            return tokens, [
                f"{shard.where}: {what}; {how or mend}" for what, how in _footer(folder, stream, shard, file, tokens)
            ]
    except (StorageError, OSError, pa.ArrowException) as error:
        return none, [f"{shard.where}: can't be read ({error}); {mend}"]


def _ranges(source: pa.NativeFile, size: int) -> list[tuple[int, int]] | None:
    try:
        return row_group_ranges(source, size)
    except FooterBroken:
        return None


def _cut(shard: Shard, ranges: list[tuple[int, int]] | None) -> str:
    if ranges is None:
        return ", and its footer is broken"
    if len(ranges) != len(shard.row_groups):
        return f", with {len(ranges)} of its {len(shard.row_groups)} row groups"
    return ""


def _sha256(source: pa.NativeFile, start: int, end: int) -> str:
    source.seek(start)
    digest = hashlib.sha256()
    while start < end:
        chunk = source.read(min(HASH_BYTES, end - start))
        if not chunk:
            break
        digest.update(chunk)
        start += len(chunk)
    return digest.hexdigest()


def _touched(shard: Shard, source: pa.NativeFile, ranges: list[tuple[int, int]] | None) -> str:
    if ranges is None or len(ranges) != len(shard.row_groups):
        return " in the footer"
    touched = [
        str(number)
        for number, ((start, end), digest) in enumerate(zip(ranges, shard.row_groups, strict=True))
        if _sha256(source, start, end) != digest
    ]
    return f" in row group {', '.join(touched)}" if touched else " in the footer"


def _tokens(metadata: pq.FileMetaData) -> list[int]:
    # No document is empty (it has BOS and EOS), so a row group's values are its tokens.
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    columns = [metadata.schema.column(index).path.split(".")[0] for index in range(metadata.num_columns)]
    place = columns.index("tokens") if "tokens" in columns else None
    return [0 if place is None else group.column(place).num_values for group in groups]


def _footer(
    folder: RunFolder, stream: str, shard: Shard, file: pq.ParquetFile, tokens: list[int]
) -> list[tuple[str, str]]:
    """What differs from the index, and how that is mended where it is not by copying."""
    found: list[tuple[str, str]] = []
    stored = file.schema_arrow
    if not stored.equals(schema.TOKENS) and not stored.equals(schema.DIALOGUE_TOKENS):
        absent = [name for name in schema.TOKENS.names if name not in stored.names]
        if absent and set(stored.names) < set(schema.TOKENS.names):
            return [
                (
                    f"has no column {', '.join(absent)}: another version of Lauter wrote it",
                    "build the corpus anew with this one (`lauter build`)",
                )
            ]
        return [(f"its columns are not a token shard's ({', '.join(stored.names)})", "")]
    metadata = {name.decode(): value.decode() for name, value in (stored.metadata or {}).items()}
    tokenizer = metadata.get("lauter.tokenizer")
    if tokenizer != folder.tokenizer.digest:
        found.append(
            (
                f"was made with a foreign tokenizer, {tokenizer}, and the corpus has {folder.tokenizer.digest}",
                "put the corpus's own shard back, or rebuild with `lauter build`: ids of two tokenizers do not mix",
            )
        )
    for key, wanted in (("lauter.layout_id", folder.layout_id), ("lauter.stream", stream)):
        if metadata.get(key) != wanted:
            found.append((f"is of another corpus: {key} {metadata.get(key)}, not {wanted}", ""))
    if file.metadata.num_row_groups != len(shard.row_groups):
        found.append(
            (f"has {file.metadata.num_row_groups} row groups, and the index lists {len(shard.row_groups)}", "")
        )
    if file.metadata.num_rows != shard.rows:
        found.append((f"has {file.metadata.num_rows} rows, and the index lists {shard.rows}", ""))
    elif sum(tokens) != shard.tokens:
        found.append((f"has {sum(tokens)} tokens, and the index lists {shard.tokens}", ""))
    return found
