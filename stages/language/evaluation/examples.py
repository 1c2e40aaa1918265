"""Labelled texts to evaluate on: files of `label<TAB>text`, plain or compressed, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lauter.stages.language.labels import LABEL

SUFFIXES = (".tsv", ".tsv.zst", ".tsv.gz")
"""How the name of a set ends; compression is told by it."""


@dataclass(frozen=True, slots=True)
class Examples:
    """One set of labelled texts, n rows. Held as a whole: a test set is some megabytes."""

    name: str
    gold: Sequence[str]
    """The label of each text."""
    data: NDArray[np.uint8]
    """UTF-8 bytes of all texts."""
    offsets: NDArray[np.int64]
    """Shape (n + 1,): text i is `data[offsets[i]:offsets[i + 1]]`."""

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """`data` and `offsets` of `size` texts at a time; the data are the whole set's."""
        for start in range(0, len(self.gold), size):
            yield self.data, self.offsets[start : start + size + 1]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Label and text of each."""
        for label, start, end in zip(self.gold, self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            yield label, self.data[start:end].tobytes().decode()

    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,): code points of each text."""
        # A code point begins at every byte that continues none (RFC 3629, section 3).
        before = np.zeros(len(self.data) + 1, np.int64)
        np.cumsum((self.data & 0xC0) != 0x80, out=before[1:])
        lengths: NDArray[np.int64] = np.diff(before[self.offsets])
        return lengths


def sets(path: Path) -> list[Path]:
    """The sets that a path names: itself, or the files of a folder in order of name.

    Raises:
        ValueError: The folder has no set, or two of one name: what is written of one would be over the other's.
        FileNotFoundError: Nothing is there.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES))
    if not found:
        raise ValueError(f"{path}: no file of labelled texts in it; their names end in {', '.join(SUFFIXES)}")
    named: dict[str, Path] = {}
    for file in found:
        if (other := named.setdefault(name_of(file), file)) != file:
            raise ValueError(f"{path}: {other.name} and {file.name} are one set by their names; leave one of them")
    return found


def name_of(path: Path) -> str:
    """The name of a set: that of its file without `SUFFIXES`."""
    return next((path.name.removesuffix(end) for end in reversed(SUFFIXES) if path.name.endswith(end)), path.name)


def read(path: Path) -> Examples:
    """Read a set: a line is a label, a tab and a text; between them may stand where the text is from, and another tab.

    Raises:
        ValueError: A line has another form, a label is none, or the file is not UTF-8 or not compressed as it is named.
        OSError: The file can't be read.
    """
    gold, texts, offsets = [], [], [0]
    for number, line in enumerate(_lines(path), 1):
        if not line:
            continue
        parts = line.split("\t")
        if len(parts) not in (2, 3):
            raise ValueError(
                f"{path}:{number}: {len(parts)} columns; a line is label, tab, text, or label, tab, source, tab, text"
            )
        if not LABEL.fullmatch(parts[0]):
            raise ValueError(f"{path}:{number}: {parts[0]!r} is no label like deu_Latn")
        text = parts[-1].encode()
        gold.append(parts[0])
        texts.append(text)
        offsets.append(offsets[-1] + len(text))
    if not gold:
        raise ValueError(f"{path}: no labelled text in it")
    places = np.array(offsets, np.int64)
    # As Arrow's buffers are: numba compiles anew for an array that is not.
    places.flags.writeable = False
    return Examples(name_of(path), gold, np.frombuffer(b"".join(texts), np.uint8), places)


def _lines(path: Path) -> list[str]:
    codec = {".zst": "zstd", ".gz": "gzip"}.get(path.suffix)
    try:
        if codec is None:
            content = path.read_bytes()
        else:
            with pa.CompressedInputStream(pa.OSFile(str(path), "rb"), codec) as stream:
                content = stream.read()
        # Not `splitlines`: a text may hold a form feed or U+2028.
        return [line.removesuffix("\r") for line in content.decode().split("\n")]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{path}: not compressed as its name says: {error}") from None
