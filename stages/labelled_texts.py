"""Texts of two classes, to train and to measure classifiers with: good and bad pages, toxic and other posts.

A file is `.jsonl` or `.parquet` with a column `text` and perhaps `language`, or `.txt` with a text a line; `.jsonl` and
`.txt` perhaps compressed (`.gz`, `.bz2`, `.zst`, `.lz4`). The `documents/` of a finished corpus are such files. A
folder stands for all files below it.

Nothing depends on how texts are cut into files or in what order they stand: they are put in the order of their hashes,
and the hash decides who is kept out of training. A text that is taken twice in a class counts once, in the language
whose label comes first, and one that is taken in both counts for nothing; both are counted.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

UNLABELLED = "und"
"""The language of texts that name none."""
COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
FOLDS = 10
"""Parts by the hash of a text: 0 is for measuring, 1 for calibration, the others for training."""
MEASURED, CALIBRATED = 0, 1
_BATCH_ROWS = 1 << 12


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts of two classes, in the order of their hashes; all arrays have n rows."""

    texts: pa.LargeStringArray
    languages: tuple[str, ...]
    """A label each, `UNLABELLED` where none was given."""
    positive: NDArray[np.bool_]
    fold: NDArray[np.uint8]
    """0 to 9."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was left out: `empty`, `repeated`, `in both classes`, `beyond the limit`."""

    def rows(self, mask: NDArray[np.bool_]) -> Labelled:
        """Some of the rows."""
        languages = tuple(label for label, wanted in zip(self.languages, mask.tolist(), strict=True) if wanted)
        return Labelled(self.texts.filter(pa.array(mask)), languages, self.positive[mask], self.fold[mask], self.counts)

    def of_language(self, language: str) -> Labelled:
        """The rows of a language."""
        return self.rows(np.array([label == language for label in self.languages], np.bool_))

    @property
    def training(self) -> NDArray[np.bool_]:
        """The rows to train on, shape (n,)."""
        mask: NDArray[np.bool_] = self.fold > CALIBRATED
        return mask


class _Seen(NamedTuple):
    text: str
    times: int


class _Row(NamedTuple):
    text: str
    language: str
    positive: bool


def read(
    positives: Sequence[str], negatives: Sequence[str], language: str | None, most: int, most_characters: int
) -> Labelled:
    """The texts of two sets of files. Memory: `most` texts twice, of each class and language.

    Args:
        positives: Files or folders of the one class.
        negatives: Those of the other.
        language: The label of texts whose file has none.
        most: Texts of each class and language that are taken: those with the lowest hashes.
        most_characters: Code points of a text that are taken, from its beginning.

    Raises:
        ValueError: A file is not as it should be; the message says where. Or a class has no text.
        OSError: A file cannot be read.
    """
    counts: Counter[str] = Counter()
    found: dict[int, _Row] = {}
    both: set[int] = set()
    for positive, paths in ((True, positives), (False, negatives)):
        own: dict[str, dict[int, _Seen]] = {}
        for path in files(paths):
            for text, label in _rows(path):
                cut = text[:most_characters].strip()
                if not cut:
                    counts["empty"] += 1
                    continue
                key = xxhash.xxh3_64_intdigest(cut.encode())
                rows = own.setdefault(label or language or UNLABELLED, {})
                rows[key] = _Seen(cut, rows[key].times + 1 if key in rows else 1)
                counts["beyond the limit"] += 1
                if len(rows) >= 2 * most:
                    _cut(rows, most)
        for label, rows in sorted(own.items()):
            _cut(rows, most)
            for key, seen in rows.items():
                # Of a text that stays to the end every time was counted, wherever it stood: it was never cut.
                counts["beyond the limit"] -= seen.times
                counts["repeated"] += seen.times - 1
                if key not in found:
                    found[key] = _Row(seen.text, label, positive=positive)
                elif found[key].positive == positive:
                    counts["repeated"] += 1
                else:
                    both.add(key)
    counts["in both classes"] = len(both)
    order = sorted(found.keys() - both)
    for positive, paths in ((True, positives), (False, negatives)):
        if not any(found[key].positive == positive for key in order):
            why = ": what it has stands in the other class too" if both else ""
            raise ValueError(f"no text to learn from in {', '.join(paths)}{why}")
    return Labelled(
        pa.array([found[key].text for key in order], pa.large_string()),
        tuple(found[key].language for key in order),
        np.array([found[key].positive for key in order], np.bool_),
        np.array([key % FOLDS for key in order], np.uint8),
        dict(sorted((+counts).items())),
    )


def files(paths: Sequence[str]) -> list[str]:
    """The files of some paths, folders opened, in order. Raises ValueError for a path that has none."""
    found = []
    for path in paths:
        place = Path(path)
        inside = sorted(str(file) for file in place.rglob("*") if file.is_file()) if place.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path} has no files")
        found += inside
    return found


def _cut(rows: dict[int, _Seen], most: int) -> None:
    """Keep the lowest keys."""
    for key in sorted(rows)[most:]:
        del rows[key]


def _rows(path: str) -> Iterator[tuple[str, str | None]]:
    # Python's own error names the file, Arrow's has it in a sentence.
    Path(path).open("rb").close()
    suffixes = [suffix for suffix in Path(path).suffixes if suffix not in COMPRESSED]
    match suffixes[-1] if suffixes else "":
        case ".parquet":
            yield from _parquet(path)
        case ".jsonl" | ".ndjson":
            yield from _json(path)
        case ".txt":
            yield from ((line, None) for _, line in _lines(path))
        case _:
            raise ValueError(f"{path}: a file of texts ends in .jsonl, .parquet or .txt, perhaps compressed")


def _parquet(path: str) -> Iterator[tuple[str, str | None]]:
    try:
        file = pq.ParquetFile(path)
        names = [name for name in ("text", "language") if name in file.schema_arrow.names]
        if "text" not in names:
            raise ValueError(f"{path} has no column `text`, but {', '.join(file.schema_arrow.names)}")
        for batch in file.iter_batches(_BATCH_ROWS, columns=names):
            texts = batch.column("text").cast(pa.large_string()).to_pylist()
            given = (
                batch.column("language").cast(pa.string()).to_pylist() if "language" in names else [None] * len(texts)
            )
            yield from ((text or "", label) for text, label in zip(texts, given, strict=True))
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        # Arrow says so of bytes that are damaged, and of columns that are no text.
        raise ValueError(f"{path} is no Parquet file of texts: {error}") from error


def _json(path: str) -> Iterator[tuple[str, str | None]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{number}: no JSON: {error}") from error
        text = row.get("text") if isinstance(row, dict) else None
        label = row.get("language") if isinstance(row, dict) else None
        if not (isinstance(text, str) and isinstance(label, str | None)):
            raise ValueError(f"{path}:{number}: an object with a string `text` (and `language`) was expected")  # noqa: TRY004 - a fault of the file
        # JSON may hold half of a surrogate pair, which no other file can.
        yield text.encode("utf-8", "replace").decode(), label


def _lines(path: str) -> Iterator[tuple[int, str]]:
    try:
        with pa.input_stream(path, compression="detect") as stream:
            for number, line in enumerate(io.BufferedReader(stream), 1):
                yield number, line.decode("utf-8", "replace").rstrip("\r\n")
    except OSError as error:
        if error.errno is not None:
            raise
        # Arrow's codecs say so of bytes that are not theirs.
        raise ValueError(f"{path} cannot be read: {error}") from error
